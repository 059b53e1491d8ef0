"""The trades of an account: an order fills whole, so that each executed order is one trade."""

from datetime import datetime
from decimal import Decimal
from typing import TypedDict
from uuid import UUID

from models.database import fetch_all
from trading.rules.errors import NotFound
from trading.rules.terms import OrderStatus

# The start of a list of trades; the caller adds its conditions, `status = 'EXECUTED'` among them.
TRADES = """
SELECT id, id AS order_id, account_id, client_order_id, position_id, exchange, symbol, stock_id, side, product,
    filled_quantity AS quantity, average_price AS price, charges, fill->>'rule' AS rule, origin, tag,
    status, executed_at, executed_at AS traded_at
FROM trading_order
"""


class Trade(TypedDict):
    """A trade of an order, with the order's status; `rule` is None for the fill model IMMEDIATE, charges in rupees."""

    id: UUID
    order_id: UUID
    account_id: UUID
    client_order_id: str | None
    position_id: UUID
    exchange: str
    symbol: str
    stock_id: UUID
    side: str
    product: str
    quantity: int
    price: Decimal
    charges: Decimal
    rule: str | None
    origin: str
    tag: str | None
    status: str
    executed_at: datetime
    traded_at: datetime


def trades_of_order(account_id: UUID, order_id: UUID) -> list[Trade]:
    """Return the trades of an account's order; needs an open session. Raises NotFound."""
    orders = fetch_all(f"{TRADES} WHERE id = %s AND (account_id = %s) IS TRUE", (order_id, account_id), Trade)
    if not orders:
        raise NotFound
    return [order for order in orders if order["status"] == OrderStatus.EXECUTED]
