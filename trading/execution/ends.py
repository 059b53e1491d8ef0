"""The end of live orders without a fill: the buckets first, then the orders, then the accounts."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from models.database import array_of, fetch_all, transactional
from models.rows import OrderRow
from trading.accounts.ledgers import lock_free_ledgers, save_ledgers
from trading.events import publishing
from trading.execution.marks import End, write_ends, write_marks
from trading.execution.second_look import OrderAndStock
from trading.matching import buckets
from trading.orders.cancellation import give_back

# "IS TRUE" leaves the planner only the primary key.
LOCK = """
SELECT * FROM trading_order WHERE id = ANY(%s::uuid[]) AND ({condition}) IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""


def end_free_orders(wanted: Sequence[OrderAndStock], condition: str, status: str, reason: str | None) -> list[OrderRow]:
    """End those of these orders that the condition holds for and that are free with their accounts; return them.

    The condition is judged under the buckets of the stocks: what a quote has matched before is seen.
    """
    if not wanted:
        return []
    order_ids, stock_ids = zip(*wanted, strict=True)
    ended = _end(order_ids, stock_ids, condition, status, reason)
    publishing.nudge({order["account_id"] for order in ended})
    return ended


@transactional
def _end(
    order_ids: Sequence[UUID], stock_ids: Iterable[UUID], condition: str, status: str, reason: str | None
) -> list[OrderRow]:
    buckets.lock_shared(stock_ids)
    orders = fetch_all(LOCK.format(condition=condition), (array_of(order_ids),), OrderRow)
    ledgers = lock_free_ledgers(order["account_id"] for order in orders)
    orders = [order for order in orders if order["account_id"] in ledgers]
    for order in orders:
        give_back(ledgers[order["account_id"]], order)
    write_marks(orders, {}, set())
    save_ledgers(ledgers.values())
    write_ends(End(order, status, reason) for order in orders)
    return orders
