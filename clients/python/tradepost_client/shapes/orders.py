"""Orders, their placements and previews, their history and their trades."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from tradepost_client.failures import Problem
from tradepost_client.terms import (
    EndReason,
    Exchange,
    FillModel,
    FillRule,
    OrderStatus,
    OrderType,
    Origin,
    Product,
    Side,
    Validity,
    WaitingFor,
)

from .accounts import Transaction


@dataclass(frozen=True, kw_only=True)
class Fill:
    """The quote that filled an order, and the rule that made the price."""

    quote_number: int
    bid: Decimal | None
    ask: Decimal | None
    last: Decimal | None
    quoted_at: datetime | None
    rule: FillRule


@dataclass(frozen=True, kw_only=True)
class ChargeItems:
    """The parts of an order's charges."""

    brokerage: Decimal
    transaction_tax: Decimal
    exchange_charge: Decimal
    regulatory_fee: Decimal
    stamp_duty: Decimal
    gst: Decimal
    square_off_fee: Decimal | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order."""

    order_id: str
    order_number: str | None = None
    trading_account_id: str
    client_order_id: str | None
    exchange: Exchange
    symbol: str
    stock_id: str
    side: Side
    product: Product
    order_type: OrderType
    quantity: int
    price: Decimal | None
    trigger_price: Decimal | None
    validity: Validity
    validity_minutes: int | None
    market_protection: Decimal | None
    protection_price: Decimal | None
    after_market: bool
    tag: str | None
    fill_model: FillModel
    origin: Origin
    status: OrderStatus
    waiting_for: WaitingFor | None
    filled_quantity: int
    average_price: Decimal | None
    position_id: str | None
    blocked_margin: Decimal
    charges: Decimal
    rejection_reason: str | None
    end_reason: EndReason | None
    placed_at: datetime
    triggered_at: datetime | None
    matched_at: datetime | None
    expires_at: datetime | None
    executed_at: datetime | None
    updated_at: datetime
    fill: Fill | None

    @property
    def is_final(self) -> bool:
        """True if the order never changes again."""
        return self.status not in ("PENDING", "OPEN")


@dataclass(frozen=True, kw_only=True)
class OrderDetail(Order):
    """An order with the parts of its charges, its entries of the fund ledger, and the ETag of this version."""

    charge_items: ChargeItems
    transactions: tuple[Transaction, ...] = ()
    etag: str | None = None


@dataclass(frozen=True, kw_only=True)
class Placement:
    """An accepted order; `execution_scheduled` is False if it is final already."""

    order_id: str
    execution_scheduled: bool
    order: Order


@dataclass(frozen=True, kw_only=True)
class NotCancelled:
    """An order that was not cancelled, and the exception with which it would have been refused alone."""

    order_id: str
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class Cancellations:
    """The orders that were cancelled and those that were not; `has_more` says that more were selected."""

    cancelled: tuple[Order, ...]
    refused: tuple[NotCancelled, ...]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class Closed(Placement):
    """The order that closes a position; `status` is that of its placement alone, 202 or 200."""

    position_id: str
    status: int


@dataclass(frozen=True, kw_only=True)
class NotClosed:
    """A position for which no order was placed, and the exception with which it would have been refused alone."""

    position_id: str
    problem: Problem


@dataclass(frozen=True, kw_only=True)
class Closings:
    """The orders that close positions, and the positions without one; `has_more` says that more were selected."""

    placed: tuple[Closed, ...]
    refused: tuple[NotClosed, ...]
    has_more: bool


@dataclass(frozen=True, kw_only=True)
class Preview:
    """The margin and the charges that an order would need, and the code with which it would be refused."""

    price: Decimal
    margin: Decimal
    charges: Decimal
    charge_items: ChargeItems
    closing_quantity: int
    opening_quantity: int
    available_margin: Decimal
    available_margin_after: Decimal
    would_fill: bool
    fill_price: Decimal | None
    would_wait_for: WaitingFor | None
    refusal: str | None


@dataclass(frozen=True, kw_only=True)
class BasketResult:
    """The result of one order of a basket: the order if it was accepted, else the exception of its refusal."""

    status: int
    order_id: str | None = None
    execution_scheduled: bool | None = None
    order: Order | None = None
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True)
class OrderMoment:
    """One change of an order; `changes` has the changed members as the API spells them."""

    event_id: int | None
    type: str
    at: datetime
    status: OrderStatus
    changes: Mapping[str, Any] | None
    transactions: tuple[Transaction, ...]


@dataclass(frozen=True, kw_only=True)
class Trade:
    """The fill of an order."""

    trade_id: str
    order_id: str
    trading_account_id: str
    client_order_id: str | None
    position_id: str
    exchange: Exchange
    symbol: str
    stock_id: str
    side: Side
    product: Product
    quantity: int
    price: Decimal
    charges: Decimal
    rule: FillRule | None
    origin: Origin
    tag: str | None
    traded_at: datetime
