"""The time at which an order expires."""

from datetime import datetime, timedelta

from trading.rules.decision import OrderRequest
from trading.rules.order_sessions import OrderSession
from trading.rules.sessions import TradingDays, end_of_day, indian_day
from trading.rules.terms import FillModel, Validity


def expires_with(request: OrderRequest, session: OrderSession, *, fill_model: str) -> datetime | None:
    """Return the end of the session with which an order expires, None if it does not end with a session.

    A TTL order ends earlier if its minutes are over: the database adds them to its own time of placement. Those of an
    order that waits for its session count from the opening and are added here. An IOC order ends at its first look. In
    a market that is always open there is no close that a TTL order ends at.
    """
    if fill_model != FillModel.QUOTES:
        return None
    if request.validity == Validity.DAY:
        return session.closes_at
    if request.validity != Validity.TTL or session.opens_at is None:
        return None
    if session.waits and request.validity_minutes is not None:
        return min(session.closes_at, session.opens_at + timedelta(minutes=request.validity_minutes))
    return session.closes_at


def session_end(now: datetime, *, days: TradingDays | None, session_class: str) -> datetime | None:
    """Return the close of the open session at a time, or of the next one while the market is closed.

    Without a calendar it is the next midnight in India. None if no session is known.
    """
    if days is None:
        return end_of_day(indian_day(now))
    session = days.at(now, session_class) or days.next_session(now, session_class)
    return None if session is None else session.closes_at
