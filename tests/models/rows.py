"""Rows inserted with plain SQL: valid by default, invalid where a test sets other columns."""

from typing import Any
from uuid import UUID

from models.identifiers import new_id
from tests.support.trading import run


def insert(table: str, **columns: Any) -> None:
    """Insert one row."""
    names = ", ".join(columns)
    run(f"INSERT INTO {table} ({names}) VALUES ({', '.join(['%s'] * len(columns))})", *columns.values())


def insert_order(account_id: UUID, stock_id: UUID, **columns: Any) -> UUID:
    """Insert a PENDING order and return its id."""
    order = {
        "id": new_id(),
        "account_id": account_id,
        "stock_id": stock_id,
        "exchange": "NSE",
        "symbol": "TCS",
        "side": "BUY",
        "product": "INTRADAY",
        "order_type": "LIMIT",
        "quantity": 10,
        "price": 100,
        "closing_quantity": 0,
        "blocked_margin": 200,
        "charges": 1,
        "charge_items": "{}",
    } | columns
    insert("trading_order", **order)
    return order["id"]


def insert_position(account_id: UUID, stock_id: UUID, **columns: Any) -> UUID:
    """Insert a position and return its id."""
    position = {
        "id": new_id(),
        "account_id": account_id,
        "stock_id": stock_id,
        "exchange": "NSE",
        "symbol": "TCS",
        "product": "INTRADAY",
        "quantity": 10,
        "cost": 1000,
        "blocked_margin": 200,
    } | columns
    insert("position", **position)
    return position["id"]


def insert_entry(account_id: UUID, **columns: Any) -> None:
    """Insert a ledger row."""
    entry = {"account_id": account_id, "kind": "DEPOSIT", "amount": 1, "balance_after": 1, "blocked_after": 0}
    insert("fund_transaction", **(entry | columns))
