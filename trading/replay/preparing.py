"""The database of a replay: its tables, its clock, and the sessions of the days that it runs over."""

import contextlib
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from models import migrate
from models.database import session
from models.scratch import keep_plans
from trading.market import calendars
from trading.market.stocks import forget_stocks
from trading.replay.clock import VirtualClock
from trading.replay.timers import days_between, midnight
from trading.rules.sessions import TradingDays, at_indian_time, indian_day
from trading.rules.terms import SessionClass

# Sessions are made for these days before and after the rows too: the last close before them, and the settlement after.
DAYS_BEFORE, DAYS_AFTER = timedelta(days=15), timedelta(days=30)


@contextlib.contextmanager
def prepared(clock: VirtualClock) -> Iterator[None]:
    """Make the tables of an empty database, and let the clock give its time."""
    forget_stocks()  # those of another database
    migrate.upgrade()
    with session():
        keep_plans()
        with clock.installed():
            yield


def make_days(calendar: str | None, first: date, last: date, holidays: Iterable[calendars.Holiday]) -> None:
    """Make the holidays and the sessions of a calendar for the days of a replay."""
    calendars.import_holidays(holidays)
    if calendar is not None:
        calendars.make_sessions(calendar, first - DAYS_BEFORE, last + DAYS_AFTER)


def fixed_times(
    days: TradingDays | None, first: date, last: date, square_off_time: time | None = None
) -> list[datetime]:
    """Return the times from the first to the last day at which work is due: those of the sessions, and midnights.

    Without days the market is always open, and square_off_time is the time of its square-off.
    """
    times = []
    for day in days_between(first, last):
        times.append(midnight(day))
        if days is not None:
            times += [at for name in SessionClass for at in _times_of(days, day, name)]
        elif square_off_time is not None:
            times.append(at_indian_time(day, square_off_time))
    return times


def _times_of(days: TradingDays, day: date, session_class: str) -> list[datetime]:
    found = days.of_day(day, session_class)
    if found is None:
        return []
    return [at for at in (found.opens_at, found.square_off_at, found.closes_at) if at is not None]


def day_range(moments: Iterable[datetime]) -> tuple[date, date]:
    """Return the first and the last day in India of some times; there must be one."""
    days = [indian_day(at) for at in moments]
    return min(days), max(days)
