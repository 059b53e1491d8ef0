"""The trading sessions of the market, and all arithmetic of days and sessions.

Moments are half-open: at the very close a session is closed. A session lies within one day of Indian time.
"""

import functools
from bisect import bisect_right
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

from trading.rules.terms import SessionClass, SessionKind

# Indian time has had no daylight saving since 1945, so that a fixed offset is right.
INDIAN_TIME = timezone(timedelta(hours=5, minutes=30))
SATURDAY = 5
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """The session of a class of stocks on a day; without square_off_at nothing is squared off in it."""

    day: date
    session_class: str
    opens_at: datetime
    closes_at: datetime
    square_off_at: datetime | None
    kind: str = SessionKind.REGULAR

    def is_open(self, now: datetime) -> bool:
        """Return True if an aware time lies within the session."""
        return self.opens_at <= now < self.closes_at


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours of a class of stocks on ordinary days, from a first day on, in Indian time."""

    first_day: date
    opens: time
    closes: time
    square_off: time


# Until 2026-08-02 all stocks were traded until 15:30. Since then those with derivatives have a closing auction from
# 15:15 on (the exchange's and the regulator's circulars of 2026-01-16, 2026-03-18 and 2026-06-10). The times of the
# square-off are those of a large discount broker (read 2026-09-21).
UNTIL_HALF_PAST_THREE = Hours(date.min, time(9, 15), time(15, 30), time(15, 25))
DEFAULT_HOURS = {
    SessionClass.NORMAL: (UNTIL_HALF_PAST_THREE,),
    SessionClass.AUCTION: (
        UNTIL_HALF_PAST_THREE,
        Hours(date(2026, 8, 3), time(9, 15), time(15, 15), time(15, 12)),
    ),
}


class TradingDays:
    """The sessions and holidays of a calendar; it never changes.

    Each day has at most one session of a class. A session of a day on which the market is closed is left out by the
    caller. All times are aware, in any time zone.
    """

    def __init__(
        self,
        sessions: Iterable[Session],
        trading_holidays: Collection[date] = (),
        settlement_holidays: Collection[date] = (),
    ) -> None:
        ordered = sorted(sessions, key=lambda one: one.opens_at)
        self._by_day = {(one.session_class, one.day): one for one in ordered}
        self._by_class = {name: [one for one in ordered if one.session_class == name] for name in SessionClass}
        self._days = sorted({one.day for one in ordered})
        self._trading_holidays = frozenset(trading_holidays)
        self._settlement_holidays = frozenset(settlement_holidays)

    @property
    def trading_holidays(self) -> frozenset[date]:
        """Return the days without trading."""
        return self._trading_holidays

    @property
    def last_day(self) -> date | None:
        """Return the last day that has a session, None if no session is known."""
        return self._days[-1] if self._days else None

    def at(self, now: datetime, session_class: str) -> Session | None:
        """Return the session that is open at a time, None if the market is closed."""
        session = self.of_day(self.trading_day_of(now), session_class)
        return session if session is not None and session.is_open(now) else None

    def of_day(self, day: date, session_class: str) -> Session | None:
        """Return a day's session, None if the market is closed all day."""
        return self._by_day.get((session_class, day))

    def next_open(self, now: datetime, session_class: str) -> datetime | None:
        """Return the time at which the next session opens, None if no session is known."""
        session = self.next_session(now, session_class)
        return None if session is None else session.opens_at

    def next_session(self, now: datetime, session_class: str) -> Session | None:
        """Return the first session that opens after a time, None if none is known."""
        sessions = self._by_class[SessionClass(session_class)]
        place = bisect_right(sessions, now, key=lambda one: one.opens_at)
        return sessions[place] if place < len(sessions) else None

    def previous_session(self, now: datetime, session_class: str) -> Session | None:
        """Return the last session that has closed at a time, None if none is known."""
        sessions = self._by_class[SessionClass(session_class)]
        place = bisect_right(sessions, now, key=lambda one: one.closes_at)
        return sessions[place - 1] if place else None

    def trading_day_of(self, now: datetime) -> date:
        """Return the day of sessions that a time belongs to: the day in India."""
        return indian_day(now)

    def is_trading_day(self, day: date) -> bool:
        """Return True if any class of stocks has a session on a day."""
        return any((name, day) in self._by_day for name in SessionClass)

    def next_trading_day(self, day: date) -> date:
        """Return the first later day with a session; after the last known one, the first later ordinary weekday."""
        place = bisect_right(self._days, day)
        if place < len(self._days):
            return self._days[place]
        return _first_after(day, self._trading_holidays)

    def settles_on(self, day: date) -> date:
        """Return the day on whose end a day's trades have settled: the first later weekday without a holiday.

        The trades of a weekend's session settle as those of the next weekday.
        """
        while _is_weekend(day):
            day += ONE_DAY
        return _first_after(day, self._trading_holidays | self._settlement_holidays)


def indian_day(now: datetime) -> date:
    """Return the day in India at an aware time."""
    return now.astimezone(INDIAN_TIME).date()


def at_indian_time(day: date, clock: time) -> datetime:
    """Return the moment of a time of day in India."""
    return datetime.combine(day, clock, INDIAN_TIME)


@functools.lru_cache(maxsize=100)
def end_of_day(day: date) -> datetime:
    """Return the midnight in India with which a day ends."""
    return at_indian_time(day + ONE_DAY, time())


def default_sessions(first: date, last: date, holidays: Collection[date]) -> list[Session]:
    """Return the sessions of all classes from a first to a last day, by the dated defaults.

    Weekends and the given holidays without trading have none.
    """
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    return [
        _default_session(day, name)
        for day in days
        if not _is_weekend(day) and day not in holidays
        for name in SessionClass
    ]


def _default_session(day: date, name: SessionClass) -> Session:
    hours = [one for one in DEFAULT_HOURS[name] if one.first_day <= day][-1]
    opens_at, closes_at, square_off_at = (
        at_indian_time(day, clock) for clock in (hours.opens, hours.closes, hours.square_off)
    )
    return Session(day, name, opens_at, closes_at, square_off_at)


def _first_after(day: date, holidays: Collection[date]) -> date:
    """Return the first weekday after a day that is no holiday."""
    day += ONE_DAY
    while _is_weekend(day) or day in holidays:
        day += ONE_DAY
    return day


def _is_weekend(day: date) -> bool:
    return day.weekday() >= SATURDAY
