"""Orders for tests of the work after a placement."""

from decimal import Decimal
from typing import Any

from models.database import fetch_one, session
from trading.orders.placement import place_order
from trading.rules.decision import OrderRequest


def place_quietly(account: Any, **changes: Any) -> dict[str, Any]:
    """Place an order in the database and send no message."""
    values = {
        "exchange": "NSE",
        "symbol": "INFY",
        "side": "BUY",
        "quantity": 10,
        "order_type": "LIMIT",
        "price": Decimal("1500.00"),
    }
    return place_order(account.id, OrderRequest(**values | changes), calendar=None).order


def status_of(order: dict[str, Any]) -> str:
    """Return an order's status in the database."""
    with session():
        row = fetch_one("SELECT status FROM trading_order WHERE id = %s", (order["id"],))
    assert row is not None
    return str(row["status"])


def make_older(order: dict[str, Any], milliseconds: int) -> None:
    """Move an order's placement, and the time at which it is due, into the past."""
    with session():
        fetch_one(
            "UPDATE trading_order SET placed_at = placed_at - %(by)s * interval '1 ms',"
            " due_at = due_at - %(by)s * interval '1 ms' WHERE id = %(id)s RETURNING id",
            {"by": milliseconds, "id": order["id"]},
        )
