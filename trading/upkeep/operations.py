"""What an operator watches: what waits, how fast it goes, what the last proof of the books said."""

from datetime import UTC, datetime, timedelta
from typing import Any

from models.database import Row, fetch_one, snapshot
from trading.upkeep.backlog import last_check, read_pending

# No query reads more rows than these, however many there are. Ids grow with time, so that the primary key
# finds the newest orders: at 80 a second, 5,000 fill a minute.
NEWEST_ORDERS = 5_000
MAX_COUNTED = 10_000
SERIES_S = 60
LATENCY_AGE = timedelta(minutes=5)
RATE_S = 10

NEWEST = """
WITH newest AS MATERIALIZED (
    SELECT placed_at, executed_at, floor(extract(epoch FROM placed_at))::bigint AS placed_second,
           floor(extract(epoch FROM executed_at))::bigint AS executed_second
    FROM trading_order ORDER BY id DESC LIMIT %(limit)s),
latency AS (
    SELECT 1000 * extract(epoch FROM executed_at - placed_at)::float8 AS ms
    FROM newest WHERE executed_at >= %(latency_since)s),
placed AS (
    SELECT placed_second AS second, count(*) AS orders FROM newest WHERE placed_second >= %(since)s GROUP BY 1),
executed AS (
    SELECT executed_second AS second, count(*) AS orders FROM newest WHERE executed_second >= %(since)s GROUP BY 1)
SELECT
    (SELECT count(*) FROM latency) AS orders,
    (SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms) FROM latency) AS percentiles,
    (SELECT CASE WHEN count(*) = %(limit)s THEN min(placed_second) END FROM newest) AS cut_second,
    (SELECT jsonb_object_agg(second, orders) FROM placed) AS placed,
    (SELECT jsonb_object_agg(second, orders) FROM executed) AS executed
"""


def read_operations() -> Row:
    """Return what waits, the throughput of the last minute, latencies, and the last check of the ledger.

    Throughput and latencies are those of the newest 5,000 orders; seconds that they do not cover are left out.
    """
    with snapshot():
        pending = read_pending(MAX_COUNTED)
        now: datetime = pending["at"]
        since = int(now.timestamp()) - SERIES_S
        newest = fetch_one(NEWEST, {"limit": NEWEST_ORDERS, "since": since, "latency_since": now - LATENCY_AGE})
        ledger_check = last_check()
    assert newest is not None
    # The second of the oldest order that was read is not whole, nor is the present one.
    first = since if newest["cut_second"] is None else max(since, newest["cut_second"] + 1)
    return {
        "at": now,
        "pending": _pending(pending),
        "throughput": _throughput(newest, range(first, int(now.timestamp()))),
        "latency": _latency(newest),
        "ledger_check": ledger_check,
    }


def _pending(row: Row) -> Row:
    oldest: datetime | None = row["oldest_placed_at"]
    age_ms = None if oldest is None else max(0, round((row["at"] - oldest) / timedelta(milliseconds=1)))
    return {"count": row["count"], "oldest_placed_at": oldest, "oldest_age_ms": age_ms}


def _throughput(row: Row, seconds: range) -> Row:
    """Return what happened in each of these seconds, and the means of the last ten."""
    placed, executed = row["placed"] or {}, row["executed"] or {}
    series = [
        {
            "at": datetime.fromtimestamp(second, UTC),
            "placed": placed.get(str(second), 0),
            "executed": executed.get(str(second), 0),
        }
        for second in seconds
    ]
    return {
        "placed_per_second": _mean(series[-RATE_S:], "placed"),
        "executed_per_second": _mean(series[-RATE_S:], "executed"),
        "seconds": series,
    }


def _mean(series: list[Row], name: str) -> float:
    total: int = sum(second[name] for second in series)
    return round(total / max(1, len(series)), 1)


def _latency(row: Row) -> Row:
    percentiles: list[Any] = row["percentiles"] or [None] * 3
    names = ("p50_ms", "p95_ms", "p99_ms")
    rounded = (None if value is None else round(value, 1) for value in percentiles)
    return {"orders": row["orders"], **dict(zip(names, rounded, strict=True))}
