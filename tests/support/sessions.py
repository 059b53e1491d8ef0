"""Sessions for the tests that need a market with a calendar."""

from datetime import date, datetime, time, timedelta

from tests.support.trading import one
from trading.market.calendars import import_sessions
from trading.rules.sessions import INDIAN_TIME, Session, indian_day
from trading.rules.terms import SessionClass, SessionKind

ALMOST_MIDNIGHT = time(23, 59, 59, 999_999)


def session_of(
    day: date,
    session_class: str = SessionClass.NORMAL,
    *,
    opens: time = time(),
    closes: time = ALMOST_MIDNIGHT,
    square_off: time | None = None,
) -> Session:
    """Return an exceptional session of a day, from Indian times; by default it is open all day."""
    opens_at, closes_at = (datetime.combine(day, clock, INDIAN_TIME) for clock in (opens, closes))
    square_off_at = None if square_off is None else datetime.combine(day, square_off, INDIAN_TIME)
    return Session(day, session_class, opens_at, closes_at, square_off_at, SessionKind.SPECIAL)


def open_market(*, days: int = 2) -> list[Session]:
    """Let all classes of stocks be traded all day, today and on the next days, by the database's clock."""
    today = indian_day(one("SELECT market_now()"))
    sessions = [session_of(today + timedelta(days=ahead), name) for ahead in range(days) for name in SessionClass]
    import_sessions("NSE", sessions)
    return sessions
