"""Sessions for the tests that need a market with a calendar."""

import contextlib
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from tests.support.trading import one, run
from trading.market.calendars import import_sessions
from trading.rules.sessions import INDIAN_TIME, Session, indian_day
from trading.rules.terms import SessionClass, SessionKind

CLOCK = "CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql AS"
PLAIN_CLOCK = "CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql RETURN clock_timestamp()"
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


def close_market(*, reopens_in_days: int = 5) -> datetime:
    """Let the market be closed until a later day, and return the time at which it opens then."""
    day = indian_day(one("SELECT market_now()")) + timedelta(days=reopens_in_days)
    sessions = [session_of(day, name, opens=time(9, 15), closes=time(15, 30)) for name in SessionClass]
    import_sessions("NSE", sessions)
    return sessions[0].opens_at


@contextlib.contextmanager
def market_clock_at(moment: datetime) -> Iterator[None]:
    """Let the database's market clock stand at a time."""
    run(f"{CLOCK} $$ SELECT timestamptz '{moment.isoformat()}' $$")
    try:
        yield
    finally:
        run(PLAIN_CLOCK)
