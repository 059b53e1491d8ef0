"""The times at which a replay does the periodic work: those of the sessions, of orders that expire, and of days."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from models.database import fetch_one
from trading.rules.sessions import at_indian_time

# Work that waits for a quote is tried again: often while a session lasts or has just ended, then seldom.
TRY_EVERY, TRY_SELDOM, TRIED_OFTEN_FOR = timedelta(seconds=10), timedelta(minutes=5), timedelta(minutes=20)
NEXT_EXPIRY = """
SELECT min(expires_at) AS at FROM trading_order
WHERE status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND expires_at IS NOT NULL
"""


def midnight(day: date) -> datetime:
    """Return the beginning of a day in India."""
    return at_indian_time(day, time())


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from the first to the last."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)


class Timers:
    """The fixed times of a replay in their order, that of the next order that expires, and that of the next try."""

    def __init__(self, fixed: list[datetime], *, ends_at: datetime) -> None:
        self.ends_at = ends_at
        self._fixed = iter(sorted(set(fixed)))
        self._next_fixed = next(self._fixed, None)
        self._next_expiry: datetime | None = None
        self._next_try: datetime | None = None
        self._last_fixed: datetime | None = None

    def look_again(self) -> None:
        """Read the time of the next order that expires; needs an open session."""
        row = fetch_one(NEXT_EXPIRY)
        at = row["at"] if row else None
        self._next_expiry = None if at is None or at >= self.ends_at else at

    @property
    def next_at(self) -> datetime | None:
        """Return the next time, None without one."""
        known = (self._next_fixed, self._next_expiry, self._next_try)
        return min((at for at in known if at is not None), default=None)

    def add_try(self, at: datetime) -> None:
        """Let the work be tried again some time after this time."""
        is_recent = self._last_fixed is not None and at < self._last_fixed + TRIED_OFTEN_FOR
        again = at + (TRY_EVERY if is_recent else TRY_SELDOM)
        self._next_try = again if again < self.ends_at else None

    def pass_time(self, at: datetime) -> None:
        """Go on behind a time, for which the work is done."""
        while self._next_fixed is not None and self._next_fixed <= at:
            self._last_fixed, self._next_fixed = self._next_fixed, next(self._fixed, None)
        if self._next_try is not None and self._next_try <= at:
            self._next_try = None
        if self._next_expiry is not None and self._next_expiry <= at:
            self._next_expiry = None
