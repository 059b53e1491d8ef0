"""How much waits to be executed, and what the last check of the ledger has found."""

from typing import NamedTuple

from models.database import Row, fetch_one, snapshot

# Counting more would take longer than whoever watches should wait.
MAX_COUNTED = 100_000

PENDING = """
SELECT clock_timestamp() AS at, count(*) AS count, min(placed_at) AS oldest_placed_at FROM (
    SELECT placed_at FROM trading_order WHERE status = 'PENDING' ORDER BY placed_at, id LIMIT %(limit)s) AS oldest
"""


class Backlog(NamedTuple):
    """PENDING orders (counted to 100,000), the oldest one's age, and the last check of the ledger, if there was one."""

    pending: int
    oldest_age_s: float
    violations: int | None
    check_age_s: float | None


def read_backlog() -> Backlog:
    """Return what waits. Raises DatabaseUnavailable."""
    with snapshot():
        pending, check = read_pending(MAX_COUNTED), last_check()
    now, oldest = pending["at"], pending["oldest_placed_at"]
    return Backlog(
        pending["count"],
        (now - oldest).total_seconds() if oldest else 0.0,
        check["violations"] if check else None,
        (now - check["at"]).total_seconds() if check else None,
    )


def read_pending(limit: int) -> Row:
    """Return the time (at), the number of PENDING orders up to a limit, and when the oldest one was placed.

    Needs an open session.
    """
    row = fetch_one(PENDING, {"limit": limit})
    assert row is not None
    return row


def last_check() -> Row | None:
    """Return at, violations and duration_ms of the last check of the ledger; needs an open session."""
    return fetch_one("SELECT at, violations, duration_ms FROM ledger_check ORDER BY id DESC LIMIT 1")
