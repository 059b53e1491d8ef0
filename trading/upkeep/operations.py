"""The figures of the operator's page: backlog, throughput, latency, and the last check of the ledger."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypedDict

from models.database import fetch_one, snapshot
from trading.upkeep.backlog import PendingOrders, read_pending
from trading.upkeep.ledger_checks import LedgerCheck, last_check
from trading.upkeep.resting_orders import RestingOrders, count_resting

# No query reads more rows than NEWEST_ORDERS, however large the table is. Ids grow with time, so that the primary key
# finds the newest orders: 5,000 orders are one minute at 80 orders/s.
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


class Pending(TypedDict):
    """The number of due orders (counted to 10,000), and the time since which the oldest one is due."""

    count: int
    oldest_placed_at: datetime | None
    oldest_age_ms: int | None


class Second(TypedDict):
    """The numbers of orders placed and executed in one second."""

    at: datetime
    placed: int
    executed: int


class Throughput(TypedDict):
    """The seconds of the last minute, and the mean rates of the last 10 s."""

    placed_per_second: float
    executed_per_second: float
    seconds: list[Second]


class Latency(TypedDict):
    """Percentiles of the time from placement to execution, over the executions of the last 5 minutes."""

    orders: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class Operations(TypedDict):
    """All figures of the operator's page that the database knows."""

    at: datetime
    pending: Pending
    throughput: Throughput
    latency: Latency
    ledger_check: LedgerCheck | None
    resting: RestingOrders


class NewestOrders(TypedDict):
    """The row of NEWEST: placed and executed count orders by second."""

    orders: int
    percentiles: list[float] | None
    cut_second: int | None
    placed: dict[str, int] | None
    executed: dict[str, int] | None


def read_operations() -> Operations:
    """Return the backlog, the throughput of the last minute, latencies, and the last check of the ledger.

    Throughput and latencies cover the newest 5,000 orders; seconds beyond them are left out.
    """
    with snapshot():
        pending = read_pending(MAX_COUNTED)
        now = pending["at"]
        since = int(now.timestamp()) - SERIES_S
        parameters = {"limit": NEWEST_ORDERS, "since": since, "latency_since": now - LATENCY_AGE}
        newest = fetch_one(NEWEST, parameters, NewestOrders)
        ledger_check = last_check()
        resting = count_resting(MAX_COUNTED)
    assert newest is not None
    # The second of the oldest order that was read is incomplete, and so is the present second.
    first = since if newest["cut_second"] is None else max(since, newest["cut_second"] + 1)
    return {
        "at": now,
        "pending": _pending(pending),
        "throughput": _throughput(newest, range(first, int(now.timestamp()))),
        "latency": _latency(newest),
        "ledger_check": ledger_check,
        "resting": resting,
    }


def _pending(found: PendingOrders) -> Pending:
    oldest = found["oldest_due_at"]
    age_ms = None if oldest is None else max(0, round((found["at"] - oldest) / timedelta(milliseconds=1)))
    return {"count": found["count"], "oldest_placed_at": oldest, "oldest_age_ms": age_ms}


def _throughput(newest: NewestOrders, seconds: range) -> Throughput:
    """Return the orders placed and executed in each of these seconds, and the means of the last ten."""
    placed, executed = newest["placed"] or {}, newest["executed"] or {}
    series: list[Second] = [
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


def _mean(series: Sequence[Second], name: Literal["placed", "executed"]) -> float:
    return round(sum(second[name] for second in series) / max(1, len(series)), 1)


def _latency(newest: NewestOrders) -> Latency:
    percentiles: Sequence[float | None] = newest["percentiles"] or (None, None, None)
    p50_ms, p95_ms, p99_ms = (None if value is None else round(value, 1) for value in percentiles)
    return {"orders": newest["orders"], "p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms}
