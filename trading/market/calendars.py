"""Sessions and holidays of markets, kept in the database and remembered for a minute."""

import json
import time
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any, NamedTuple

from models.database import execute, fetch_all, fetch_one, session, transactional
from trading.rules.errors import NothingThere
from trading.rules.sessions import Session, TradingDays, default_sessions, indian_day
from trading.rules.terms import HolidayKind

REMEMBERED_S = 60.0
_remembered: dict[str, tuple[float, TradingDays]] = {}

# The view leaves out the regular sessions of days that became holidays afterwards.
SESSIONS = """
SELECT day, class AS session_class, opens_at, closes_at, square_off_at, kind FROM trading_session WHERE calendar = %s
"""
HOLIDAYS = "SELECT day FROM market_holiday WHERE calendar = %s AND kind = %s"
FIND_HOLIDAYS = """
SELECT calendar, day, name, kind FROM market_holiday WHERE calendar = %s AND day BETWEEN %s AND %s ORDER BY day
"""
REMOVE_HOLIDAY = "DELETE FROM market_holiday WHERE calendar = %s AND day = %s RETURNING calendar, day, name, kind"
# A day between days that have sessions.
IS_KNOWN = "SELECT FROM session WHERE calendar = %s HAVING %s BETWEEN min(day) AND max(day)"
IMPORT_HOLIDAY = """
INSERT INTO market_holiday (calendar, day, name, kind) VALUES (%s, %s, %s, %s)
ON CONFLICT (calendar, day) DO UPDATE SET name = excluded.name, kind = excluded.kind
"""
# Exceptions stay; the regular sessions of these days become those that are given.
FORGET = """
DELETE FROM session WHERE calendar = %s AND kind = 'REGULAR' AND day BETWEEN %s AND %s
"""
ADD = """
INSERT INTO session (calendar, day, class, opens_at, closes_at, square_off_at, kind)
SELECT %s, day, session_class, opens_at, closes_at, square_off_at, kind FROM json_to_recordset(%s) AS new (
    day date, session_class text, opens_at timestamptz, closes_at timestamptz, square_off_at timestamptz, kind text)
ON CONFLICT (calendar, day, class)
"""
MAKE = f"{ADD} DO NOTHING"
IMPORT = f"""{ADD} DO UPDATE SET opens_at = excluded.opens_at, closes_at = excluded.closes_at,
    square_off_at = excluded.square_off_at, kind = excluded.kind
"""


class Holiday(NamedTuple):
    """A holiday of a calendar."""

    calendar: str
    day: date
    name: str
    kind: str = HolidayKind.TRADING


def days(calendar: str | None) -> TradingDays | None:
    """Return the sessions and holidays of a calendar, as they were at most a minute ago; None without a calendar."""
    if calendar is None:
        return None
    now = time.monotonic()  # before the query: its result may be older than its arrival
    at, known = _remembered.get(calendar, (0.0, None))
    if known is None or now - at > REMEMBERED_S:
        known = _read(calendar)
        _remembered[calendar] = (now, known)
    return known


def is_open(calendar: str | None, now: datetime, session_class: str) -> bool:
    """Return True if a session is open at an aware time; without a calendar the market is always open."""
    known = days(calendar)
    return known is None or known.at(now, session_class) is not None


def find_sessions(calendar: str, first: date, last: date) -> list[Session]:
    """Return the sessions that take place from a first to a last day, as they are now, in their order."""
    with session():
        rows = fetch_all(f"{SESSIONS} AND day BETWEEN %s AND %s ORDER BY opens_at, class", (calendar, first, last))
    return [Session(**row) for row in rows]


def holidays(calendar: str, first: date = date.min, last: date = date.max) -> list[Holiday]:
    """Return the holidays of a calendar from a first to a last day, in their order."""
    with session():
        rows = fetch_all(FIND_HOLIDAYS, (calendar, first, last))
    return [Holiday(**row) for row in rows]


def today() -> date:
    """Return the day in India by the database's clock."""
    with session():
        row = fetch_one("SELECT market_now() AS now")
    assert row is not None
    return indian_day(row["now"])


def days_left(calendar: str | None) -> int | None:
    """Return the number of days until the last session, 0 if none is left; None without a calendar."""
    known = days(calendar)
    if known is None:
        return None
    return 0 if known.last_day is None else max(0, (known.last_day - today()).days)


def last_known_day(calendar: str) -> date:
    """Return the end of the last year that has holidays without trading, at least that of this year."""
    with session():
        closed = _holidays(calendar, HolidayKind.TRADING)
    return date(max([today().year, *(day.year for day in closed)]), 12, 31)


def _read(calendar: str) -> TradingDays:
    with session():
        sessions = [Session(**row) for row in fetch_all(SESSIONS, (calendar,))]
        closed = [_holidays(calendar, kind) for kind in (HolidayKind.TRADING, HolidayKind.SETTLEMENT)]
    return TradingDays(sessions, *closed)


def _holidays(calendar: str, kind: HolidayKind) -> frozenset[date]:
    return frozenset(row["day"] for row in fetch_all(HOLIDAYS, (calendar, kind)))


@transactional
def import_holidays(rows: Iterable[tuple[Any, ...]]) -> int:
    """Add or change holidays given as (calendar, day, name) or as Holiday, and return their number."""
    given = [Holiday(*row) for row in rows]
    for holiday in given:
        execute(IMPORT_HOLIDAY, holiday)
    _remembered.clear()
    return len(given)


@transactional
def remove_holiday(calendar: str, day: date) -> Holiday:
    """Remove a holiday and return it; raises NothingThere.

    A weekday between days with sessions gets the regular ones that it lacks, so that it is traded.
    """
    row = fetch_one(REMOVE_HOLIDAY, (calendar, day))
    if row is None:
        raise NothingThere
    if fetch_one(IS_KNOWN, (calendar, day)) is not None:
        execute(MAKE, (calendar, _as_json(default_sessions(day, day, ()))))
    _remembered.clear()
    return Holiday(**row)


@transactional
def add_missing_sessions(calendar: str) -> int:
    """Make the regular sessions that are missing from today to the end of the last year with known holidays.

    Return the number of new ones; all others stay.
    """
    made = default_sessions(today(), last_known_day(calendar), _holidays(calendar, HolidayKind.TRADING))
    added = execute(MAKE, (calendar, _as_json(made)))
    _remembered.clear()
    return added


@transactional
def make_sessions(calendar: str, first: date, last: date) -> int:
    """Make the regular sessions from a first to a last day anew, and return their number.

    They follow the dated defaults and the holidays without trading. Exceptions stay.
    """
    made = default_sessions(first, last, _holidays(calendar, HolidayKind.TRADING))
    execute(FORGET, (calendar, first, last))
    execute(MAKE, (calendar, _as_json(made)))
    _remembered.clear()
    return len(made)


@transactional
def import_sessions(calendar: str, given: Iterable[Session]) -> int:
    """Add sessions, or put them in the place of those of their day and class; return their number.

    Of several sessions of a day and class the last one counts.
    """
    rows = {(one.day, one.session_class): one for one in given}.values()
    execute(IMPORT, (calendar, _as_json(rows)))
    _remembered.clear()
    return len(rows)


def _as_json(rows: Iterable[Session]) -> str:
    names = ("day", "session_class", "opens_at", "closes_at", "square_off_at", "kind")
    return json.dumps([{name: getattr(row, name) for name in names} for row in rows], default=str)
