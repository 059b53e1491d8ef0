"""The time at which an order expires."""

from datetime import datetime, time, timedelta

from trading.rules.decision import OrderRequest
from trading.rules.sessions import CLOSES, INDIAN_TIME
from trading.rules.terms import FillModel, Validity


def expires_with(request: OrderRequest, *, fill_model: str, now: datetime, has_sessions: bool) -> datetime | None:
    """Return the end of the session with which an order expires, None if it does not end with a session.

    A TTL order ends earlier if its minutes are over: the database adds them to its own time of placement. An IOC order
    ends at its first look. Without sessions (no market calendar) there is no close that a TTL order ends at.
    """
    if fill_model != FillModel.QUOTES:
        return None
    if request.validity == Validity.DAY or (request.validity == Validity.TTL and has_sessions):
        return session_end(now, has_sessions=has_sessions)
    return None


def session_end(now: datetime, *, has_sessions: bool) -> datetime:
    """Return the end of the session at an aware time: its close, or the next midnight of a market without sessions."""
    today = now.astimezone(INDIAN_TIME).date()
    if has_sessions:
        return datetime.combine(today, CLOSES, INDIAN_TIME)
    return datetime.combine(today + timedelta(days=1), time(), INDIAN_TIME)
