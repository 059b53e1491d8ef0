"""Find orders that are still PENDING and execute them: what makes execution certain.

How attempts count. A sweep marks the orders that it takes (retry_at) in a transaction of its own
before it executes them as one batch. An order that is still PENDING afterwards, because the batch
raised or the process died, is a suspect: it is executed alone from then on, so that no innocent
shares its fate. Each attempt made alone is counted in a commit of its own just before it begins,
and after MAX_ATTEMPTS of them the order is REJECTED. An attempt that ended for a reason outside the order
(database away, time-out, shutdown) is taken back.
"""

from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from models.database import DatabaseUnavailable, Row, execute, fetch_all, fetch_one, session, transactional
from trading import metrics
from trading.cancellation import reject_order
from trading.execution import Outcome, execute_orders
from trading.logs import get_logger

MAX_BATCH = 500  # event triggers turn quadratic in one statement over one account's orders
MAX_ATTEMPTS = 5
# Others leave a taken order alone for this long: it covers the moment between the mark's commit
# and the row lock of the execution. What died in between is tried again after it.
RETRY_PAUSE = timedelta(seconds=2)
UNCOUNT = "attempts = greatest(attempts - 1, 0), retry_at = clock_timestamp()"
TICK_LOCK_KEY = 0x7377656570  # "sweep" in ASCII

logger = get_logger(__name__)

TAKE = """
WITH oldest AS (
    SELECT id, retry_at IS NULL AS is_fresh FROM trading_order
    WHERE status = 'PENDING' AND placed_at <= clock_timestamp() - %(older_than)s
      AND (retry_at IS NULL OR retry_at <= clock_timestamp())
    ORDER BY placed_at, id LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
UPDATE trading_order SET retry_at = clock_timestamp() + %(pause)s FROM oldest WHERE trading_order.id = oldest.id
RETURNING trading_order.id, placed_at, is_fresh
"""
COUNT_ATTEMPT = """
UPDATE trading_order SET attempts = attempts + 1, retry_at = clock_timestamp() + %(pause)s
WHERE id = (SELECT id FROM trading_order WHERE id = %(id)s AND status = 'PENDING' FOR NO KEY UPDATE SKIP LOCKED)
RETURNING attempts
"""


class SweepCounts(NamedTuple):
    """What a sweep did; claimed less the others are orders that somebody else finished first."""

    claimed: int = 0
    executed: int = 0
    rejected: int = 0
    failed: int = 0


def sweep_once(*, limit: int, older_than_ms: int = 0, exclusive: bool = False) -> SweepCounts:
    """Execute up to limit of the oldest PENDING orders that are older than older_than_ms by the database's clock.

    With exclusive, do nothing while another exclusive sweep is taking orders.
    """
    taken = _take(min(limit, MAX_BATCH), timedelta(milliseconds=older_than_ms), exclusive)
    fresh = [row["id"] for row in taken if row["is_fresh"]]
    counts = [_execute_batch(fresh)] if fresh else []
    counts += [_execute_alone(row["id"]) for row in taken if not row["is_fresh"]]
    return _sum(counts)._replace(claimed=len(taken))


def count_pending() -> int:
    """Return the number of PENDING orders."""
    with session():
        row = fetch_one("SELECT count(*) AS pending FROM trading_order WHERE status = 'PENDING'")
    assert row is not None
    return int(row["pending"])


def _sum(counts: list[SweepCounts]) -> SweepCounts:
    return SweepCounts(*(sum(column) for column in zip(SweepCounts(), *counts, strict=True)))


@transactional
def _take(limit: int, older_than: timedelta, exclusive: bool) -> list[Row]:
    """Mark the oldest orders as taken and return them, oldest first."""
    if exclusive and not _lock_out_other_ticks():
        return []
    rows = fetch_all(TAKE, {"limit": limit, "older_than": older_than, "pause": RETRY_PAUSE})
    return sorted(rows, key=lambda row: (row["placed_at"], row["id"]))


def _lock_out_other_ticks() -> bool:
    row = fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS locked", (TICK_LOCK_KEY,))
    return row is not None and bool(row["locked"])


def _execute_batch(order_ids: list[UUID]) -> SweepCounts:
    """Execute orders together; when something among them raises, each of them alone."""
    try:
        outcome = _unless_interrupted(order_ids, "retry_at = NULL")
    except Exception as error:
        if isinstance(error, DatabaseUnavailable):
            raise
        logger.warning("batch_failed", orders=len(order_ids), exc_info=True)
        return _sum([_execute_alone(order_id) for order_id in order_ids])
    return SweepCounts(executed=outcome.executed, rejected=outcome.rejected)


def _execute_alone(order_id: UUID) -> SweepCounts:
    """Execute an order alone, or reject it when it has failed alone often enough."""
    attempts = _count_attempt(order_id)
    if attempts is None:  # final, or somebody else has it in hand
        return SweepCounts()
    if attempts > MAX_ATTEMPTS:
        logger.error("order_given_up", order_id=str(order_id), attempts=MAX_ATTEMPTS)
        metrics.of(metrics.EXECUTIONS, "execution_failed").inc()
        return SweepCounts(rejected=int(reject_order(order_id, "execution_failed")))
    try:
        outcome = _unless_interrupted([order_id], UNCOUNT)
    except Exception as error:
        if isinstance(error, DatabaseUnavailable):
            raise
        logger.exception("order_failed", order_id=str(order_id), attempts=attempts)
        metrics.of(metrics.EXECUTIONS, "failed").inc()
        _update_pending("retry_at = clock_timestamp()", [order_id])
        return SweepCounts(failed=1)
    if outcome.skipped:
        _update_pending(UNCOUNT, [order_id])
    return SweepCounts(executed=outcome.executed, rejected=outcome.rejected)


@transactional
def _count_attempt(order_id: UUID) -> int | None:
    """Count an attempt that begins now, and return which it is; None when the order is not free and PENDING."""
    row = fetch_one(COUNT_ATTEMPT, {"id": order_id, "pause": RETRY_PAUSE})
    return None if row is None else int(row["attempts"])


def _unless_interrupted(order_ids: list[UUID], taking_back: str) -> Outcome:
    """Execute orders; an end for a reason outside them takes the attempt back and goes on to the caller."""
    try:
        return execute_orders(order_ids)
    except BaseException as error:
        if isinstance(error, DatabaseUnavailable) or not isinstance(error, Exception):
            _update_pending(taking_back, order_ids)
        raise


def _update_pending(change: str, order_ids: list[UUID]) -> None:
    """Keep the accounts of attempts; best effort, since a lost one only makes an order a suspect."""
    try:
        with session():
            execute(
                f"UPDATE trading_order SET {change} WHERE status = 'PENDING' AND id IN"
                " (SELECT id FROM trading_order WHERE id = ANY(%s::uuid[]) FOR NO KEY UPDATE SKIP LOCKED)",
                (order_ids,),
            )
    except DatabaseUnavailable:
        logger.warning("attempts_not_kept", orders=len(order_ids))
