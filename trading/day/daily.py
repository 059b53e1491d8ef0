"""The daily work: a worker's tick, the cron endpoint and a command each do the part that is not done yet."""

from collections.abc import Callable, Mapping

from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from trading.day import settling, square_off

logger = get_logger(__name__)

# Each does the work that is due and not done, for some seconds, and returns True if none is left.
WORKS: Mapping[str, Callable[[], bool]] = {
    "square-off": square_off.run_once,
    "settlement": settling.run_once,
}


def do_daily_work() -> bool:
    """Do the daily work that is not done yet; return True if all is done.

    Work that raises is logged, keeps none of the others from being done, and is due again. Raises DatabaseUnavailable.
    """
    are_done = [_do(name, work) for name, work in WORKS.items()]
    return all(are_done)


def _do(name: str, work: Callable[[], bool]) -> bool:
    try:
        return work()
    except DatabaseUnavailable:
        raise
    except Exception:
        logger.exception("daily_work_failed", work=name)
        return False


def behind_s() -> dict[str, float]:
    """Return, by name, the seconds since the time of the oldest work that is due and not done, 0 if it is done."""
    return {"square-off": square_off.behind_s(), "settlement": settling.behind_s()}
