"""The second look: orders that did not fill at their first look open here, under the buckets of their stocks.

Without the bucket a quote that crosses the order could commit between the look and the opening: it would not see the
order, and the order would wait for ever. Orders that were modified while they rested are judged here only.
"""

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from models.database import transactional
from models.rows import OrderRow
from runtime.timing import Stopwatch
from trading.execution.awaiting import Await, wait_for
from trading.execution.batch import Batch, write_batch
from trading.execution.claiming import SECOND, claim
from trading.execution.filling import fill_one
from trading.execution.looks import judge
from trading.execution.marks import End, Opening
from trading.matching import buckets
from trading.orders.cancellation import give_back
from trading.rules.terms import EndReason, OrderStatus

# Quotes of the batch's stocks wait for it.
MAX_BATCH = 50


class OrderAndStock(NamedTuple):
    """The ids of an order and of its stock."""

    order_id: UUID
    stock_id: UUID


@transactional
def look_again(orders: Sequence[OrderAndStock], watch: Stopwatch, wait: Await | None) -> Batch:
    """Judge orders again; fill them, let them rest, or end them. Raises AnotherWaits."""
    watch.mark()
    wait_for(wait)
    buckets.lock_shared(order.stock_id for order in orders)
    found = claim([order.order_id for order in orders], SECOND, unsuspected_only=False)
    batch = Batch(found.orders, found.ledgers, found.positions, {}, found.busy, looks=judge(found.orders))
    watch.lap("claim")
    for order in batch.orders:
        _decide(batch, order)
    watch.lap("fill")
    write_batch(batch)
    watch.lap("write")
    return batch


def _decide(batch: Batch, order: OrderRow) -> None:
    judged = batch.looks[order["id"]]
    if judged.is_expired:
        _end(batch, order, OrderStatus.EXPIRED, None)
    elif not judged.is_active:
        _end(batch, order, OrderStatus.CANCELLED, EndReason.STOCK_INACTIVE)
    elif judged.verdict.end_reason is not None:
        _end(batch, order, OrderStatus.CANCELLED, judged.verdict.end_reason)
    elif judged.verdict.fills:
        fill_one(batch, order)
    else:
        batch.openings.append(Opening(order, judged.verdict, judged.ends_at))


def _end(batch: Batch, order: OrderRow, status: OrderStatus, end_reason: EndReason | None) -> None:
    give_back(batch.ledgers[order["account_id"]], order)
    batch.ends.append(End(order, status, end_reason))
