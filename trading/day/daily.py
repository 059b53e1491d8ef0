"""The daily work: a worker's tick, the cron endpoint and a command do what is missing of it, each on its own."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time

from config import settings
from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from trading.day import jobs, square_off
from trading.day.jobs import Progress
from trading.day.settling import Settlement, settle
from trading.day.square_off_rows import market_time
from trading.rules.sessions import INDIAN_TIME, indian_day

SETTLEMENT = "settlement"
# Of the lease of a claim, within which a part of a work should end.
SETTLE_S = jobs.PATIENCE_S

logger = get_logger(__name__)


def do_daily_work() -> bool:
    """Do what is missing of the daily work; return True if nothing is.

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
    """Return, by name, the seconds since the time of the work that is due and not done, 0 if it is done."""
    now = market_time()
    today = indian_day(now)
    midnight = datetime.combine(today, time(), INDIAN_TIME)
    unsettled_s = 0.0 if jobs.is_done(SETTLEMENT, today) else (now - midnight).total_seconds()
    return {"square-off": square_off.behind_s(), SETTLEMENT: unsettled_s}


def settle_today() -> bool:
    """Settle the deliveries of the present day; return True if that is done."""
    today: date = indian_day(market_time())
    return jobs.run_daily(SETTLEMENT, today, _settle)


def _settle() -> Progress:
    done: Settlement = settle(settings().market_calendar, limit_s=SETTLE_S)
    if done.settled:
        logger.info("settled", **done._asdict())
    return Progress.MORE if done.busy else Progress.DONE


# Each does what is missing and is due, for some seconds, and returns True if nothing is missing.
WORKS: Mapping[str, Callable[[], bool]] = {"square-off": square_off.run_once, SETTLEMENT: settle_today}
