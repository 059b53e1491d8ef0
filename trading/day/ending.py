"""End live orders of clients for a reason of the trading day: the buckets first, then the orders, then the accounts."""

from collections.abc import Sequence

from runtime.logs import get_logger
from runtime.order_log import log_order
from trading.execution.ends import end_free_orders
from trading.execution.second_look import OrderAndStock
from trading.rules.terms import OrderStatus

IS_LIVE = "status IN ('PENDING', 'OPEN') AND matched_at IS NULL"

logger = get_logger(__name__)


def end_orders_for(reason: str, wanted: Sequence[OrderAndStock]) -> int:
    """Cancel those of these orders that are live, unmatched and free with their accounts; return their number.

    A quote that came before has matched what it crossed, because it holds the buckets of its stocks until its commit.
    """
    ended = end_free_orders(wanted, IS_LIVE, OrderStatus.CANCELLED, reason)
    for order in ended:
        log_order(logger, "order_ended", order, status=str(OrderStatus.CANCELLED), reason=reason)
    return len(ended)
