"""Quotes of stocks: judged against the stored ones, and written set-wise, in the caller's transaction."""

import json
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from models.database import array_of, fetch_all, later
from models.rows import StockRow
from trading.rules.quotes import Quote, QuoteOutcome, brings_new_trade, outcome_of
from trading.rules.sessions import TradingDays, indian_day

MAX_AHEAD = timedelta(seconds=2)  # of a feeder's clock

# The time is read after the lock of the stocks' buckets, once for all rows.
LOCK_STOCKS = """
SELECT stock.*, (SELECT market_now()) AS now FROM stock WHERE id = ANY(%s::uuid[])
ORDER BY exchange, symbol FOR NO KEY UPDATE
"""
# An absent book leaves no old one; all else that is absent stays.
STORE = """
UPDATE stock SET quote_number = new.quote_number, usable_number = new.usable_number, is_usable = new.is_usable,
    last_price = coalesce(new.last_price, stock.last_price),
    last_price_at = coalesce(new.last_price_at, stock.last_price_at),
    bid_price = new.bid_price, ask_price = new.ask_price,
    bid_quantity = new.bid_quantity, ask_quantity = new.ask_quantity, quoted_at = new.quoted_at,
    newest_trade_at = coalesce(new.newest_trade_at, stock.newest_trade_at),
    largest_volume = coalesce(new.largest_volume, stock.largest_volume),
    volume_day = coalesce(new.volume_day, stock.volume_day),
    open_price = coalesce(new.open_price, stock.open_price), high_price = coalesce(new.high_price, stock.high_price),
    low_price = coalesce(new.low_price, stock.low_price),
    previous_close = coalesce(new.previous_close, stock.previous_close),
    close_price = coalesce(new.close_price, stock.close_price), close_day = coalesce(new.close_day, stock.close_day),
    lower_circuit = CASE WHEN new.circuit_day IS NULL THEN stock.lower_circuit ELSE new.lower_circuit END,
    upper_circuit = CASE WHEN new.circuit_day IS NULL THEN stock.upper_circuit ELSE new.upper_circuit END,
    circuit_day = coalesce(new.circuit_day, stock.circuit_day), is_halted = coalesce(new.is_halted, stock.is_halted)
FROM json_to_recordset(%s) AS new (id uuid, quote_number bigint, usable_number bigint, is_usable boolean,
    last_price numeric, last_price_at timestamptz, bid_price numeric, ask_price numeric, bid_quantity bigint,
    ask_quantity bigint, quoted_at timestamptz, newest_trade_at timestamptz, largest_volume bigint, volume_day date,
    open_price numeric, high_price numeric, low_price numeric, previous_close numeric, close_price numeric,
    close_day date, lower_circuit numeric, upper_circuit numeric, circuit_day date, is_halted boolean)
WHERE stock.id = new.id AND stock.id = ANY(%s::uuid[])
"""
PLAIN = ("open_price", "high_price", "low_price", "previous_close", "close_price", "is_halted")
BOOK = ("bid_price", "ask_price", "bid_quantity", "ask_quantity")


class GivenQuote(NamedTuple):
    """A quote as a feeder gives it; a left-out value is None. A quote that is not live matches nothing."""

    exchange: str
    symbol: str
    last_price: Decimal | None = None
    last_traded_at: datetime | None = None
    volume: int | None = None
    bid_price: Decimal | None = None
    ask_price: Decimal | None = None
    bid_quantity: int | None = None
    ask_quantity: int | None = None
    quoted_at: datetime | None = None
    open_price: Decimal | None = None
    high_price: Decimal | None = None
    low_price: Decimal | None = None
    previous_close: Decimal | None = None
    close_price: Decimal | None = None
    lower_circuit: Decimal | None = None
    upper_circuit: Decimal | None = None
    is_halted: bool | None = None
    is_live: bool = True

    @property
    def has_only_last_price(self) -> bool:
        """Return True if the quote gives a last price and nothing else."""
        return self.last_price is not None and self[3:] == NOTHING_ELSE


NOTHING_ELSE = GivenQuote("", "")[3:]


class NotStored(StrEnum):
    """The reason for which a quote changes nothing."""

    STALE = "stale"
    FUTURE = "future"
    NO_LAST_PRICE = "no_last_price"


class Moment(NamedTuple):
    """The time at which a quote is judged, its stock's session then, and the age at which it is too old."""

    now: datetime
    session_is_open: bool = True
    session_opened_at: datetime | None = None
    max_age_s: int = 0

    @classmethod
    def of(cls, now: datetime, days: TradingDays | None, session_class: str, max_age_s: int) -> "Moment":
        """Return the moment of the stocks of a class; without days the market is always open."""
        if days is None:
            return cls(now, max_age_s=max_age_s)
        session = days.at(now, session_class)
        return cls(now, session is not None, None if session is None else session.opens_at, max_age_s)


class Taken(NamedTuple):
    """A quote to store: the columns of the stock that it sets, and the quote as the rules see it."""

    columns: dict[str, Any]
    quote: Quote
    outcome: QuoteOutcome | None


def lock_stocks(stock_ids: Iterable[UUID]) -> tuple[dict[UUID, StockRow], datetime | None]:
    """Lock stocks whose buckets are locked exclusively; return their rows, and the time."""
    rows = fetch_all(LOCK_STOCKS, (array_of(stock_ids),))
    now = rows[0]["now"] if rows else None
    return {row["id"]: row for row in rows}, now  # type: ignore[misc]


