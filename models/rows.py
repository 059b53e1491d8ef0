"""The types of rows: each row is a dict as the database returns it, with the columns of its table.

tests/models/test_tables.py compares them with the tables. Money is in rupees, times are aware.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, NotRequired, TypedDict
from uuid import UUID


class AccountRow(TypedDict):
    """A row of `account`."""

    id: UUID
    name: str
    status: str
    balance: Decimal
    blocked_margin: Decimal
    available_margin: Decimal
    realized_pnl: Decimal
    last_event_id: int
    created_at: datetime
    updated_at: datetime


class LedgerRow(TypedDict):
    """A row of `fund_transaction`, an entry of the ledger."""

    id: int
    account_id: UUID
    kind: str
    amount: Decimal
    balance_after: Decimal
    blocked_after: Decimal
    order_id: UUID | None
    position_id: UUID | None
    created_at: datetime


class OrderRow(TypedDict):
    """A row of `trading_order`; `transactions` is there only if the order was read with its ledger entries.

    Entries that the database has made into JSON have their ids and times as texts.
    """

    id: UUID
    account_id: UUID
    stock_id: UUID
    exchange: str
    symbol: str
    client_order_id: str | None
    side: str
    product: str
    order_type: str
    quantity: int
    price: Decimal | None
    status: str
    filled_quantity: int
    average_price: Decimal | None
    position_id: UUID | None
    closing_quantity: int
    blocked_margin: Decimal
    charges: Decimal
    charge_items: dict[str, Any]
    rejection_reason: str | None
    attempts: int
    retry_at: datetime | None
    placed_at: datetime
    executed_at: datetime | None
    updated_at: datetime
    version: int
    transactions: NotRequired[list[LedgerRow]]


class PositionRow(TypedDict):
    """A row of `position`; `quantity` is signed, and `cost` is the cost of the open quantity."""

    id: UUID
    account_id: UUID
    stock_id: UUID
    exchange: str
    symbol: str
    product: str
    quantity: int
    cost: Decimal
    blocked_margin: Decimal
    realized_pnl: Decimal
    created_at: datetime
    updated_at: datetime


class StockRow(TypedDict):
    """A row of `stock`."""

    id: UUID
    exchange: str
    symbol: str
    last_price: Decimal | None
    last_price_at: datetime | None
    is_active: bool
    created_at: datetime


class TokenRow(TypedDict):
    """A row of `api_token`."""

    id: UUID
    digest: memoryview
    account_id: UUID | None
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class EventRow(TypedDict):
    """A row of `event`."""

    account_id: UUID
    id: int
    type: str
    at: datetime
    data: dict[str, Any]
