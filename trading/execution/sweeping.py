"""Find orders that are still PENDING and execute them: what makes execution certain.

How attempts count. A sweep marks the orders that it takes (retry_at) in a transaction of its own
before it executes them as one batch. An order that is still PENDING afterwards, because the batch
raised or the process died, is a suspect: it is executed alone from then on, so that no innocent
shares its fate. Each attempt made alone is counted in a commit of its own just before it begins,
and after MAX_ATTEMPTS of them the order is REJECTED. An attempt that ended for a reason outside the order
(database away, time-out, shutdown, an account that somebody else holds) is taken back, and so is the mark.
"""

from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from models.database import DatabaseUnavailable, Row, execute, fetch_all, fetch_one, session, transactional
from runtime import metrics
from runtime.logs import get_logger
from trading.execution.executing import Outcome
from trading.execution.patience import execute_patiently
from trading.orders.cancellation import reject_order

MAX_BATCH = 500  # event triggers turn quadratic in one statement over one account's orders
MAX_ATTEMPTS = 5
# In each round accounts that turned out to be busy are left out of the next: with many of them a sweep ends short.
MAX_ROUNDS = 10
# Others leave a taken order alone for this long: it covers the moment between the mark's commit
# and the row lock of the execution. What died in between is tried again after it.
RETRY_PAUSE = timedelta(seconds=2)
UNCOUNT = "attempts = greatest(attempts - 1, 0), retry_at = clock_timestamp()"
TICK_LOCK_KEY = 0x7377656570  # "sweep" in ASCII

logger = get_logger(__name__)

# No order of an account that is left out is taken. A mark further ahead than its pause is void: the clock went back.
# Without a sort the index by age is walked from its beginning. With statistics from an hour that had few PENDING orders
# all of a backlog would be read along another index, and sorted, for each batch.
TAKE = """
SET LOCAL enable_sort = off;
WITH oldest AS (
    SELECT id, retry_at IS NULL AS is_fresh FROM trading_order
    WHERE status = 'PENDING' AND account_id <> ALL(%(but)s::uuid[]) {age}
      AND (retry_at IS NULL OR retry_at <= clock_timestamp() OR retry_at > clock_timestamp() + %(pause)s)
    ORDER BY placed_at, id LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
UPDATE trading_order SET retry_at = clock_timestamp() + %(pause)s FROM oldest WHERE trading_order.id = oldest.id
RETURNING trading_order.id, account_id, placed_at, is_fresh
"""
# An order of the future is one from before the clock went back.
AGE = "AND (placed_at <= clock_timestamp() - %(older_than)s OR placed_at > clock_timestamp())"
COUNT_ATTEMPT = """
UPDATE trading_order SET attempts = attempts + 1, retry_at = clock_timestamp() + %(pause)s
WHERE id = (SELECT id FROM trading_order WHERE id = %(id)s AND status = 'PENDING' FOR NO KEY UPDATE SKIP LOCKED)
RETURNING attempts
"""


class SweepCounts(NamedTuple):
    """What a sweep did; claimed less the next three are orders that somebody else finished first.

    Those that were left because their account or position is busy are not among the claimed.
    """

    claimed: int = 0
    executed: int = 0
    rejected: int = 0
    failed: int = 0
    busy: int = 0


def sweep_once(
    *, limit: int, older_than_ms: int = 0, exclusive: bool = False, but: Collection[UUID] = ()
) -> SweepCounts:
    """Execute up to limit of the oldest PENDING orders that are older than older_than_ms by the database's clock.

    In the place of orders whose account is busy come the next ones of other accounts. With exclusive, do
    nothing while another exclusive sweep is taking orders. Leave out the accounts in `but`.
    """
    counts, left_out = SweepCounts(), set(but)
    for _ in range(MAX_ROUNDS):
        room = min(limit, MAX_BATCH) - counts.claimed
        taken = _take(room, timedelta(milliseconds=older_than_ms), exclusive, left_out) if room else []
        if not taken:
            break
        done, busy = _execute(taken)
        counts = _sum([counts, done])
        if not busy or len(taken) < room:  # with room to spare there was nobody behind those that are busy
            break
        left_out |= busy
    return counts


