"""The periodic work of the workers; the tick (actors.ticker) starts it."""

import threading
import time

import dramatiq
from dramatiq.middleware import Interrupt

from actors import ledger_checks
from actors.background import background
from actors.broker import MAINTENANCE, broker
from config import MAX_SHARDS, settings
from models import buckets, partitions
from models.database import DatabaseUnavailable
from runtime import metrics, redis_link
from runtime.logs import get_logger
from trading.day import daily, release
from trading.events import retention
from trading.execution import expiry
from trading.execution.sweeping import sweep_once
from trading.market import recorded_prices
from trading.market.candle_retention import delete_old_candles
from trading.matching import level_sweep
from trading.matching.feed import MarketRules
from trading.upkeep import gathering
from trading.upkeep.verify import check_and_note

# A backlog is drained batch after batch; after this time the next tick goes on with it.
DRAIN_S = 5.0
# At a close there are as many orders as there were in the day.
EXPIRY_S = 30.0
# The next run goes on.
RELEASE_LIMIT = 10_000
# Half of the check's period. A check of 5 million orders took 117 s.
CHECK_S = 1800.0

logger = get_logger(__name__)
# Of each, one in a process for each bucket of accounts.
_draining, _expiring, _doing_daily_work = ([threading.Lock() for _ in range(MAX_SHARDS)] for _ in range(3))


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=0, max_retries=0)
def sweep_orders(shard: int = 0) -> None:
    """Execute the orders of a bucket that have been due for longer than one interval."""
    try:
        with buckets.at(shard):
            drain(older_than_ms=settings().order_worker_interval_ms)
    except Interrupt:  # by the time limit or a shutdown; the next tick goes on, so no dead letter is needed
        logger.warning("sweep_cut_short")


def drain(*, older_than_ms: int = 0, limit_s: float = DRAIN_S) -> None:
    """Sweep the current bucket batch after batch while batches are full; one drain of it at a time in a process."""
    draining = _draining[buckets.current() or 0]
    if not draining.acquire(blocking=False):
        return
    try:
        end = time.monotonic() + limit_s
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
        draining.release()


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=5, max_retries=0)
def expire_orders(shard: int = 0, limit_s: float = EXPIRY_S) -> None:
    """End the orders of a bucket whose time is over."""
    with buckets.at(shard):
        expire(limit_s)


def expire(limit_s: float) -> None:
    """End the current bucket's orders whose time is over, batch after batch; after the limit the next run goes on."""
    expiring = _expiring[buckets.current() or 0]
    if not expiring.acquire(blocking=False):
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
        expiring.release()


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=5, max_retries=0)
def release_orders(shard: int = 0) -> None:
    """Release a bucket's after-market orders whose session has opened, and execute the orders that are due then."""
    try:
        with buckets.at(shard):
            if release.run_once(RELEASE_LIMIT, calendar=settings().market_calendar):
                drain()
    except Interrupt:
        logger.warning("release_cut_short")
    except DatabaseUnavailable as error:
        logger.warning("release_failed", error=str(error))


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=5, max_retries=0)
def do_daily_work(shard: int = 0) -> None:
    """Do the daily work of a bucket that is not done yet; one process does each part at a time."""
    doing = _doing_daily_work[shard]
    if not doing.acquire(blocking=False):
        return
    try:
        with buckets.at(shard):
            daily.do_daily_work()
    except Interrupt:  # its claim ends, and the next tick goes on
        logger.warning("daily_work_cut_short")
    except DatabaseUnavailable as error:
        logger.warning("daily_work_failed", error=str(error))
    finally:
        doing.release()


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=10, max_retries=0)
def sweep_levels(shard: int = 0) -> None:
    """Match a bucket's orders that a present quote crosses and that no quote has matched; there should be none."""
    rules = MarketRules.of(settings())
    try:
        with buckets.at(shard):
            level_sweep.run_once(rules)
    except DatabaseUnavailable as error:
        logger.warning("level_sweep_failed", error=str(error))


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=10, max_retries=0)
def record_prices() -> None:
    """Record the prices of the minute that has just ended."""
    try:
        recorded_prices.record_prices()
    except DatabaseUnavailable as error:
        logger.warning("prices_not_recorded", error=str(error))


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=20, max_retries=0)
def delete_what_is_old() -> None:
    """Delete old events, idempotency keys, recorded prices and minute candles in the background.

    If orders are stored by month, make the partition of the next month, and gather the sums of those that have ended.
    """
    background.start("deletion", _delete)


def _delete() -> None:
    try:
        deleted = retention.delete_what_is_old(patience_s=DRAIN_S)
        candles = delete_old_candles(settings().candles_kept_days, patience_s=DRAIN_S)
        if candles or any(deleted):
            logger.info("deleted", **deleted._asdict(), candles=candles)
        partitions.add_months()
        gathering.gather_ended()
    except (DatabaseUnavailable, partitions.NotSplit) as error:  # the next run does the rest
        logger.warning("deletion_failed", error=type(error).__name__, detail=str(error))


@dramatiq.actor(broker=broker, queue_name=MAINTENANCE, priority=20, max_retries=0)
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
