"""Accounts, their ledger, their tokens, their positions and holdings."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tradepost_client.terms import AccountStatus, Exchange, FillModel, Product, Scope, TransactionKind


@dataclass(frozen=True, kw_only=True)
class Account:
    """A trading account. Its own response has the `scopes` of the token; an event has no `unrealized_pnl`."""

    trading_account_id: str
    name: str
    balance: Decimal
    blocked_margin: Decimal
    available_margin: Decimal
    realized_pnl: Decimal
    status: AccountStatus
    fill_model: FillModel
    unrealized_pnl: Decimal | None = None
    scopes: tuple[Scope, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class EquityPoint:
    """The worth of an account just before a time: `balance` and `unrealized_pnl` together."""

    at: datetime
    balance: Decimal
    unrealized_pnl: Decimal
    equity: Decimal


@dataclass(frozen=True, kw_only=True)
class ListedAccount:
    """An account as the list of all accounts has it."""

    trading_account_id: str
    name: str
    balance: Decimal
    blocked_margin: Decimal
    available_margin: Decimal
    realized_pnl: Decimal
    status: AccountStatus
    fill_model: FillModel
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """An entry of the fund ledger."""

    id: int
    kind: TransactionKind
    amount: Decimal
    balance_after: Decimal
    blocked_after: Decimal
    order_id: str | None
    position_id: str | None
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Position:
    """A position; `quantity` is negative if it is short. An event has nothing that moves with the market."""

    position_id: str
    trading_account_id: str
    stock_id: str
    exchange: Exchange
    symbol: str
    product: Product
    quantity: int
    average_price: Decimal | None
    realized_pnl: Decimal
    blocked_margin: Decimal
    overnight_quantity: int
    day_buy_quantity: int
    day_buy_value: Decimal
    day_sell_quantity: int
    day_sell_value: Decimal
    updated_at: datetime
    unrealized_pnl: Decimal | None = None
    last_price: Decimal | None = None
    day_pnl: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Holding:
    """The part of a DELIVERY position that was bought on earlier days."""

    position_id: str
    trading_account_id: str
    stock_id: str
    exchange: Exchange
    symbol: str
    quantity: int
    settled_quantity: int
    t1_quantity: int
    sold_today: int
    average_price: Decimal | None
    last_price: Decimal | None
    previous_close: Decimal | None
    day_change: Decimal | None
    unrealized_pnl: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """The quantity that has moved from one position to another, its cost, and both positions as they are now."""

    conversion_id: int
    trading_account_id: str
    from_position_id: str
    to_position_id: str
    quantity: int
    cost: Decimal
    converted_at: datetime
    from_: Position
    to: Position


@dataclass(frozen=True, kw_only=True)
class NewToken:
    """A new token; no later response has its secret."""

    token_id: str
    token: str


@dataclass(frozen=True, kw_only=True)
class Token:
    """A token without its secret; `last_used_on` is a day in India."""

    token_id: str
    trading_account_id: str | None
    scopes: tuple[Scope, ...]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_on: date | None
