"""Market holidays, kept in the database and remembered for a minute."""

import time
from collections.abc import Iterable
from datetime import date, datetime

from models import MarketHoliday
from models.database import session, transactional
from trading.rules.sessions import session_at

REMEMBERED_S = 60.0
_remembered: dict[str, tuple[float, frozenset[date]]] = {}


def holidays(calendar: str) -> frozenset[date]:
    """Return the closed days of a calendar, as they were at most a minute ago."""
    now = time.monotonic()  # before the query: its result may be older than its arrival
    at, days = _remembered.get(calendar, (0.0, frozenset()))
    if not at or now - at > REMEMBERED_S:
        with session():
            found = MarketHoliday.select().where(MarketHoliday.calendar == calendar)
            days = frozenset(holiday.day for holiday in found)
        _remembered[calendar] = (now, days)
    return days


def is_open(calendar: str | None, now: datetime) -> bool:
    """Return True if a calendar's session is open at an aware time; without a calendar the market is always open."""
    return calendar is None or session_at(now, holidays(calendar)).is_open


@transactional
def import_holidays(rows: Iterable[tuple[str, date, str]]) -> int:
    """Add or rename holidays given as (calendar, day, name) and return their number."""
    count = 0
    for calendar, day, name in rows:
        MarketHoliday.insert(calendar=calendar, day=day, name=name).on_conflict(
            conflict_target=(MarketHoliday.calendar, MarketHoliday.day), preserve=MarketHoliday.name
        ).execute()
        count += 1
    _remembered.clear()
    return count
