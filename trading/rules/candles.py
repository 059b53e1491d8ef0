"""Candles: the first, highest, lowest and last price of an interval, and the volume that was traded in it."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from trading.rules.quotes import Quote
from trading.rules.sessions import at_indian_time, indian_day

MINUTE_S = 60


class Trade(NamedTuple):
    """The trade that a quote brings, with the quote's number and the day's volumes before it and after it.

    The volumes are None if no quote of the day gives one. `minute` is the number of its minute since 1970.
    """

    stock_id: UUID
    minute: int
    price: Decimal
    number: int
    volume_from: int | None = None
    volume_to: int | None = None


class Candle:
    """A minute's candle while it is gathered; trades may come in any order, since the numbers tell theirs."""

    __slots__ = ("close", "first_number", "high", "last_number", "low", "open", "volume_from", "volume_to")

    def __init__(self, trade: Trade) -> None:
        self.open = self.high = self.low = self.close = trade.price
        self.first_number = self.last_number = trade.number
        self.volume_from, self.volume_to = trade.volume_from, trade.volume_to

    def add(self, trade: Trade) -> None:
        """Add a trade of the minute."""
        price, number = trade.price, trade.number
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price
        if number < self.first_number:
            self.first_number, self.open = number, price
        if number >= self.last_number:
            self.last_number, self.close = number, price
        self._add_volume(trade.volume_from, trade.volume_to)

    def add_candle(self, other: "Candle") -> None:
        """Add another candle of the same minute."""
        self.high, self.low = max(self.high, other.high), min(self.low, other.low)
        if other.first_number < self.first_number:
            self.first_number, self.open = other.first_number, other.open
        if other.last_number >= self.last_number:
            self.last_number, self.close = other.last_number, other.close
        self._add_volume(other.volume_from, other.volume_to)

    def columns(self) -> tuple[Any, ...]:
        """Return the prices, the numbers of the first and the last quote, and the volumes."""
        prices, numbers = (self.open, self.high, self.low, self.close), (self.first_number, self.last_number)
        return (*prices, *numbers, self.volume_from, self.volume_to)

    def _add_volume(self, before: int | None, after: int | None) -> None:
        if before is None or after is None:
            return
        self.volume_from = before if self.volume_from is None else min(self.volume_from, before)
        self.volume_to = after if self.volume_to is None else max(self.volume_to, after)


def minute_of(at: datetime) -> int:
    """Return the number of a time's minute since 1970."""
    return int(at.timestamp()) // MINUTE_S


def trade_of(stock: Mapping[str, Any], quote: Quote, traded_at: datetime | None, volume: int | None) -> Trade | None:
    """Return the trade that a quote brings to a StockRow as it was before, None if it brings none of its day.

    volume is the largest one that the stock has with the quote. The first volume of a day counts as a whole, so that
    the minutes of the day add up to its volume.
    """
    quoted_at = quote.quoted_at
    if quote.new_trade is None or quoted_at is None:
        return None
    at, day = _time_of_trade(traded_at, stock["newest_trade_at"], quoted_at), indian_day(quoted_at)
    if indian_day(at) != day:
        return None
    is_of_day = stock["volume_day"] == day
    before = stock["largest_volume"] or 0 if is_of_day else 0
    after = volume if volume is not None else stock["largest_volume"] if is_of_day else None
    volumes = (None, None) if after is None else (before, after)
    return Trade(stock["id"], minute_of(at), quote.new_trade, quote.number, *volumes)


def _time_of_trade(traded_at: datetime | None, newest_trade_at: datetime | None, quoted_at: datetime) -> datetime:
    """Return the time of a new trade: never before that of an earlier trade of its day, never after the quote."""
    if traded_at is None:
        return quoted_at
    if newest_trade_at is not None and newest_trade_at > traded_at:
        # Its volume tells that the trade is new; its time is late, or of another day than the known one.
        return min(newest_trade_at, quoted_at)
    return min(traded_at, quoted_at)


# The first interval of a day begins with the usual session: those of an hour begin at a quarter past.
ORIGIN = at_indian_time(date(2000, 1, 3), time(9, 15))


def first_interval(at: datetime, step: timedelta) -> datetime:
    """Return the beginning of the first interval that begins at a time or later."""
    return ORIGIN - (ORIGIN - at) // step * step


def last_interval(at: datetime, step: timedelta) -> datetime:
    """Return the beginning of the last interval that begins at a time or earlier."""
    return ORIGIN + (at - ORIGIN) // step * step
