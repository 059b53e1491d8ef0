"""The orders for which a worker has been due the longest."""

from datetime import datetime, timedelta
from typing import TypedDict
from uuid import UUID

from models.database import fetch_all
from models.routing import session_of_all
from models.spanning import each_in_transaction

OLDEST = """
SELECT id, account_id, exchange, symbol, side, quantity, status, due_at, market_now() AS now
FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL
ORDER BY due_at, placed_at, id LIMIT %(limit)s
"""


class DueOrder(TypedDict):
    """An order for which a worker is due, and the time for which it has been."""

    id: UUID
    account_id: UUID
    exchange: str
    symbol: str
    side: str
    quantity: int
    status: str
    due_at: datetime
    age_ms: int


def oldest_due(limit: int) -> list[DueOrder]:
    """Return the due orders, the longest due first; one that is due later has an age of 0."""
    rows = []
    with session_of_all():
        for _ in each_in_transaction():
            rows += fetch_all(OLDEST, {"limit": limit})
    rows = sorted(rows, key=lambda row: row["due_at"])[:limit]
    for row in rows:
        row["age_ms"] = max(0, round((row.pop("now") - row["due_at"]) / timedelta(milliseconds=1)))
    return rows  # type: ignore[return-value]
