"""The release of after-market orders: when their session opens, workers are due for them.

The orders of an account are released in the order of their placement. An order that another transaction has locked
is left to the next run, and so are the later ones of its account.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from models.database import array_of, execute, fetch_all, fetch_one, transactional
from runtime.logs import get_logger
from runtime.order_log import log_order_at_commit
from trading.market import calendars
from trading.rules.terms import SessionClass

MAX_BATCH = 500

# The index order_waiting_for_session has these orders alone.
WAITS = "status = 'PENDING' AND waiting_for = 'session'"
# With statistics from an evening on which many orders wait, the planner would otherwise read the whole table.
BY_INDEX = "SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off;"
WAITING = f"{BY_INDEX} SELECT market_now() AS now, EXISTS (SELECT FROM trading_order WHERE {WAITS}) AS are_any"
# An order whose time is over is left to expiry.
FOUND = f"""
SELECT trading_order.id, account_id, placed_at, trading_order.exchange, trading_order.symbol, side, quantity, product,
    order_type, price, trigger_price
FROM trading_order JOIN stock ON stock.id = stock_id
WHERE {WAITS} AND session_class = ANY(%(classes)s::text[])
  AND (expires_at IS NULL OR expires_at > (SELECT market_now()))
"""
LOCK = f"""
{BY_INDEX} {FOUND} ORDER BY placed_at, trading_order.id LIMIT %(limit)s FOR NO KEY UPDATE OF trading_order SKIP LOCKED
"""
BUSY = f"""
SELECT DISTINCT ON (account_id) waiting.* FROM ({FOUND}) AS waiting
WHERE account_id = ANY(%(accounts)s::uuid[]) AND id <> ALL(%(locked)s::uuid[])
ORDER BY account_id, placed_at, id
"""
# One time for all: they are taken in the order of their placement.
RELEASE = """
UPDATE trading_order SET waiting_for = NULL, due_at = now.now FROM (SELECT statement_now() AS now) AS now
WHERE id = ANY(%s::uuid[])
"""

logger = get_logger(__name__)


class WaitingOrder(TypedDict):
    """An order that waits for its session."""

    id: UUID
    account_id: UUID
    placed_at: datetime
    exchange: str
    symbol: str
    side: str
    quantity: int
    product: str
    order_type: str
    price: Decimal | None
    trigger_price: Decimal | None


def run_once(limit: int, *, calendar: str | None) -> int:
    """Release up to limit orders whose sessions are open, in batches that commit singly; return their number.

    Raises DatabaseUnavailable.
    """
    released, classes = 0, _open_classes(calendar)
    while classes and (room := min(limit - released, MAX_BATCH)) > 0:
        count = _release(room, classes)
        released += count
        if count < room:
            break
    if released:
        logger.info("orders_released", orders=released)
    return released


def _open_classes(calendar: str | None) -> list[str]:
    """Return the classes of stocks whose session is open; none if no order waits."""
    now, are_any = _waiting()
    return [str(name) for name in SessionClass if are_any and calendars.is_open(calendar, now, name)]


@transactional
def _waiting() -> tuple[datetime, bool]:
    """Return the time, and whether any order waits for its session."""
    row = fetch_one(WAITING)
    assert row is not None
    return row["now"], row["are_any"]


@transactional
def _release(limit: int, classes: Sequence[str]) -> int:
    parameters = {"classes": list(classes), "limit": limit}
    orders = _in_turn(fetch_all(LOCK, parameters, WaitingOrder), parameters)
    for order in orders:
        log_order_at_commit(logger, "order_released", order)
    return execute(RELEASE, (array_of(order["id"] for order in orders),)) if orders else 0


def _in_turn(orders: list[WaitingOrder], parameters: dict[str, object]) -> list[WaitingOrder]:
    """Return the locked orders but for those that have an earlier one of their account before them that is busy."""
    if not orders:
        return orders
    accounts, locked = array_of({order["account_id"] for order in orders}), array_of(order["id"] for order in orders)
    busy = fetch_all(BUSY, {**parameters, "accounts": accounts, "locked": locked}, WaitingOrder)
    first = {order["account_id"]: _turn_of(order) for order in busy}
    return [
        order for order in orders if order["account_id"] not in first or _turn_of(order) < first[order["account_id"]]
    ]


def _turn_of(order: WaitingOrder) -> tuple[datetime, UUID]:
    return order["placed_at"], order["id"]
