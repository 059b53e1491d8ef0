"""The days of a random week, in plain dates: nothing of trading.rules.sessions is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

INDIA = timezone(timedelta(hours=5, minutes=30))
OPENS = (9, 15)
CLOSES = {"NORMAL": (15, 30), "AUCTION": (15, 15)}  # since 2026-08-03
SQUARE_OFF = {"NORMAL": (15, 25), "AUCTION": (15, 12)}


@dataclass(frozen=True)
class Days:
    """The days from a first to a last one, with holidays of both kinds, and days of a weekend that have a session."""

    first: date
    last: date
    closed: frozenset[date]
    unsettled: frozenset[date]
    special: frozenset[date] = frozenset()

    def all(self) -> Iterator[date]:
        """Yield every day."""
        for number in range((self.last - self.first).days + 1):
            yield self.first + timedelta(days=number)

    def has_session(self, day: date) -> bool:
        """Return True if the market opens on a day."""
        return day in self.special or (day.weekday() < 5 and day not in self.closed)

    def settles_on(self, day: date) -> date:
        """Return the day on which the trades of a day settle; those of a weekend do so as those of the next weekday."""
        while day.weekday() >= 5:
            day += timedelta(days=1)
        day += timedelta(days=1)
        while day.weekday() >= 5 or day in self.closed | self.unsettled:
            day += timedelta(days=1)
        return day

    def session_of(self, now: datetime, session_class: str) -> tuple[datetime, datetime, datetime] | None:
        """Return the opening, the square-off and the close of the session that is open at a time."""
        day = now.astimezone(INDIA).date()
        if not self.has_session(day):
            return None
        opens, squared, closes = times(day, session_class)
        return (opens, squared, closes) if opens <= now < closes else None

    def next_session(self, now: datetime, session_class: str) -> tuple[datetime, datetime, datetime]:
        """Return the session that opens next."""
        day = now.astimezone(INDIA).date()
        while not (self.has_session(day) and times(day, session_class)[0] > now):
            day += timedelta(days=1)
        return times(day, session_class)


def at(day: date, hour: int, minute: int, second: int = 0) -> datetime:
    """Return a time in India."""
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=INDIA)


def times(day: date, session_class: str) -> tuple[datetime, datetime, datetime]:
    """Return the opening, the square-off and the close of a day."""
    return at(day, *OPENS), at(day, *SQUARE_OFF[session_class]), at(day, *CLOSES[session_class])
