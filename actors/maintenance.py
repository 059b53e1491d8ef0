"""The periodic work, and the tick in every worker process that starts it."""

import functools
import threading
import time
from collections.abc import Callable

import dramatiq
from dramatiq.middleware import Interrupt, Middleware
from peewee import PeeweeException

from actors import ledger_checks, presence
from actors.background import background
from actors.broker import broker
from config import settings
from models.database import DatabaseUnavailable
from runtime import metrics, redis_link
from runtime.logs import get_logger
from trading.day import daily, release
from trading.events import retention
from trading.execution import expiry
from trading.execution.sweeping import sweep_once
from trading.matching import level_sweep
from trading.matching.feed import MarketRules
from trading.upkeep.verify import check_and_note

# A backlog is drained batch after batch; after this time the next tick goes on with it.
DRAIN_S = 5.0
# At a close there are as many orders as there were in the day.
EXPIRY_S = 30.0
# The next run goes on.
RELEASE_LIMIT = 10_000
# A few times in the minute after which a database is forgotten.
DATABASE_PERIOD_S = 15.0
# Half of the check's period. A check of 5 million orders took 117 s.
CHECK_S = 1800.0

logger = get_logger(__name__)
_draining, _expiring, _doing_daily_work = threading.Lock(), threading.Lock(), threading.Lock()


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=0, max_retries=0)
def sweep_orders() -> None:
    """Execute the orders that have been due for longer than one interval."""
    try:
        drain(older_than_ms=settings().order_worker_interval_ms)
    except Interrupt:  # by the time limit or a shutdown; the next tick goes on, so no dead letter is needed
        logger.warning("sweep_cut_short")


def drain(*, older_than_ms: int = 0) -> None:
    """Sweep batch after batch while batches are full; one drain at a time in a process."""
    if not _draining.acquire(blocking=False):
        return
    try:
        end = time.monotonic() + DRAIN_S
        limit = settings().order_worker_batch_limit
        while time.monotonic() < end:
            counts = sweep_once(limit=limit, older_than_ms=older_than_ms, exclusive=True)
            metrics.count_sweep("tick", counts)
            if counts.claimed:
                logger.info("swept", **counts._asdict())
            if counts.claimed < limit:
                return
    except DatabaseUnavailable as error:
        logger.warning("sweep_failed", error=str(error))
    finally:
        _draining.release()


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=5, max_retries=0)
def expire_orders() -> None:
    """End the orders whose time is over."""
    expire(EXPIRY_S)


def expire(limit_s: float) -> None:
    """End the orders whose time is over, batch after batch; after the limit the next run goes on."""
    if not _expiring.acquire(blocking=False):
        return
    try:
        end, expired = time.monotonic() + limit_s, expiry.MAX_BATCH
        while expired == expiry.MAX_BATCH and time.monotonic() < end:
            expired, busy = expiry.run_once(expiry.MAX_BATCH)
            if expired or busy:
                logger.info("expired", expired=expired, busy=busy)
    except Interrupt:
        logger.warning("expiry_cut_short")
    except DatabaseUnavailable as error:
        logger.warning("expiry_failed", error=str(error))
    finally:
        _expiring.release()


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=5, max_retries=0)
def release_orders() -> None:
    """Release the after-market orders whose session has opened, and execute what is due then."""
    try:
        if release.run_once(RELEASE_LIMIT, calendar=settings().market_calendar):
            drain()
    except Interrupt:
        logger.warning("release_cut_short")
    except DatabaseUnavailable as error:
        logger.warning("release_failed", error=str(error))


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=5, max_retries=0)
def do_daily_work() -> None:
    """Do the daily work that is not done yet; one process does each part at a time."""
    if not _doing_daily_work.acquire(blocking=False):
        return
    try:
        daily.do_daily_work()
    except Interrupt:  # its claim ends, and the next tick goes on
        logger.warning("daily_work_cut_short")
    except DatabaseUnavailable as error:
        logger.warning("daily_work_failed", error=str(error))
    finally:
        _doing_daily_work.release()


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=10, max_retries=0)
def sweep_levels() -> None:
    """Match the orders that a present quote crosses and that no quote has matched; there should be none."""
    rules = MarketRules.of(settings())
    try:
        level_sweep.run_once(rules)
    except DatabaseUnavailable as error:
        logger.warning("level_sweep_failed", error=str(error))


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=20, max_retries=0)
def delete_what_is_old() -> None:
    """Delete events and idempotency keys that are older than their retention, in the background."""
    background.start("deletion", _delete)


