"""End live orders of clients for a reason of the trading day: the buckets first, then the orders, then the accounts."""

from collections.abc import Sequence

from models.database import array_of, fetch_all, transactional
from models.rows import OrderRow
from runtime.logs import get_logger
from trading.accounts.ledgers import lock_free_ledgers, save_ledgers
from trading.events import publishing
from trading.execution.marks import End, write_ends, write_marks
from trading.execution.second_look import OrderAndStock
from trading.matching import buckets
from trading.orders.cancellation import give_back
from trading.rules.terms import OrderStatus

# "IS TRUE" leaves the planner only the primary key.
LOCK = """
SELECT * FROM trading_order
WHERE id = ANY(%s::uuid[]) AND (status IN ('PENDING', 'OPEN') AND matched_at IS NULL) IS TRUE
ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
"""

logger = get_logger(__name__)


def end_orders_for(reason: str, wanted: Sequence[OrderAndStock]) -> int:
    """Cancel those of these orders that are live, unmatched and free with their accounts; return their number.

    A quote that came before has matched what it crossed, because it holds the buckets of its stocks until its commit.
    """
    if not wanted:
        return 0
    ended = _end(reason, wanted)
    publishing.nudge({order["account_id"] for order in ended})
    for order in ended:
        names = {"order_id": str(order["id"]), "account_id": str(order["account_id"])}
        logger.info("order_ended", **names, status=str(OrderStatus.CANCELLED), reason=reason)
    return len(ended)


@transactional
def _end(reason: str, wanted: Sequence[OrderAndStock]) -> list[OrderRow]:
    buckets.lock_shared(order.stock_id for order in wanted)
    orders = fetch_all(LOCK, (array_of(order.order_id for order in wanted),), OrderRow)
    ledgers = lock_free_ledgers(order["account_id"] for order in orders)
    orders = [order for order in orders if order["account_id"] in ledgers]
    for order in orders:
        give_back(ledgers[order["account_id"]], order)
    write_marks(orders, {}, set())
    save_ledgers(ledgers.values())
    write_ends(End(order, OrderStatus.CANCELLED, reason) for order in orders)
    return orders
