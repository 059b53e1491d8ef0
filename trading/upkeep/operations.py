"""The figures of the operator's page that the database knows, such as backlog, throughput and daily work."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, TypedDict

from models.database import fetch_one, snapshot
from trading.day import daily, jobs
from trading.day.jobs import JobRun
from trading.upkeep.backlog import PendingOrders, read_pending
from trading.upkeep.due_orders import DueOrder, oldest_due
from trading.upkeep.ledger_checks import LedgerCheck, last_check
from trading.upkeep.resting_orders import RestingOrders, count_resting

# No query reads more rows than NEWEST_ORDERS, however large the table is. Ids grow with time, so that the primary key
# finds the newest orders: 5,000 orders are one minute at 80 orders/s.
NEWEST_ORDERS = 5_000
MAX_COUNTED = 10_000
SERIES_S = 60
LATENCY_AGE = timedelta(minutes=5)
RATE_S = 10
SHOWN_ORDERS = 10
SHOWN_DAYS = timedelta(days=7)

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
    (SELECT count(*) FROM executions WHERE NOT is_matched) AS orders,
    (SELECT count(*) FROM executions WHERE is_matched) AS matched_orders,
    (SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms)
     FROM executions WHERE NOT is_matched) AS percentiles,
    (SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY ms)
     FROM executions WHERE is_matched) AS matched_percentiles,
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
    """Percentiles of the time to the execution, over the executions of the last 5 minutes."""

    orders: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class DailyWork(TypedDict):
    """Work that is done once a day, and the time since it was due and is not done; 0 if it is done."""

    work: str
    behind_ms: int


class Operations(TypedDict):
    """All figures of the operator's page that the database knows.

    `latency` goes from the placement, of orders that were filled at once; `fills` from the match by a quote.
    """

    at: datetime
    pending: Pending
    throughput: Throughput
    latency: Latency
    fills: Latency
    due_orders: list[DueOrder]
    daily_work: list[DailyWork]
    job_runs: list[JobRun]
    ledger_check: LedgerCheck | None
    resting: RestingOrders


class NewestOrders(TypedDict):
    """The row of NEWEST: placed and executed count orders by second."""

    orders: int
    matched_orders: int
    percentiles: list[float] | None
    matched_percentiles: list[float] | None
    cut_second: int | None
    placed: dict[str, int] | None
    executed: dict[str, int] | None


def read_operations() -> Operations:
    """Return the backlog, the throughput of the last minute, latencies, daily work, and the last check of the ledger.

    Throughput and latencies cover the newest 5,000 orders; seconds beyond them are left out.
    """
    with snapshot():
        pending = read_pending(MAX_COUNTED)
        now = pending["at"]
        since = int(now.timestamp()) - SERIES_S
        parameters = {"limit": NEWEST_ORDERS, "since": since, "latency_since": now - LATENCY_AGE}
        newest = fetch_one(NEWEST, parameters, NewestOrders)
        ledger_check = last_check()
        resting, due = count_resting(MAX_COUNTED), oldest_due(SHOWN_ORDERS)
        runs, behind_s = jobs.list_runs(now.date() - SHOWN_DAYS), daily.behind_s()
    assert newest is not None
    # The second of the oldest order that was read is incomplete, and so is the present second.
    first = since if newest["cut_second"] is None else max(since, newest["cut_second"] + 1)
    return {
        "at": now,
        "pending": _pending(pending),
        "throughput": _throughput(newest, range(first, int(now.timestamp()))),
        "latency": _latency(newest["orders"], newest["percentiles"]),
        "fills": _latency(newest["matched_orders"], newest["matched_percentiles"]),
        "due_orders": due,
        "daily_work": [{"work": work, "behind_ms": round(1000 * late_s)} for work, late_s in behind_s.items()],
        "job_runs": runs,
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


def _latency(orders: int, found: Sequence[float | None] | None) -> Latency:
    p50_ms, p95_ms, p99_ms = (None if value is None else round(value, 1) for value in found or (None, None, None))
    return {"orders": orders, "p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms}
