"""Sweeps: they find the orders that a worker is due for, and execute them, so that no order waits for a lost message.

An order is due at its due_at: after its placement, its match, its trigger, and each modification. A resting order is
not due. How attempts count. A sweep first marks the orders that it takes (retry_at) in a transaction of its own, then
executes them as one batch. An order that is still due afterwards, because the batch raised or the process died, is a
suspect. From then on it is executed alone, so that it cannot fail others with it. Each attempt made alone is counted
in a commit of its own before it begins. After MAX_ATTEMPTS attempts the order is REJECTED. An attempt that ended for
a reason outside the order (database away, time-out, shutdown, a busy account) is taken back, and the order may be taken
again at once.
"""

import contextlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple, TypedDict
from uuid import UUID

from models import buckets
from models.database import DatabaseUnavailable, execute, fetch_all, fetch_one, session, transactional
from runtime import metrics
from runtime.logs import get_logger
from trading.execution.executing import Outcome
from trading.execution.patience import execute_patiently
from trading.orders.cancellation import reject_order
from trading.rules.terms import RejectionReason

MAX_BATCH = 500  # the cost of the event triggers is quadratic in one account's orders of one statement
MAX_ATTEMPTS = 5
# Each round leaves out the accounts that were busy in earlier rounds. With many of them a sweep ends below its limit.
MAX_ROUNDS = 10
# Other sweeps leave a marked order alone for this long, until the execution has locked its row. If the process dies in
# between, the order is taken again afterwards.
RETRY_PAUSE = timedelta(seconds=2)
UNCOUNT = "attempts = greatest(attempts - 1, 0), retry_at = statement_timestamp()"
# Matched orders keep their turns.
DELAY = """
UPDATE trading_order SET due_at = (SELECT statement_now()) + interval '50 ms' WHERE id IN (
    SELECT id FROM trading_order WHERE id = ANY(%s::uuid[]) AND (due_at IS NOT NULL AND matched_at IS NULL
        AND fill_model = 'QUOTES' AND status IN ('PENDING', 'OPEN')) IS TRUE FOR NO KEY UPDATE SKIP LOCKED)
"""
TICK_LOCK_KEY = 0x7377656570  # "sweep" in ASCII; plus the number of the bucket of accounts

logger = get_logger(__name__)

# A mark, or a time at which the order is due, that lies further in the future than RETRY_PAUSE is void, because the
# clock was set back.
# Without sorting, the planner reads the index of due orders from its start. With statistics from an hour that had few
# of them it would otherwise read a whole backlog along another index, and sort it, for each batch.
TAKE = """
SET LOCAL enable_sort = off;
WITH oldest AS (
    SELECT id, retry_at IS NULL AS is_fresh FROM trading_order
    WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL AND account_id <> ALL(%(but)s::uuid[])
      AND (due_at <= market_now() - %(older_than)s OR due_at > market_now() + %(pause)s)
      AND (retry_at IS NULL OR retry_at <= clock_timestamp() OR retry_at > clock_timestamp() + %(pause)s)
    ORDER BY due_at, placed_at, id LIMIT %(limit)s
    FOR NO KEY UPDATE SKIP LOCKED)
UPDATE trading_order SET retry_at = statement_timestamp() + %(pause)s FROM oldest WHERE trading_order.id = oldest.id
RETURNING trading_order.id, account_id, due_at, placed_at, is_fresh
"""
COUNT_ATTEMPT = """
UPDATE trading_order SET attempts = attempts + 1, retry_at = statement_timestamp() + %(pause)s
WHERE id = (SELECT id FROM trading_order WHERE id = %(id)s AND (account_id = %(account_id)s
                AND status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL) IS TRUE FOR NO KEY UPDATE SKIP LOCKED)
RETURNING attempts
"""


class TakenOrder(TypedDict):
    """A row that TAKE returns; an order that no sweep has tried before is fresh."""

    id: UUID
    account_id: UUID
    due_at: datetime
    placed_at: datetime
    is_fresh: bool


class SweepCounts(NamedTuple):
    """The numbers of orders that a sweep claimed, executed, rejected, failed to execute, left as busy, opened, ended.

    Claimed orders that are in none of the others were finished by others first. Busy orders, whose account or position
    another transaction has locked, are not among the claimed. Matched orders are executed with all others of their
    account, claimed or not.
    """

    claimed: int = 0
    executed: int = 0
    rejected: int = 0
    failed: int = 0
    busy: int = 0
    opened: int = 0
    cancelled: int = 0
    expired: int = 0


def sweep_once(
    *, limit: int, older_than_ms: int = 0, exclusive: bool = False, but: Collection[UUID] = ()
) -> SweepCounts:
    """Execute up to limit of the orders that have been due for longer than older_than_ms, the longest due first.

    Orders of busy accounts are replaced by the next orders of other accounts. With exclusive, do nothing while another
    exclusive sweep is taking orders. The accounts in `but` are left out.
    """
    counts, left_out = SweepCounts(), set(but)
    for _ in range(MAX_ROUNDS):
        room = min(limit, MAX_BATCH) - counts.claimed
        taken = _take(room, timedelta(milliseconds=older_than_ms), exclusive, left_out) if room else []
        if not taken:
            break
        done, busy = _execute(taken)
        counts = _sum([counts, done])
        if not busy or len(taken) < room:  # fewer orders than room: no others are behind the busy ones
            break
        left_out |= busy
    return counts


