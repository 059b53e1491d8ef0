"""The newest orders of all accounts: how many were placed and executed in each second, and how long each took."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypedDict

from models import buckets
from models.database import fetch_one

# All buckets together read no more rows, however large the tables are. Ids grow with time, so that the primary key
# finds the newest orders: 5,000 orders are one minute at 80 orders/s.
NEWEST_ORDERS = 5_000
SERIES_S = 60
LATENCY_AGE = timedelta(minutes=5)

NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT placed_at, executed_at, matched_at, floor(extract(epoch FROM placed_at))::bigint AS placed_second,
           floor(extract(epoch FROM executed_at))::bigint AS executed_second
    FROM trading_order ORDER BY id DESC LIMIT %(limit)s),
executions AS (
    SELECT matched_at IS NOT NULL AS is_matched,
           1000 * extract(epoch FROM executed_at - coalesce(matched_at, placed_at))::float8 AS ms
    FROM newest WHERE executed_at >= %(latency_since)s),
placed AS (
    SELECT placed_second AS second, count(*) AS orders FROM newest WHERE placed_second >= %(since)s GROUP BY 1),
executed AS (
    SELECT executed_second AS second, count(*) AS orders FROM newest WHERE executed_second >= %(since)s GROUP BY 1)
SELECT
    (SELECT array_agg(ms) FROM executions WHERE NOT is_matched) AS latencies_ms,
    (SELECT array_agg(ms) FROM executions WHERE is_matched) AS fills_ms,
    (SELECT CASE WHEN count(*) = %(limit)s THEN min(placed_second) END FROM newest) AS cut_second,
    (SELECT jsonb_object_agg(second, orders) FROM placed) AS placed,
    (SELECT jsonb_object_agg(second, orders) FROM executed) AS executed
"""


class Found(TypedDict):
    """The row of NEWEST: placed and executed count orders by second."""

    latencies_ms: list[float] | None
    fills_ms: list[float] | None
    cut_second: int | None
    placed: dict[str, int] | None
    executed: dict[str, int] | None


class NewestOrders(NamedTuple):
    """The orders placed and executed by second, the first whole second, and the times that executions have taken.

    `latencies_ms` go from the placement, of orders that were filled at once; `fills_ms` from the match by a quote.
    """

    placed: Counter[str]
    executed: Counter[str]
    first: int
    latencies_ms: list[float]
    fills_ms: list[float]


def read_newest(now: datetime) -> NewestOrders:
    """Return the newest orders of the current bucket; needs an open session."""
    since = int(now.timestamp()) - SERIES_S
    limit = NEWEST_ORDERS // len(buckets.shards())
    found = fetch_one(NEWEST, {"since": since, "latency_since": now - LATENCY_AGE, "limit": limit}, Found)
    assert found is not None
    return NewestOrders(
        Counter(found["placed"] or {}),
        Counter(found["executed"] or {}),
        # The second of the oldest order that was read is incomplete.
        since if found["cut_second"] is None else max(since, found["cut_second"] + 1),
        found["latencies_ms"] or [],
        found["fills_ms"] or [],
    )


def sum_newest(parts: Sequence[NewestOrders]) -> NewestOrders:
    """Return the orders of all buckets, given those of each."""
    total = NewestOrders(Counter(), Counter(), max(part.first for part in parts), [], [])
    for part in parts:
        total.placed.update(part.placed)
        total.executed.update(part.executed)
        total.latencies_ms.extend(part.latencies_ms)
        total.fills_ms.extend(part.fills_ms)
    return total
