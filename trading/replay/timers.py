"""The times at which a replay does the periodic work: those of the sessions, of orders that expire, and of days."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta

from models.database import fetch_one
from trading.rules.sessions import INDIAN_TIME

# The index of expiry begins with the next order.
NEXT_EXPIRY = """
SELECT min(expires_at) AS at FROM trading_order
WHERE status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND expires_at IS NOT NULL
"""


def midnight(day: date) -> datetime:
    """Return the beginning of a day in India."""
    return datetime.combine(day, time(), INDIAN_TIME)


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from the first to the last."""
    day = first
    while day <= last:
        yield day
        day += timedelta(days=1)


class Timers:
    """The fixed times of a replay in their order, and that of the next order that expires before the end."""

    def __init__(self, fixed: list[datetime], *, ends_at: datetime) -> None:
        self.ends_at = ends_at
        self._fixed = iter(sorted(set(fixed)))
        self._next_fixed = next(self._fixed, None)
        self._next_expiry: datetime | None = None

    def look_again(self) -> None:
        """Read the time of the next order that expires; needs an open session."""
        row = fetch_one(NEXT_EXPIRY)
        at = row["at"] if row else None
        self._next_expiry = None if at is None or at >= self.ends_at else at

    @property
    def next_at(self) -> datetime | None:
        """Return the next time, None without one."""
        known = [at for at in (self._next_fixed, self._next_expiry) if at is not None]
        return min(known, default=None)

    def pass_time(self, at: datetime) -> None:
        """Go on behind a time, for which the work is done."""
        while self._next_fixed is not None and self._next_fixed <= at:
            self._next_fixed = next(self._fixed, None)
        if self._next_expiry is not None and self._next_expiry <= at:
            self._next_expiry = None