def _execute(taken: list[TakenOrder]) -> tuple[SweepCounts, set[UUID]]:
    """Execute the taken orders, and return the counts and the busy accounts."""
    busy: set[UUID] = set()
    fresh = [row for row in taken if row["is_fresh"]]
    counts = [_execute_batch(fresh, busy)] if fresh else []
    counts += [_execute_alone(row, busy) for row in taken if not row["is_fresh"]]
    total = _sum(counts)
    return total._replace(claimed=len(taken) - total.busy), busy


def _sum(counts: list[SweepCounts]) -> SweepCounts:
    return SweepCounts(*(sum(column) for column in zip(SweepCounts(), *counts, strict=True)))


@transactional
def _take(limit: int, older_than: timedelta, exclusive: bool, but: Collection[UUID]) -> list[TakenOrder]:
    """Mark the longest due orders as taken and return them, in the order of their due times."""
    if exclusive and not _lock_out_other_ticks():
        return []
    parameters = {"limit": limit, "older_than": older_than, "pause": RETRY_PAUSE, "but": list(but)}
    rows = fetch_all(TAKE, parameters, TakenOrder)
    return sorted(rows, key=lambda row: (row["due_at"], row["placed_at"], row["id"]))


def _lock_out_other_ticks() -> bool:
    row = fetch_one("SELECT pg_try_advisory_xact_lock(%s) AS locked", (TICK_LOCK_KEY + (buckets.current() or 0),))
    return row is not None and bool(row["locked"])


def _execute_batch(orders: list[TakenOrder], busy: set[UUID]) -> SweepCounts:
    """Execute orders as one batch, or each of them alone if the batch raises."""
    try:
        outcome = _unless_interrupted([order["id"] for order in orders], "retry_at = NULL")
    except Exception as error:
        if isinstance(error, DatabaseUnavailable):
            raise
        logger.warning("batch_failed", orders=len(orders), exc_info=True)
        return _sum([_execute_alone(order, busy) for order in orders])
    if outcome.skipped:
        _update_live("retry_at = NULL", [order["id"] for order in orders])
    _delay(outcome)
    return _counted(outcome, busy)


def _execute_alone(order: TakenOrder, busy: set[UUID]) -> SweepCounts:
    """Execute an order alone, or reject it after MAX_ATTEMPTS attempts."""
    order_id = order["id"]
    if order["account_id"] in busy:
        _update_live("retry_at = statement_timestamp()", [order_id])
        return SweepCounts(busy=1)
    attempts = _count_attempt(order["account_id"], order_id)
    if attempts is None:  # final, or another transaction has locked it
        return SweepCounts()
    if attempts > MAX_ATTEMPTS:
        return _give_up(order["account_id"], order_id)
    try:
        outcome = _unless_interrupted([order_id], UNCOUNT, alone=True)
    except Exception as error:
        if isinstance(error, DatabaseUnavailable):
            raise
        logger.exception("order_failed", order_id=str(order_id), attempts=attempts)
        metrics.of(metrics.EXECUTIONS, "failed").inc()
        _update_live("retry_at = statement_timestamp()", [order_id])
        return SweepCounts(failed=1)
    if outcome.skipped:
        _update_live(UNCOUNT, [order_id])
    return _counted(outcome, busy)


def _counted(outcome: Outcome, busy: set[UUID]) -> SweepCounts:
    busy.update(outcome.busy)
    return SweepCounts(
        executed=outcome.executed,
        rejected=outcome.rejected,
        busy=sum(map(len, outcome.busy.values())),
        opened=outcome.opened,
        cancelled=outcome.cancelled,
        expired=outcome.expired,
    )


def _delay(outcome: Outcome) -> None:
    """Let other orders go before those of busy accounts; best effort."""
    if not outcome.busy:
        return
    with contextlib.suppress(DatabaseUnavailable), session():
        execute(DELAY, ([order_id for left in outcome.busy.values() for order_id in left],))


def _give_up(account_id: UUID, order_id: UUID) -> SweepCounts:
    """Reject an order, or leave it to the next sweep if its account is busy."""
    if not reject_order(account_id, order_id, RejectionReason.EXECUTION_FAILED):
        _update_live(UNCOUNT, [order_id])
        return SweepCounts()
    logger.error("order_given_up", order_id=str(order_id), attempts=MAX_ATTEMPTS)
    metrics.of(metrics.EXECUTIONS, "execution_failed").inc()
    return SweepCounts(rejected=1)


@transactional
def _count_attempt(account_id: UUID, order_id: UUID) -> int | None:
    """Count an attempt that begins now and return its number; None if the order is not due or not free."""
    row = fetch_one(COUNT_ATTEMPT, {"id": order_id, "account_id": account_id, "pause": RETRY_PAUSE})
    return None if row is None else int(row["attempts"])


def _unless_interrupted(order_ids: list[UUID], taking_back: str, *, alone: bool = False) -> Outcome:
    """Execute orders; an interruption for a reason outside them takes back the attempt and is raised again."""
    try:
        return execute_patiently(order_ids, alone=alone)
    except BaseException as error:
        if isinstance(error, DatabaseUnavailable) or not isinstance(error, Exception):
            _update_live(taking_back, order_ids)
        raise


def _update_live(change: str, order_ids: list[UUID]) -> None:
    """Update the attempts of live orders; best effort, for a lost update only makes an order a suspect."""
    try:
        with session():
            execute(
                f"UPDATE trading_order SET {change}"
                " WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL AND id IN"
                " (SELECT id FROM trading_order WHERE id = ANY(%s::uuid[]) FOR NO KEY UPDATE SKIP LOCKED)",
                (order_ids,),
            )
    except DatabaseUnavailable:
        logger.warning("attempts_not_kept", orders=len(order_ids))
