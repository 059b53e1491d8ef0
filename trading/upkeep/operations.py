"""The figures of the operator's page that the database knows, such as backlog, throughput and daily work."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple, TypedDict

from models.database import snapshot
from models.spanning import each_in_transaction
from trading.day import daily, jobs
from trading.day.jobs import JobRun
from trading.upkeep.backlog import PendingOrders, read_pending, sum_pending
from trading.upkeep.due_orders import DueOrder, oldest_due
from trading.upkeep.ledger_checks import LedgerCheck, last_check
from trading.upkeep.newest_orders import NewestOrders, read_newest, sum_newest
from trading.upkeep.resting_orders import RestingOrders, count_resting, sum_resting

MAX_COUNTED = 10_000
RATE_S = 10
SHOWN_ORDERS = 10
SHOWN_DAYS = timedelta(days=7)


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


class Part(NamedTuple):
    """The figures of a bucket of accounts."""

    pending: PendingOrders
    newest: NewestOrders
    resting: RestingOrders
    behind_s: dict[str, float]


def read_operations() -> Operations:
    """Return the backlog, the throughput of the last minute, latencies, daily work, and the last check of the ledger.

    Throughput and latencies cover the newest 5,000 orders; seconds beyond them are left out.
    """
    with snapshot():
        parts = [_read_part() for _ in each_in_transaction()]
        pending = sum_pending([part.pending for part in parts])
        now, ledger_check = pending["at"], last_check()
        due, runs = oldest_due(SHOWN_ORDERS), jobs.list_runs(now.date() - SHOWN_DAYS)
    newest = sum_newest([part.newest for part in parts])
    behind_s = {work: max(part.behind_s[work] for part in parts) for work in parts[0].behind_s}
    return {
        "at": now,
        "pending": _pending(pending),
        "throughput": _throughput(newest, range(newest.first, int(now.timestamp()))),
        "latency": _latency(newest.latencies_ms),
        "fills": _latency(newest.fills_ms),
        "due_orders": due,
        "daily_work": [{"work": work, "behind_ms": round(1000 * late_s)} for work, late_s in behind_s.items()],
        "job_runs": runs,
        "ledger_check": ledger_check,
        "resting": sum_resting([part.resting for part in parts]),
    }


def _read_part() -> Part:
    """Return the figures of the current bucket; needs an open snapshot."""
    pending = read_pending(MAX_COUNTED)
    return Part(pending, read_newest(pending["at"]), count_resting(MAX_COUNTED), daily.behind_s())


def _pending(found: PendingOrders) -> Pending:
    oldest = found["oldest_due_at"]
    age_ms = None if oldest is None else max(0, round((found["at"] - oldest) / timedelta(milliseconds=1)))
    return {"count": found["count"], "oldest_placed_at": oldest, "oldest_age_ms": age_ms}


def _throughput(newest: NewestOrders, seconds: range) -> Throughput:
    """Return the orders placed and executed in each of these seconds, and the means of the last ten."""
    series: list[Second] = [
        {
            "at": datetime.fromtimestamp(second, UTC),
            "placed": newest.placed[str(second)],
            "executed": newest.executed[str(second)],
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


def _latency(times_ms: Sequence[float]) -> Latency:
    ordered = sorted(times_ms)
    p50_ms, p95_ms, p99_ms = (_percentile(ordered, part) for part in (0.5, 0.95, 0.99))
    return {"orders": len(ordered), "p50_ms": p50_ms, "p95_ms": p95_ms, "p99_ms": p99_ms}


def _percentile(ordered: Sequence[float], part: float) -> float | None:
    """Return a percentile between its two neighbours, as PostgreSQL's percentile_cont does; None of no values."""
    if not ordered:
        return None
    place = part * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    return round(low + (high - low) * (place - math.floor(place)), 1)
