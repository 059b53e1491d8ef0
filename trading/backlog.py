"""How much waits to be executed, and what the last check of the ledger has found."""

from typing import NamedTuple

from models.database import fetch_one, session

# Counting more would take longer than whoever watches should wait.
MAX_COUNTED = 100_000

QUERY = """
SELECT pending, coalesce(extract(epoch FROM clock_timestamp() - oldest_placed_at), 0)::float8 AS oldest_age_s,
       violations, extract(epoch FROM clock_timestamp() - at)::float8 AS check_age_s
FROM (SELECT count(*) AS pending, min(placed_at) AS oldest_placed_at FROM (
          SELECT placed_at FROM trading_order WHERE status = 'PENDING' ORDER BY placed_at, id LIMIT %s) AS counted
     ) AS backlog
LEFT JOIN (SELECT violations, at FROM ledger_check ORDER BY id DESC LIMIT 1) AS last_check ON true
"""


class Backlog(NamedTuple):
    """PENDING orders (counted to 100,000), the oldest one's age, and the last check of the ledger, if there was one."""

    pending: int
    oldest_age_s: float
    violations: int | None
    check_age_s: float | None


def read_backlog() -> Backlog:
    """Return what waits. Raises DatabaseUnavailable."""
    with session():
        row = fetch_one(QUERY, (MAX_COUNTED,))
    assert row is not None
    return Backlog(**row)