def _execute(taken: list[Row]) -> tuple[SweepCounts, set[UUID]]:
    """Execute what was taken, and return also the accounts of which orders were left because they are busy."""
    busy: set[UUID] = set()
    fresh = [row for row in taken if row["is_fresh"]]
    counts = [_execute_batch(fresh, busy)] if fresh else []
    counts += [_execute_alone(row, busy) for row in taken if not row["is_fresh"]]
    total = _sum(counts)
    return total._replace(claimed=len(taken) - total.busy), busy


def count_pending() -> int:
    """Return the number of PENDING orders."""
    with session():
        row = fetch_one("SELECT count(*) AS pending FROM trading_order WHERE status = 'PENDING'")
    assert row is not None
    return int(row["pending"])


def _sum(counts: list[SweepCounts]) -> SweepCounts:
    return SweepCounts(*(sum(column) for column in zip(SweepCounts(), *counts, strict=True)))


@transactional
def _take(limit: int, older_than: timedelta, exclusive: bool, but: Collection[UUID]) -> list[Row]:
    """Mark the oldest orders as taken and return them, oldest first."""
    if exclusive and not _lock_out_other_ticks():
        return []
    take = TAKE.format(age=AGE if older_than else "")
    rows = fetch_all(take, {"limit": limit, "older_than": older_than, "pause": RETRY_PAUSE, "but": list(but)})
    return sorted(rows, key=lambda row: (row["placed_at"], row["id"]))


def _lock_out_other_ticks() -> bool:
    row = fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS locked", (TICK_LOCK_KEY,))
    return row is not None and bool(row["locked"])


def _execute_batch(orders: list[Row], busy: set[UUID]) -> SweepCounts:
    """Execute orders together; when something among them raises, each of them alone."""
    try:
        outcome = _unless_interrupted([order["id"] for order in orders], "retry_at = NULL")
    except Exception as error:
        if isinstance(error, DatabaseUnavailable):
            raise
        logger.warning("batch_failed", orders=len(orders), exc_info=True)
        return _sum([_execute_alone(order, busy) for order in orders])
    if outcome.skipped:
        _update_pending("retry_at = NULL", [order["id"] for order in orders])
    return _counted(outcome, busy)


def _execute_alone(order: Row, busy: set[UUID]) -> SweepCounts:
    """Execute an order alone, or reject it when it has failed alone often enough."""
    order_id = order["id"]
    if order["account_id"] in busy:
        _update_pending("retry_at = clock_timestamp()", [order_id])
        return SweepCounts(busy=1)
    attempts = _count_attempt(order_id)
    if attempts is None:  # final, or somebody else has it in hand
        return SweepCounts()
    if attempts > MAX_ATTEMPTS:
        return _give_up(order_id)
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
    return _counted(outcome, busy)


def _counted(outcome: Outcome, busy: set[UUID]) -> SweepCounts:
    busy.update(outcome.busy)
    return SweepCounts(0, outcome.executed, outcome.rejected, busy=sum(map(len, outcome.busy.values())))


def _give_up(order_id: UUID) -> SweepCounts:
    """Reject an order; one whose account is busy, the next time."""
    if not reject_order(order_id, "execution_failed"):
        _update_pending(UNCOUNT, [order_id])
        return SweepCounts()
    logger.error("order_given_up", order_id=str(order_id), attempts=MAX_ATTEMPTS)
    metrics.of(metrics.EXECUTIONS, "execution_failed").inc()
    return SweepCounts(rejected=1)


@transactional
def _count_attempt(order_id: UUID) -> int | None:
    """Count an attempt that begins now, and return which it is; None when the order is not free and PENDING."""
    row = fetch_one(COUNT_ATTEMPT, {"id": order_id, "pause": RETRY_PAUSE})
    return None if row is None else int(row["attempts"])


def _unless_interrupted(order_ids: list[UUID], taking_back: str) -> Outcome:
    """Execute orders; an end for a reason outside them takes the attempt back and goes on to the caller."""
    try:
        return execute_patiently(order_ids)
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
