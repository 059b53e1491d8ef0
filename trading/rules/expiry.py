"""The time at which an order expires."""

from datetime import datetime, time

from trading.rules.decision import OrderRequest
from trading.rules.sessions import CLOSES, INDIAN_TIME, ONE_DAY, TradingDays, indian_day
from trading.rules.terms import FillModel, SessionClass, Validity


def expires_with(
    request: OrderRequest,
    *,
    fill_model: str,
    now: datetime,
    has_sessions: bool = False,
    days: TradingDays | None = None,
    session_class: str = SessionClass.NORMAL,
) -> datetime | None:
    """Return the end of the session with which an order expires, None if it does not end with a session.

    A TTL order ends earlier if its minutes are over: the database adds them to its own time of placement. An IOC order
    ends at its first look. Without sessions (days is None) there is no close that a TTL order ends at.
    """
    if fill_model != FillModel.QUOTES:
        return None
    if has_sessions and request.validity in (Validity.DAY, Validity.TTL):
        return datetime.combine(indian_day(now), CLOSES, INDIAN_TIME)
    if request.validity == Validity.DAY or (request.validity == Validity.TTL and days is not None):
        return session_end(now, days=days, session_class=session_class)
    return None


def session_end(now: datetime, *, days: TradingDays | None, session_class: str) -> datetime | None:
    """Return the close of the open session at a time, or of the next one while the market is closed.

    Without a calendar it is the next midnight in India. None if no session is known.
    """
    if days is None:
        return datetime.combine(indian_day(now) + ONE_DAY, time(), INDIAN_TIME)
    session = days.at(now, session_class) or days.next_session(now, session_class)
    return None if session is None else session.closes_at
