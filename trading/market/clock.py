"""The time of the market, which a replay sets, and the sessions around it."""

from datetime import datetime, time
from typing import Any, NamedTuple

from models.database import fetch_one, session
from trading.market import calendars
from trading.rules.order_sessions import OrderSession, session_for
from trading.rules.sessions import TradingDays
from trading.rules.terms import SessionClass


class ClassSession(NamedTuple):
    """The open session of a class of stocks, or its next one if none is open; unknown times are None."""

    session_class: str
    is_open: bool
    opens_at: datetime | None = None
    closes_at: datetime | None = None
    square_off_at: datetime | None = None
    next_opens_at: datetime | None = None


def market_time() -> datetime:
    """Return the time of the market."""
    with session():
        row = fetch_one("SELECT market_now() AS now")
    assert row is not None
    now: datetime = row["now"]
    return now


def market_clock(calendar: str | None, square_off_time: time | None) -> dict[str, Any]:
    """Return the time of the market, its calendar, and the session of each class of stocks.

    Without a calendar the market is always open, all stocks are NORMAL, and square_off_time is the Indian time of their
    square-off.
    """
    now, days = market_time(), calendars.days(calendar)
    if days is None:
        sessions = [_always_open(session_for(None, SessionClass.NORMAL, now, square_off_time=square_off_time))]
    else:
        sessions = [class_session(days, name, now) for name in SessionClass]
    return {"at": now, "calendar": calendar, "sessions": [one._asdict() for one in sessions]}


def class_session(days: TradingDays, session_class: str, now: datetime) -> ClassSession:
    """Return the session of a class of stocks at a time."""
    is_open, next_opens_at = days.at(now, session_class), days.next_open(now, session_class)
    shown = is_open or days.next_session(now, session_class)
    if shown is None:
        return ClassSession(session_class, is_open=False)
    times = (shown.opens_at, shown.closes_at, shown.square_off_at)
    return ClassSession(session_class, is_open is not None, *times, next_opens_at)


def _always_open(day: OrderSession) -> ClassSession:
    times = {"closes_at": day.closes_at, "square_off_at": day.square_off_at}
    return ClassSession(SessionClass.NORMAL, is_open=True, **times)
