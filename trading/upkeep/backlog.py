"""The backlog: the orders that a worker is due for, counted up to a limit, and the age of the oldest; none rests."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, TypedDict

from config import settings
from models import buckets
from models.database import fetch_one, session, snapshot
from trading.day import daily
from trading.market import calendars
from trading.upkeep.ledger_checks import LedgerCheck, last_check
from trading.upkeep.resting_orders import RestingOrders, count_resting, sum_resting

# A longer count would take more time than an operator's page or a scraper should wait.
MAX_COUNTED = 100_000

DUE = """
SELECT market_now() AS at, count(*) AS count, min(due_at) AS oldest_due_at FROM (
    SELECT due_at FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL
    ORDER BY due_at, placed_at, id LIMIT %(limit)s) AS oldest
"""


class PendingOrders(TypedDict):
    """The number of due orders up to a limit, the time of the count, and the time since which the oldest is due."""

    at: datetime
    count: int
    oldest_due_at: datetime | None


class Backlog(NamedTuple):
    """The due orders (counted to 100,000), the oldest one's age, the last check of the ledger, and resting orders.

    daily_work_behind_s has the seconds since the time of daily work that is due and not done, by name.
    session_days_left is None without MARKET_CALENDAR.
    """

    pending: int
    oldest_age_s: float
    violations: int | None
    check_age_s: float | None
    resting: RestingOrders
    daily_work_behind_s: dict[str, float]
    session_days_left: int | None


def read_backlog() -> Backlog:
    """Return the backlog, the last check of the ledger and the resting orders. Raises DatabaseUnavailable."""
    parts = buckets.in_each(_read_part)
    pending, resting = sum_pending([part[0] for part in parts]), sum_resting([part[1] for part in parts])
    behind_s = {name: max(part[2][name] for part in parts) for name in parts[0][2]}
    check, days_left = parts[0][3:]
    now, oldest = pending["at"], pending["oldest_due_at"]
    return Backlog(
        pending["count"],
        max(0.0, (now - oldest).total_seconds()) if oldest else 0.0,
        check["violations"] if check else None,
        (now - check["at"]).total_seconds() if check else None,
        resting,
        behind_s,
        days_left,
    )


def _read_part() -> tuple[PendingOrders, RestingOrders, dict[str, float], LedgerCheck | None, int | None]:
    """Return the figures of the current bucket, and with them those that all buckets share."""
    with snapshot():
        pending, check, resting = read_pending(MAX_COUNTED), last_check(), count_resting(MAX_COUNTED)
        return pending, resting, daily.behind_s(), check, calendars.days_left(settings().market_calendar)


def count_pending(limit: int = MAX_COUNTED) -> int:
    """Return the number of orders that a worker is due for, counted to a limit in each bucket."""
    count = 0
    for _ in buckets.each():
        with session():
            count += read_pending(limit)["count"]
    return count


def sum_pending(parts: Sequence[PendingOrders]) -> PendingOrders:
    """Return the due orders of all buckets, given those of each."""
    oldest = [part["oldest_due_at"] for part in parts if part["oldest_due_at"] is not None]
    return PendingOrders(
        at=max(part["at"] for part in parts),
        count=sum(part["count"] for part in parts),
        oldest_due_at=min(oldest, default=None),
    )


def read_pending(limit: int) -> PendingOrders:
    """Return the due orders of the current bucket, counted to a limit; needs an open session."""
    row = fetch_one(DUE, {"limit": limit}, PendingOrders)
    assert row is not None
    return row
