"""Execution of orders in batches: one transaction fills them into positions and settles margin and profit.

An order of a QUOTES account is judged on its stock's quote. If it does not fill at its first look, nothing is written,
and a second transaction looks again (trading.execution.second_look). An order that the market has matched fills at the
price of its match. A second execution of an order does nothing: an order is claimed under its row lock, and only while
a worker is due for it.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from models.database import transactional
from models.rows import OrderRow
from runtime import metrics, tracing
from runtime.logs import get_logger
from runtime.order_log import log_order
from runtime.timing import Stopwatch
from trading.events import publishing
from trading.execution.awaiting import Await, wait_for
from trading.execution.batch import Batch, write_batch
from trading.execution.claiming import claim
from trading.execution.filling import fill_one, last_prices
from trading.execution.looks import judge
from trading.execution.recent import RecentIds
from trading.execution.second_look import MAX_BATCH, OrderAndStock, look_again
from trading.rules.terms import OrderStatus

logger = get_logger(__name__)
# Orders that this process has brought to their end, and whose commit succeeded. An order that rests is none of them.
final_orders = RecentIds(100_000)


class Outcome(NamedTuple):
    """The numbers of orders of a batch that were executed, rejected, skipped, opened, cancelled or expired.

    Skipped orders are not due or not free. busy lists, by account, the skipped orders whose account or position another
    transaction has locked. Matched orders that were executed with their accounts' others are counted too.
    """

    executed: int
    rejected: int
    skipped: int
    busy: Mapping[UUID, list[UUID]] = MappingProxyType({})
    opened: int = 0
    cancelled: int = 0
    expired: int = 0


def execute_orders(
    order_ids: Iterable[UUID], *, unsuspected_only: bool = False, alone: bool = False, wait: Await | None = None
) -> Outcome:
    """Execute those of these orders that are due and free, as one batch, with all matched orders of their accounts.

    With unsuspected_only, orders that a sweep has tried before are left to sweeping, which counts the attempts (see
    trading.execution.sweeping). With alone, no other order is executed. With wait, all the orders must belong to its
    account; raises AnotherWaits, or DatabaseUnavailable if the account stays busy.
    """
    wanted = list(dict.fromkeys(order_ids))
    if not wanted:
        return Outcome(0, 0, 0)
    final_orders.discard(wanted)  # the database decides now
    first = _run(wanted, lambda watch: _look(wanted, watch, unsuspected_only, alone, wait))
    rest = [OrderAndStock(order["id"], order["stock_id"]) for order in (*first.resting, *first.modified)]
    parts = (rest[start : start + MAX_BATCH] for start in range(0, len(rest), MAX_BATCH))
    return _outcome(wanted, [first, *(_look_again(part, wait) for part in parts)])


def _look_again(orders: list[OrderAndStock], wait: Await | None) -> Batch:
    return _run([order.order_id for order in orders], lambda watch: look_again(orders, watch, wait))


def _run(order_ids: list[UUID], transaction: Callable[[Stopwatch], Batch]) -> Batch:
    """Run the transaction of a batch, and publish, count and log its results after the commit."""
    watch = Stopwatch()
    with tracing.batch(order_ids) as ends:
        batch = transaction(watch)
        watch.lap("commit")
        ends |= {end.order["id"]: "fill" for end in batch.executions}
        ends |= {end.order["id"]: "reject" for end in batch.rejections}
    final_orders.add(order["id"] for order in batch.final)
    publishing.nudge({order["account_id"] for order in batch.handled})
    metrics.count_batch(batch.executions, batch.rejections, watch.steps)
    metrics.count_expired(end.order["validity"] for end in batch.ends if end.status == OrderStatus.EXPIRED)
    _log(batch, watch)
    return batch


def _outcome(wanted: list[UUID], batches: list[Batch]) -> Outcome:
    busy: dict[UUID, list[UUID]] = {}
    for batch in batches:
        for account_id, left in batch.busy.items():
            busy.setdefault(account_id, []).extend(left)
    ends = [end.status for batch in batches for end in batch.ends]
    handled = {order["id"] for batch in batches for order in batch.handled}
    return Outcome(
        executed=sum(len(batch.executions) for batch in batches),
        rejected=sum(len(batch.rejections) for batch in batches),
        skipped=len(set(wanted) - handled),
        busy=busy,
        opened=sum(len(batch.openings) for batch in batches),
        cancelled=ends.count(OrderStatus.CANCELLED),
        expired=ends.count(OrderStatus.EXPIRED),
    )


def is_known_final(order_id: UUID) -> bool:
    """Return True if this process has ended the order, so that its later messages need no database.

    Only the handling of a message may use this. An order that the database reports as live is executed in any
    case: a failover or a restored backup may have undone its execution.
    """
    return order_id in final_orders


@transactional
def _look(order_ids: list[UUID], watch: Stopwatch, unsuspected_only: bool, alone: bool, wait: Await | None) -> Batch:
    """Fill matched orders and those that fill at their first look; tell triggers; write nothing on orders that rest."""
    watch.mark()
    wait_for(wait)
    found = claim(order_ids, unsuspected_only=unsuspected_only, alone=alone)
    prices = last_prices(found.orders)
    looks = judge(order for order in found.orders if order["status"] == OrderStatus.PENDING)
    batch = Batch(found.orders, found.ledgers, found.positions, prices, found.busy, found.modified, looks)
    watch.lap("claim")
    for order in batch.orders:
        if order["id"] in looks and not looks[order["id"]].verdict.fills:
            batch.resting.append(order)
        elif order["status"] == OrderStatus.OPEN and order["matched_at"] is None:
            batch.told.append(order)
        else:
            fill_one(batch, order)
    watch.lap("fill")
    write_batch(batch)
    watch.lap("write")
    return batch


def _log(batch: Batch, watch: Stopwatch) -> None:
    """Log one line per order; its timings (ms) are those of the batch."""
    facts: dict[str, Any] = {"batch": len(batch.orders), "took_ms": sum(watch.steps.values()), "steps": watch.steps}
    for end in batch.executions:
        rule = _rule(batch, end.order)
        log_order(logger, "order_executed", end.order, price=str(end.price), rule=rule, **facts)
    for order, reason in batch.rejections:
        log_order(logger, "order_rejected", order, reason=reason, **facts)
    for order, verdict, _ in batch.openings:
        log_order(logger, "order_opened", order, waiting_for=verdict.waiting_for, **facts)
    for order, status, end_reason in batch.ends:
        log_order(logger, "order_ended", order, status=status, reason=end_reason, **facts)


def _rule(batch: Batch, order: OrderRow) -> str | None:
    """Return the rule that filled an order against quotes, None if it filled at its own price."""
    if order["fill"] is not None:
        return str(order["fill"].get("rule"))
    judged = batch.looks.get(order["id"])
    return None if judged is None else judged.verdict.rule
