"""The backlog: the PENDING orders, counted up to a limit, and the age of the oldest one."""

from datetime import datetime
from typing import NamedTuple, TypedDict

from models.database import fetch_one, session, snapshot
from trading.upkeep.ledger_checks import last_check

# A longer count would take more time than an operator's page or a scraper should wait.
MAX_COUNTED = 100_000

PENDING = """
SELECT clock_timestamp() AS at, count(*) AS count, min(placed_at) AS oldest_placed_at FROM (
    SELECT placed_at FROM trading_order WHERE status = 'PENDING' ORDER BY placed_at, id LIMIT %(limit)s) AS oldest
"""


class PendingOrders(TypedDict):
    """The number of PENDING orders up to a limit, the time of the count, and the oldest order's placement."""

    at: datetime
    count: int
    oldest_placed_at: datetime | None


class Backlog(NamedTuple):
    """The number of PENDING orders (counted to 100,000), the oldest one's age, and the last check of the ledger."""

    pending: int
    oldest_age_s: float
    violations: int | None
    check_age_s: float | None


def read_backlog() -> Backlog:
    """Return the backlog and the last check of the ledger. Raises DatabaseUnavailable."""
    with snapshot():
        pending, check = read_pending(MAX_COUNTED), last_check()
    now, oldest = pending["at"], pending["oldest_placed_at"]
    return Backlog(
        pending["count"],
        (now - oldest).total_seconds() if oldest else 0.0,
        check["violations"] if check else None,
        (now - check["at"]).total_seconds() if check else None,
    )


def count_pending(limit: int = MAX_COUNTED) -> int:
    """Return the number of PENDING orders, counted to a limit."""
    with session():
        return read_pending(limit)["count"]


def read_pending(limit: int) -> PendingOrders:
    """Return the PENDING orders, counted to a limit; needs an open session."""
    row = fetch_one(PENDING, {"limit": limit}, PendingOrders)
    assert row is not None
    return row
