"""The time at which INTRADAY positions are squared off, and the part of a position that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from trading.rules.sessions import ONE_DAY, TradingDays, at_indian_time, end_of_day, indian_day


@dataclass(frozen=True, slots=True)
class SquareOff:
    """A session's square-off, which is due at a time; reopens_at is the next session's opening, None if unknown."""

    day: date
    session_class: str
    due_at: datetime
    closes_at: datetime
    reopens_at: datetime | None


def square_off_of_day(day: date, session_class: str, at: time) -> SquareOff:
    """Return the square-off of a day in a market without a calendar, whose days end at midnight in India."""
    ends_at = end_of_day(day)
    return SquareOff(day, session_class, at_indian_time(day, at), ends_at, ends_at)


def last_square_off_without_calendar(now: datetime, session_class: str, at: time) -> SquareOff:
    """Return the square-off that became due last in a market without a calendar."""
    today = indian_day(now)
    is_due = at_indian_time(today, at) <= now
    return square_off_of_day(today if is_due else today - ONE_DAY, session_class, at)


def last_square_off(days: TradingDays, now: datetime, session_class: str) -> SquareOff | None:
    """Return the square-off that became due last, None if none is known; some sessions have none."""
    session = days.at(now, session_class) or days.previous_session(now, session_class)
    while session is not None and (session.square_off_at is None or session.square_off_at > now):
        session = days.previous_session(session.opens_at, session_class)
    if session is None or session.square_off_at is None:
        return None
    reopens_at = days.next_open(session.opens_at, session_class)
    return SquareOff(session.day, session_class, session.square_off_at, session.closes_at, reopens_at)


def price_at_close(stock: Mapping[str, Any], of: SquareOff) -> Decimal | None:
    """Return the price in rupees at which a session ended for a StockRow: the official close, else the last price.

    None if neither is known: then the stock has no price, or its last price is of a later session.
    """
    if stock["close_price"] is not None and stock["close_day"] == of.day:
        return Decimal(stock["close_price"])
    if stock["last_price"] is None or (of.reopens_at is not None and stock["last_price_at"] >= of.reopens_at):
        return None
    return Decimal(stock["last_price"])
