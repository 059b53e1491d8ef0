"""The trading sessions of the market.

NSE's normal market trades Monday to Friday from 09:15 to 15:30 Indian time, except on holidays
(the exchange's published market timings, read 2026-11).
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

# Indian time has had no daylight saving since 1945, so that a fixed offset is right.
INDIAN_TIME = timezone(timedelta(hours=5, minutes=30))
OPENS = time(9, 15)
CLOSES = time(15, 30)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Session:
    """The state of the market at a moment; next_open is None while it is open."""

    is_open: bool
    next_open: datetime | None


def session_at(now: datetime, holidays: Collection[date]) -> Session:
    """Return the NSE session at an aware time; the market is open from 09:15:00 until just before 15:30:00."""
    local = now.astimezone(INDIAN_TIME)
    if _trades_on(local.date(), holidays) and OPENS <= local.time() < CLOSES:
        return Session(is_open=True, next_open=None)
    day = local.date() if local.time() < OPENS else local.date() + timedelta(days=1)
    while not _trades_on(day, holidays):
        day += timedelta(days=1)
    return Session(is_open=False, next_open=datetime.combine(day, OPENS, INDIAN_TIME))


def _trades_on(day: date, holidays: Collection[date]) -> bool:
    return day.weekday() < SATURDAY and day not in holidays
