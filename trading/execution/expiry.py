"""Expiry: unmatched orders whose time is over end as EXPIRED, and their margin and charges are given back.

A run takes the buckets of the orders' stocks first and judges the time afterwards: a quote that came before an order's
end has matched it by then. What another transaction has locked is left to the next run.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypedDict
from uuid import UUID

from models.database import fetch_all, transactional
from models.rows import OrderRow
from runtime import metrics
from runtime.logs import get_logger
from runtime.order_log import log_order
from trading.execution.ends import end_free_orders
from trading.execution.second_look import OrderAndStock
from trading.rules.terms import OrderStatus

# Quotes of the batch's stocks wait for it, so that it is short. Batches of 500 were no faster.
MAX_BATCH = 200

IS_OVER = """
status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND expires_at <= (SELECT market_now())
"""
# Without sorting and without reading the table, the planner reads the index of expiry from its start, whatever the
# statistics say.
FIND = f"""
SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off;
SELECT id, account_id, stock_id FROM trading_order WHERE {IS_OVER} AND account_id <> ALL(%(but)s::uuid[])
ORDER BY expires_at LIMIT %(limit)s
"""

logger = get_logger(__name__)


class FoundOrder(TypedDict):
    """An order whose time is over."""

    id: UUID
    account_id: UUID
    stock_id: UUID


class ExpiryCounts(NamedTuple):
    """The numbers of orders that expired, and that were left because they or their accounts were locked."""

    expired: int = 0
    busy: int = 0


def run_once(limit: int) -> ExpiryCounts:
    """End up to limit orders whose time is over, those of the earliest times first, in batches that commit singly.

    Accounts of which something was locked are left to the next run. Raises DatabaseUnavailable.
    """
    counts, left_out = ExpiryCounts(), set[UUID]()
    while (room := min(limit - counts.expired, MAX_BATCH)) > 0:
        found = _find(room, left_out)
        if not found:
            break
        ended = expire([OrderAndStock(order["id"], order["stock_id"]) for order in found])
        ids = {order["id"] for order in ended}
        missed = [order for order in found if order["id"] not in ids]
        counts = ExpiryCounts(counts.expired + len(ended), counts.busy + len(missed))
        left_out |= {order["account_id"] for order in missed}
    return counts


def expire(wanted: Sequence[OrderAndStock]) -> list[OrderRow]:
    """Expire those of these orders whose time is over, unmatched and free with their accounts; return them."""
    ended = end_free_orders(wanted, IS_OVER, OrderStatus.EXPIRED, None)
    metrics.count_expired(order["validity"] for order in ended)
    for order in ended:
        log_order(logger, "order_expired", order, validity=order["validity"])
    return ended


@transactional
def _find(limit: int, but: Collection[UUID]) -> list[FoundOrder]:
    return fetch_all(FIND, {"limit": limit, "but": list(but)}, FoundOrder)