def _delete() -> None:
    try:
        deleted = retention.delete_what_is_old(patience_s=DRAIN_S)
        if any(deleted):
            logger.info("deleted", **deleted._asdict())
    except DatabaseUnavailable as error:  # the next run deletes the rest
        logger.warning("deletion_failed", error=type(error).__name__, detail=str(error))


@dramatiq.actor(broker=broker, queue_name="maintenance", priority=20, max_retries=0)
def check_ledger() -> None:
    """Check the ledger in the background and store the result, which /health/ready shows."""
    background.start("ledger_check", _check)


def _check() -> None:
    redis_link.attempt(lambda: ledger_checks.note_running(round(CHECK_S * 1000)))
    try:
        if check_and_note(time_limit_s=CHECK_S, is_over=lambda: background.is_stopping) is None:
            logger.warning("ledger_not_checked", detail="the worker is stopping, or the check took too long")
    except DatabaseUnavailable as error:
        logger.warning("ledger_not_checked", error=type(error).__name__, detail=str(error))
    finally:
        redis_link.attempt(ledger_checks.note_end)


# The actors that are enqueued once in an interval (ms) for the whole fleet, beside the sweep.
PERIODIC = (
    (expire_orders, 1_000),
    (release_orders, 1_000),
    (do_daily_work, 1_000),
    (sweep_levels, 5_000),
    (delete_what_is_old, 600_000),
    (check_ledger, 3_600_000),
)
# The work of those that every process does by itself while Redis cannot be reached; its sweeps wait meanwhile.
WITHOUT_REDIS: dict[str, Callable[[], None]] = {
    expire_orders.actor_name: functools.partial(expire, DRAIN_S),
    release_orders.actor_name: release_orders.fn,
    do_daily_work.actor_name: do_daily_work.fn,
    sweep_levels.actor_name: sweep_levels.fn,
}


def tick(interval_ms: int) -> None:
    """Enqueue the fleet's one sweep of this interval, or sweep here when Redis cannot be reached."""
    if not redis_link.attempt(lambda: _announce(sweep_orders, interval_ms)):
        drain()  # orders of any age, since there may be no messages for the young ones


def _announce(actor: dramatiq.Actor[[], None], interval_ms: int) -> None:
    """Enqueue an actor's message unless a process of the fleet has done so in this interval."""
    # The key lives a little shorter than the interval, so that the next tick of its own process finds it gone.
    if redis_link.client.set(tick_key(actor), 1, nx=True, px=max(1, interval_ms * 9 // 10)):
        broker.enqueue(actor.message())


def tick_key(actor: dramatiq.Actor[[], None]) -> str:
    """Return the key that marks an actor's message as enqueued in this interval."""
    return redis_link.key(f"tick:{actor.actor_name}")


def _announce_periodic(due: dict[int, float]) -> None:
    """Enqueue the actors that are due by this process's clock, unless another process has done so."""
    for number, (actor, period_ms) in enumerate(PERIODIC):
        if time.monotonic() < due[number]:
            continue
        is_sent = redis_link.attempt(functools.partial(_announce, actor, period_ms))
        if is_sent:
            due[number] = time.monotonic() + period_ms / 1000
        elif actor.actor_name in WITHOUT_REDIS:
            WITHOUT_REDIS[actor.actor_name]()


def look_for_others() -> None:
    """Record this process's database, and log an error if workers of another database use the same names in Redis."""
    try:
        identity = presence.read_database()
    except (DatabaseUnavailable, PeeweeException):  # unreachable, or a service that hides its identity
        return
    redis_link.attempt(functools.partial(presence.say_database, identity))
    count = redis_link.ask(presence.count_databases) or 0
    if count > 1:  # they take each other's messages and ticks: orders wait, none is lost
        logger.error("redis_namespace_shared", databases=count, remedy="give each deployment its REDIS_NAMESPACE")


class Ticker(Middleware):
    """A thread in every worker process that ticks once an interval."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Start ticking."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="ticker", daemon=True)
        self._thread.start()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Stop ticking, and wait for a sweep in the thread to end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        interval_ms = settings().order_worker_interval_ms
        due, database_due = dict.fromkeys(range(len(PERIODIC)), 0.0), 0.0
        while not self._stopping.wait(interval_ms / 1000):
            try:
                tick(interval_ms)
                redis_link.attempt(presence.say_present)
                _announce_periodic(due)
                if time.monotonic() >= database_due:
                    database_due = time.monotonic() + DATABASE_PERIOD_S
                    look_for_others()
            except Exception:  # the tick makes execution certain, so nothing may end it
                logger.exception("tick_failed")


broker.add_middleware(Ticker())
