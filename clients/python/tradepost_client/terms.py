"""The words that the API takes and gives, as types.

The words of responses are not checked, so that a newer service may use new ones.
"""

from datetime import datetime
from decimal import Decimal
from typing import Literal, NotRequired, Required, TypedDict

Exchange = Literal["NSE", "BSE"]
Side = Literal["BUY", "SELL"]
Product = Literal["INTRADAY", "DELIVERY"]
OrderType = Literal["MARKET", "LIMIT", "STOP_LIMIT", "STOP_MARKET"]
Validity = Literal["DAY", "IOC", "TTL", "GTC"]
OrderStatus = Literal["PENDING", "OPEN", "EXECUTED", "CANCELLED", "REJECTED", "EXPIRED"]
LiveStatus = Literal["PENDING", "OPEN"]
WaitingFor = Literal["price", "trigger", "quote", "session"]
EndReason = Literal["client", "ioc", "square_off", "oco", "reset", "stock_inactive"]
Origin = Literal["CLIENT", "SQUARE_OFF"]
FillModel = Literal["IMMEDIATE", "QUOTES"]
FillRule = Literal["first_look", "book", "trade_through", "touch", "market", "stop", "close_price"]
AccountStatus = Literal["ACTIVE", "SUSPENDED"]
Scope = Literal["trade", "read", "feed", "admin"]
AccountScope = Literal["trade", "read"]
FundsKind = Literal["DEPOSIT", "WITHDRAWAL"]
Interval = Literal["1m", "1h", "1d"]
TransactionKind = Literal[
    "DEPOSIT",
    "WITHDRAWAL",
    "CHARGES",
    "CHARGES_REFUND",
    "PROFIT",
    "LOSS",
    "MARGIN_BLOCK",
    "MARGIN_RELEASE",
    "ADJUST_CREDIT",
    "ADJUST_DEBIT",
]

Amount = Decimal | str | int
"""An amount of money or a price, in rupees. A float is refused, because it is not exact."""


class OrderTerms(TypedDict):
    """The terms of an order, with which it is placed and previewed."""

    exchange: Exchange
    symbol: str
    side: Side
    quantity: int
    order_type: NotRequired[OrderType]
    price: NotRequired[Amount | None]
    product: NotRequired[Product]
    client_order_id: NotRequired[str | None]
    trigger_price: NotRequired[Amount | None]
    validity: NotRequired[Validity]
    validity_minutes: NotRequired[int | None]
    market_protection: NotRequired[Amount | None]
    after_market: NotRequired[bool]
    tag: NotRequired[str | None]


class OrderChange(TypedDict, total=False):
    """The new terms of an order that is not final; what is left out stays."""

    quantity: int
    price: Amount
    trigger_price: Amount
    order_type: OrderType


class OrderFilter(TypedDict, total=False):
    """The orders that a list or a cancellation is about; several filters hold together."""

    exchange: Exchange | None
    symbol: str | None
    side: Side | None
    product: Product | None
    tag: str | None
    client_order_id: str | None
    from_: datetime | None
    to: datetime | None
    updated_from: datetime | None


class PositionFilter(TypedDict, total=False):
    """The positions that a list or a closing is about; several filters hold together."""

    exchange: Exchange | None
    symbol: str | None
    product: Product | None


class GivenQuote(TypedDict, total=False):
    """A quote to send: its last price, or both sides of the book, or all of them."""

    exchange: Required[Exchange]
    symbol: Required[str]
    last_price: Amount | None
    last_traded_at: datetime | None
    volume: int | None
    bid_price: Amount | None
    ask_price: Amount | None
    bid_quantity: int | None
    ask_quantity: int | None
    quoted_at: datetime | None
    open: Amount | None
    high: Amount | None
    low: Amount | None
    previous_close: Amount | None
    close_price: Amount | None
    lower_circuit: Amount | None
    upper_circuit: Amount | None
    halted: bool | None
