"""Market holidays, kept in the database and remembered for a minute."""

import time
from collections.abc import Iterable
from datetime import date

from models.database import execute, fetch_all, session, transactional

REMEMBERED_S = 60.0
_remembered: dict[str, tuple[float, frozenset[date]]] = {}


def holidays(calendar: str) -> frozenset[date]:
    """Return the closed days of a calendar, at most a minute old."""
    now = time.monotonic()  # taken before the question: the answer may be older than its arrival
    at, days = _remembered.get(calendar, (0.0, frozenset()))
    if not at or now - at > REMEMBERED_S:
        with session():
            rows = fetch_all("SELECT day FROM market_holiday WHERE calendar = %s", (calendar,))
        days = frozenset(row["day"] for row in rows)
        _remembered[calendar] = (now, days)
    return days


@transactional
def import_holidays(rows: Iterable[tuple[str, date, str]]) -> int:
    """Add or rename holidays given as (calendar, day, name) and return how many were read."""
    count = 0
    for calendar, day, name in rows:
        execute(
            "INSERT INTO market_holiday (calendar, day, name) VALUES (%s, %s, %s)"
            " ON CONFLICT (calendar, day) DO UPDATE SET name = excluded.name",
            (calendar, day, name),
        )
        count += 1
    _remembered.clear()
    return count
