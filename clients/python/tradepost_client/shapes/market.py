"""Stocks and their quotes, and the market's clock."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tradepost_client.terms import Exchange


@dataclass(frozen=True, kw_only=True)
class LiveQuote:
    """The newest quote of a watched stock; unknown values are None."""

    exchange: Exchange
    symbol: str
    last_price: Decimal | None
    last_price_at: datetime | None
    bid_price: Decimal | None
    ask_price: Decimal | None
    bid_quantity: int | None
    ask_quantity: int | None
    quoted_at: datetime | None
    quote_number: int
    volume: int | None
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    previous_close: Decimal | None
    halted: bool

    @property
    def key(self) -> str:
        """The stock as `NSE:RELIANCE`."""
        return f"{self.exchange}:{self.symbol}"


@dataclass(frozen=True, kw_only=True)
class Stock(LiveQuote):
    """A stock with its quote."""

    stock_id: str
    instrument_token: int | None = None
    isin: str | None = None
    series: str | None = None
    name: str | None
    close_price: Decimal | None
    lower_circuit: Decimal | None
    upper_circuit: Decimal | None
    tick_size: Decimal | None
    lot_size: int | None
    intraday_allowed: bool
    session_class: str


@dataclass(frozen=True, kw_only=True)
class RefusedQuote:
    """A quote that was not stored, or that matches no order, and why."""

    exchange: Exchange
    symbol: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class Reception:
    """The number of quotes that were stored, and of orders that they matched."""

    accepted: int
    matched: int
    not_matched: tuple[RefusedQuote, ...]


@dataclass(frozen=True, kw_only=True)
class ClassSession:
    """The open session of a class of stocks, or its next one."""

    session_class: str
    open: bool
    opens_at: datetime | None
    closes_at: datetime | None
    square_off_at: datetime | None
    next_opens_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class MarketClock:
    """The time of the market, and the session of each class of stocks."""

    at: datetime
    calendar: str | None
    sessions: tuple[ClassSession, ...]


@dataclass(frozen=True, kw_only=True)
class DaySession:
    """A session of a class of stocks."""

    day: date
    session_class: str
    opens_at: datetime
    closes_at: datetime
    square_off_at: datetime | None
    kind: str


@dataclass(frozen=True, kw_only=True)
class Holiday:
    """A day without trading, or without settlement."""

    day: date
    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class MarketCalendar:
    """The sessions and holidays of a market from a first to a last day."""

    calendar: str | None
    from_: date
    to: date
    sessions: tuple[DaySession, ...]
    holidays: tuple[Holiday, ...]
