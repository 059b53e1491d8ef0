"""The terms of trading, each as the database's CHECKs and the API spell it.

A member is a string (StrEnum): it goes into SQL, JSON and comparisons as it is.
"""

from enum import StrEnum


class Exchange(StrEnum):
    """The exchange at which a stock is traded."""

    NSE = "NSE"
    BSE = "BSE"


class Side(StrEnum):
    """The direction of an order."""

    BUY = "BUY"
    SELL = "SELL"


class Product(StrEnum):
    """The kind of an order's position: INTRADAY on margin, DELIVERY paid in full."""

    INTRADAY = "INTRADAY"
    DELIVERY = "DELIVERY"


class OrderType(StrEnum):
    """The way to an order's price: LIMIT has its own, MARKET takes the market's, and a stop waits for its trigger."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP_LIMIT = "STOP_LIMIT"
    STOP_MARKET = "STOP_MARKET"


STOPS = frozenset({OrderType.STOP_LIMIT, OrderType.STOP_MARKET})  # wait for a trigger first
LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})  # have a price of their own


class UnknownSymbols(StrEnum):
    """The answer to an order for a symbol that no import, quote or earlier order has named (UNKNOWN_SYMBOLS)."""

    CREATE = "create"
    REFUSE = "refuse"


class OrderStatus(StrEnum):
    """The status of an order; docs/lifecycle.md draws the changes."""

    PENDING = "PENDING"
    OPEN = "OPEN"
    EXECUTED = "EXECUTED"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"

    @property
    def is_final(self) -> bool:
        """Return True if an order with this status never changes again."""
        return self not in (OrderStatus.PENDING, OrderStatus.OPEN)


class FillModel(StrEnum):
    """The way orders fill: at once at their own price, or against live quotes."""

    IMMEDIATE = "IMMEDIATE"
    QUOTES = "QUOTES"


class LimitFills(StrEnum):
    """The evidence beside a trade through it that fills a resting limit: the book, a touch, or a book through it."""

    BOOK = "book"
    TOUCH = "touch"
    THROUGH = "through"


class Validity(StrEnum):
    """The time for which an order waits: the day, no time, minutes, or until it is cancelled."""

    DAY = "DAY"
    IOC = "IOC"
    TTL = "TTL"
    GTC = "GTC"


class WaitingFor(StrEnum):
    """The thing that a live order waits for."""

    PRICE = "price"
    TRIGGER = "trigger"
    QUOTE = "quote"
    SESSION = "session"


class EndReason(StrEnum):
    """The reason for which an order was cancelled or expired, where its status does not say it."""

    CLIENT = "client"
    IOC = "ioc"
    SQUARE_OFF = "square_off"
    OCO = "oco"
    RESET = "reset"
    STOCK_INACTIVE = "stock_inactive"


class RejectionReason(StrEnum):
    """The reason for which an accepted order was rejected at its execution."""

    NO_PRICE = "no_price"
    INSUFFICIENT_HOLDINGS = "insufficient_holdings"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    EXECUTION_FAILED = "execution_failed"


class OrderOrigin(StrEnum):
    """The one who placed an order: a client, or the square-off at the end of the day."""

    CLIENT = "CLIENT"
    SQUARE_OFF = "SQUARE_OFF"


class FillRule(StrEnum):
    """The rule that filled an order (docs/market.md)."""

    FIRST_LOOK = "first_look"
    BOOK = "book"
    TRADE_THROUGH = "trade_through"
    TOUCH = "touch"
    MARKET = "market"
    STOP = "stop"
    CLOSE_PRICE = "close_price"


class AccountStatus(StrEnum):
    """The status of an account: a SUSPENDED account may not place, close or modify orders."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"


class LedgerKind(StrEnum):
    """The kind of a ledger entry."""

    DEPOSIT = "DEPOSIT"
    WITHDRAWAL = "WITHDRAWAL"
    CHARGES = "CHARGES"
    CHARGES_REFUND = "CHARGES_REFUND"
    PROFIT = "PROFIT"
    LOSS = "LOSS"
    MARGIN_BLOCK = "MARGIN_BLOCK"
    MARGIN_RELEASE = "MARGIN_RELEASE"
    ADJUST_CREDIT = "ADJUST_CREDIT"
    ADJUST_DEBIT = "ADJUST_DEBIT"


class SessionClass(StrEnum):
    """The class of a stock's sessions: AUCTION stocks stop earlier, for the closing auction."""

    NORMAL = "NORMAL"
    AUCTION = "AUCTION"


class SessionKind(StrEnum):
    """The origin of a session: the dated defaults, or an exception."""

    REGULAR = "REGULAR"
    SPECIAL = "SPECIAL"


class HolidayKind(StrEnum):
    """The kind of a holiday: without trading, or with trading and without settlement."""

    TRADING = "TRADING"
    SETTLEMENT = "SETTLEMENT"


class PositionChangeKind(StrEnum):
    """The kind of a change of a position that no order made."""

    CONVERSION = "CONVERSION"
    RESET = "RESET"
