"""The types of rows: each row is a dict as the database returns it, with the columns of its table.

tests/models/test_tables.py compares them with the tables. Money is in rupees, times are aware.
"""

from datetime import date, datetime
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
    fill_model: str
    last_entry_id: int
    numbered_after: int


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

    `claimed_at` is there only if the order was claimed for an execution: the time of the claim by the database's clock.
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
    fill_model: str
    limit_fills: str
    validity: str
    validity_minutes: int | None
    trigger_price: Decimal | None
    market_protection: Decimal | None
    protection_price: Decimal | None
    after_market: bool
    tag: str | None
    expires_at: datetime | None
    end_reason: str | None
    waiting_for: str | None
    opened_number: int | None
    watch_price: Decimal | None
    watch_trigger: Decimal | None
    triggered_at: datetime | None
    trigger_is_told: bool
    match_sequence: int | None
    match_class: int | None
    match_price: Decimal | None
    matched_at: datetime | None
    fill: dict[str, Any] | None
    due_at: datetime | None
    origin: str
    order_number: int | None
    modifications: int
    modified_at: datetime | None
    claimed_at: NotRequired[datetime]
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
    bucket_day: date | None
    today_quantity: int
    t1_quantity: int
    t1_settles_on: date | None
    later_quantity: int
    later_settles_on: date | None
    settled_quantity: int
    figures_day: date | None
    day_buy_quantity: int
    day_buy_value: Decimal
    day_sell_quantity: int
    day_sell_value: Decimal


class PositionChangeRow(TypedDict):
    """A row of `position_change`: from_position loses the signed quantity and its cost, to_position gets them."""

    id: int
    account_id: UUID
    from_position: UUID
    to_position: UUID | None
    quantity: int
    cost: Decimal
    kind: str
    changed_at: datetime


class StockRow(TypedDict):
    """A row of `stock`; `volume`, that of the quote's day, is there only if the stock was read for a client."""

    id: UUID
    exchange: str
    symbol: str
    name: str | None
    last_price: Decimal | None
    last_price_at: datetime | None
    is_active: bool
    created_at: datetime
    quote_number: int
    usable_number: int
    is_usable: bool
    bid_price: Decimal | None
    ask_price: Decimal | None
    bid_quantity: int | None
    ask_quantity: int | None
    quoted_at: datetime | None
    newest_trade_at: datetime | None
    largest_volume: int | None
    volume_day: date | None
    open_price: Decimal | None
    high_price: Decimal | None
    low_price: Decimal | None
    previous_close: Decimal | None
    close_price: Decimal | None
    close_day: date | None
    lower_circuit: Decimal | None
    upper_circuit: Decimal | None
    circuit_day: date | None
    is_halted: bool
    tick_size: Decimal | None
    lot_size: int | None
    allows_intraday: bool
    session_class: str
    instrument_token: int
    isin: str | None
    series: str | None
    volume: NotRequired[int | None]


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
