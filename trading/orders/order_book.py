"""The order book of a day: the orders of an account that are live, or that changed or were filled today in India."""

from typing import NamedTuple
from uuid import UUID

from models.database import fetch_all, fetch_one, session, snapshot
from models.rows import EventRow, OrderRow
from trading.events.reading import events_of_order
from trading.rules.errors import NotFound

# Kite Connect lets a user place this many orders on a day. Of more, the newest are listed.
MAX_ORDERS = 5_000
MAX_EVENTS = 1_000
# A statement of its own, because with a time that the planner does not know it may read all orders of the account.
TODAY = """
SELECT date_trunc('day', market_now() AT TIME ZONE 'Asia/Kolkata') AT TIME ZONE 'Asia/Kolkata' AS begins
"""
NUMBERED = "SELECT * FROM trading_order WHERE account_id = %(account_id)s AND order_number IS NOT NULL"
# Each part has an index: order_list, order_changed_late, order_live. No order is in two of them.
BOOK = f"""
SELECT book.*, stock.instrument_token FROM (
    {NUMBERED} AND updated_at >= %(begins)s AND placed_at >= %(begins)s - interval '1 day'
    UNION ALL
    {NUMBERED} AND updated_at >= %(begins)s AND updated_at - placed_at > interval '1 day'
        AND placed_at < %(begins)s - interval '1 day'
    UNION ALL
    {NUMBERED} AND status IN ('PENDING', 'OPEN') AND updated_at < %(begins)s
) AS book JOIN stock ON stock.id = book.stock_id
ORDER BY book.placed_at DESC, book.id DESC LIMIT {MAX_ORDERS}
"""
TRADES = f"""
SELECT book.*, stock.instrument_token FROM (
    {NUMBERED} AND status = 'EXECUTED' AND executed_at >= %(begins)s
    ORDER BY executed_at DESC, id DESC LIMIT {MAX_ORDERS}
) AS book JOIN stock ON stock.id = book.stock_id
ORDER BY book.executed_at DESC, book.id DESC
"""
ORDER = f"""
SELECT book.*, stock.instrument_token FROM trading_order AS book JOIN stock ON stock.id = book.stock_id
WHERE order_number = %(order_number)s AND (account_id = %(account_id)s) IS TRUE
    AND (book.status IN ('PENDING', 'OPEN') OR book.updated_at >= ({TODAY}))
"""


class BookedOrder(OrderRow):
    """A row of `trading_order` with the instrument token of its stock."""

    instrument_token: int


class BookedHistory(NamedTuple):
    """An order of the book and its events, oldest first, all of one moment."""

    order: BookedOrder
    events: list[EventRow]


def orders_of_today(account_id: UUID) -> list[BookedOrder]:
    """Return the orders of an account's book, oldest first."""
    return _of_today(BOOK, account_id)


def fills_of_today(account_id: UUID) -> list[BookedOrder]:
    """Return the orders of an account that were filled today, in the order of their fills."""
    return _of_today(TRADES, account_id)


def find_in_book(account_id: UUID, order_number: int) -> BookedOrder:
    """Return the order of an account's book that has this number; raises NotFound."""
    with session():
        order = fetch_one(ORDER, {"account_id": account_id, "order_number": order_number}, BookedOrder)
    if order is None:
        raise NotFound
    return order


def history_in_book(account_id: UUID, order_number: int) -> BookedHistory:
    """Return the order of an account's book that has this number, with its events; raises NotFound."""
    with snapshot():
        order = find_in_book(account_id, order_number)
        return BookedHistory(order, events_of_order(account_id, order["id"], MAX_EVENTS))


def _of_today(sql: str, account_id: UUID) -> list[BookedOrder]:
    """Return the rows of a query that begins with the newest, oldest first."""
    with session():
        today = fetch_one(TODAY)
        assert today is not None
        return fetch_all(sql, {"account_id": account_id, **today}, BookedOrder)[::-1]
