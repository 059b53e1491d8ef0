"""A typed client of Tradepost: `Client` for threads, `AsyncClient` for asyncio."""

import logging

from . import problems
from .async_client import AsyncClient
from .async_stream import AsyncStream
from .client import Client
from .failures import (
    NoAnswer,
    NotFinal,
    NoToken,
    Problem,
    StreamClosed,
    StreamRefused,
    TradepostError,
    UnexpectedAnswer,
)
from .shapes.accounts import (
    Account,
    Conversion,
    EquityPoint,
    Holding,
    ListedAccount,
    NewToken,
    Position,
    Token,
    Transaction,
)
from .shapes.market import (
    ClassSession,
    DaySession,
    Holiday,
    LiveQuote,
    MarketCalendar,
    MarketClock,
    Reception,
    RefusedQuote,
    Stock,
)
from .shapes.messages import AccountEvent, Event, EventPage, Message, OrderEvent, PositionEvent, Reset, Watching
from .shapes.orders import (
    BasketResult,
    Cancellations,
    ChargeItems,
    Closed,
    Closings,
    Fill,
    NotCancelled,
    NotClosed,
    Order,
    OrderDetail,
    OrderMoment,
    Placement,
    Preview,
    Trade,
)
from .stream import Stream
from .terms import GivenQuote, OrderTerms

# A program that sets up no logging is not told of retries.
logging.getLogger("tradepost_client").addHandler(logging.NullHandler())

__all__ = [
    "Account",
    "AccountEvent",
    "AsyncClient",
    "AsyncStream",
    "BasketResult",
    "Cancellations",
    "ChargeItems",
    "ClassSession",
    "Client",
    "Closed",
    "Closings",
    "Conversion",
    "DaySession",
    "EquityPoint",
    "Event",
    "EventPage",
    "Fill",
    "GivenQuote",
    "Holding",
    "Holiday",
    "ListedAccount",
    "LiveQuote",
    "MarketCalendar",
    "MarketClock",
    "Message",
    "NewToken",
    "NoAnswer",
    "NoToken",
    "NotCancelled",
    "NotClosed",
    "NotFinal",
    "Order",
    "OrderDetail",
    "OrderEvent",
    "OrderMoment",
    "OrderTerms",
    "Placement",
    "Position",
    "PositionEvent",
    "Preview",
    "Problem",
    "Reception",
    "RefusedQuote",
    "Reset",
    "Stock",
    "Stream",
    "StreamClosed",
    "StreamRefused",
    "Token",
    "Trade",
    "TradepostError",
    "Transaction",
    "UnexpectedAnswer",
    "Watching",
    "problems",
]