def store(taken: Iterable[Taken]) -> None:
    """Write quotes into their stocks, of which each comes once."""
    columns = [one.columns for one in taken]
    if columns:
        later(STORE, (json.dumps(columns, default=str), array_of(row["id"] for row in columns)))


def take(stock: StockRow, given: GivenQuote, at: Moment) -> Taken | NotStored:
    """Return the columns that a quote changes, or the reason for which it changes nothing."""
    quoted_at = given.quoted_at or at.now
    if given.quoted_at is not None and quoted_at > at.now + MAX_AHEAD:
        return NotStored.FUTURE
    if stock["quoted_at"] is not None and quoted_at < stock["quoted_at"]:
        return NotStored.STALE
    last = stock["last_price"] if given.last_price is None else given.last_price
    if last is None:
        return NotStored.NO_LAST_PRICE
    day = indian_day(quoted_at)
    outcome = _outcome(stock, given, quoted_at, last, at)
    is_usable = outcome is None and given.is_live
    columns = _given_columns(given, quoted_at) | _circuits(stock, given, day)
    if is_usable:
        columns |= _newest_trade(stock, given, day)
    if quoted_at == stock["quoted_at"] and _changes_nothing(stock, columns):
        return NotStored.STALE
    number = stock["quote_number"] + 1
    columns |= {"id": stock["id"], "quote_number": number, "quoted_at": quoted_at, "is_usable": is_usable}
    columns["usable_number"] = number if is_usable else stock["usable_number"]
    new_trade = last if is_usable and _is_new_trade(stock, given, day) else None
    return Taken(columns, _quote(stock, columns, last, new_trade, day), outcome)


def _outcome(stock: StockRow, given: GivenQuote, quoted_at: datetime, last: Decimal, at: Moment) -> QuoteOutcome | None:
    return outcome_of(
        bid=given.bid_price,
        ask=given.ask_price,
        last=last,
        low=given.low_price,
        high=given.high_price,
        is_halted=stock["is_halted"] if given.is_halted is None else given.is_halted,
        quoted_at=quoted_at,
        now=at.now,
        max_age_s=at.max_age_s,
        session_is_open=at.session_is_open,
        session_opened_at=at.session_opened_at,
    )


def _given_columns(given: GivenQuote, quoted_at: datetime) -> dict[str, Any]:
    """Return the columns that the quote gives; its book is there even where it has none."""
    columns: dict[str, Any] = {name: getattr(given, name) for name in BOOK}
    if given.last_price is not None:
        columns |= {"last_price": given.last_price, "last_price_at": quoted_at}
    columns |= {name: value for name in PLAIN if (value := getattr(given, name)) is not None}
    if given.close_price is not None:
        columns["close_day"] = indian_day(quoted_at)
    return columns


def _circuits(stock: StockRow, given: GivenQuote, day: date) -> dict[str, Any]:
    """Return the circuits if the quote gives one; that of an earlier day does not hold beside it."""
    if given.lower_circuit is None and given.upper_circuit is None:
        return {}
    holds = stock["circuit_day"] == day
    return {
        "circuit_day": day,
        "lower_circuit": given.lower_circuit or (stock["lower_circuit"] if holds else None),
        "upper_circuit": given.upper_circuit or (stock["upper_circuit"] if holds else None),
    }


def _newest_trade(stock: StockRow, given: GivenQuote, day: date) -> dict[str, Any]:
    """Return the newest trade's time and the day's volume if the quote moves them forward."""
    columns: dict[str, Any] = {}
    newest, largest = stock["newest_trade_at"], stock["largest_volume"]
    if given.last_traded_at is not None and (newest is None or given.last_traded_at > newest):
        columns["newest_trade_at"] = given.last_traded_at
    is_later_day = stock["volume_day"] is None or day > stock["volume_day"]
    if given.volume is not None and (largest is None or is_later_day or given.volume > largest):
        columns |= {"largest_volume": given.volume, "volume_day": day}
    return columns


def _is_new_trade(stock: StockRow, given: GivenQuote, day: date) -> bool:
    return brings_new_trade(
        last=given.last_price,
        previous_last=stock["last_price"],
        traded_at=given.last_traded_at,
        newest_trade_at=stock["newest_trade_at"],
        volume=given.volume,
        largest_volume=stock["largest_volume"],
        is_volume_of_today=stock["volume_day"] == day,
    )


def _changes_nothing(stock: Mapping[str, Any], columns: dict[str, Any]) -> bool:
    return all(stock[name] == value for name, value in columns.items())


def _quote(stock: StockRow, columns: dict[str, Any], last: Decimal, new_trade: Decimal | None, day: date) -> Quote:
    """Return the quote for the rules, with the number of the usable quote before it."""
    circuits = {name: columns.get(name, stock[name]) for name in ("lower_circuit", "upper_circuit", "circuit_day")}
    holds = circuits["circuit_day"] == day
    return Quote(
        number=columns["quote_number"],
        usable_number=stock["usable_number"],
        bid=columns["bid_price"],
        ask=columns["ask_price"],
        last=last,
        quoted_at=columns["quoted_at"],
        is_usable=columns["is_usable"],
        new_trade=new_trade,
        lower_circuit=circuits["lower_circuit"] if holds else None,
        upper_circuit=circuits["upper_circuit"] if holds else None,
        tick_size=stock["tick_size"],
    )
