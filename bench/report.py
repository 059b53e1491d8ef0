"""What came of the benchmark: medians and ratios, as a table for people and as JSON for programs."""

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from bench.load import Load

RATIO_REQUIRED = 0.20  # at 16 connections on 1,000 accounts
RATIO_CONNECTIONS, RATIO_ACCOUNTS = 16, 1_000
DIFFERENCE_ALLOWED = 30.0  # percent, between the 202's p50 with the worker running and stopped
PERCENTILES = (50, 95, 99)


@dataclass
class PlacementRow:
    """The rounds of one number of connections on one number of accounts."""

    accounts: int
    connections: int
    http_rates: list[float] = field(default_factory=list)
    reference_rates: list[float] = field(default_factory=list)
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, load: Load) -> None:
        """Add a round over HTTP."""
        self.http_rates.append(load.orders_per_second)
        self.latencies_ms += load.latencies_ms

    @property
    def ratio(self) -> float:
        """Return the ratio of the medians."""
        return median(self.http_rates) / median(self.reference_rates)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "accounts": self.accounts,
            "connections": self.connections,
            "http_per_second": median(self.http_rates),
            "pgbench_per_second": median(self.reference_rates),
            "ratio": self.ratio,
            "http_rounds": self.http_rates,
            "pgbench_rounds": self.reference_rates,
            **percentiles(self.latencies_ms),
        }


@dataclass
class WorkerRow:
    """The p50 of each round at one pace (orders per second, None as fast as answers come)."""

    rate: float | None
    stopped_ms: list[float] = field(default_factory=list)
    running_ms: list[float] = field(default_factory=list)
    placed: int = 0
    executed: int = 0

    def add(self, load: Load, *, executed: int, with_worker: bool) -> None:
        """Add a round, with how many of its orders had been executed at its end."""
        (self.running_ms if with_worker else self.stopped_ms).append(percentiles(load.latencies_ms)["p50_ms"])
        if with_worker:
            self.placed += load.placed
            self.executed += executed
        else:
            assert executed == 0, "somebody executes orders although the worker is stopped"

    @property
    def pace(self) -> str:
        """Return the pace in words."""
        return "unpaced" if self.rate is None else f"{self.rate:g} orders/s"

    @property
    def difference_percent(self) -> float:
        """Return by how much the median p50 with the worker running is above the one without."""
        return (median(self.running_ms) / median(self.stopped_ms) - 1) * 100

    @property
    def executed_share(self) -> float:
        """Return the share of the orders that the running worker had executed by the end of their round."""
        return self.executed / max(1, self.placed)

    def as_dict(self) -> dict[str, Any]:
        """Return the figures by name."""
        return {
            "rate": self.rate,
            "stopped_p50_ms": median(self.stopped_ms),
            "running_p50_ms": median(self.running_ms),
            "difference_percent": self.difference_percent,
            "executed_share": self.executed_share,
            "stopped_rounds_ms": self.stopped_ms,
            "running_rounds_ms": self.running_ms,
        }


def percentiles(latencies_ms: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of latencies."""
    cuts = quantiles(latencies_ms, n=100) if len(latencies_ms) > 1 else (latencies_ms or [0.0]) * 99
    return {f"p{percent}_ms": cuts[percent - 1] for percent in PERCENTILES}


def judge(rows: list[PlacementRow], worker_rows: list[WorkerRow]) -> list[dict[str, Any]]:
    """Return for each number that is required what was measured and whether it is reached."""
    ratios = [
        {
            "required": f"ratio at {row.connections} connections on {row.accounts} accounts >= {RATIO_REQUIRED:.2f}",
            "measured": f"{row.ratio:.3f}",
            "reached": row.ratio >= RATIO_REQUIRED,
        }
        for row in rows
        if (row.connections, row.accounts) == (RATIO_CONNECTIONS, RATIO_ACCOUNTS)
    ]
    differences = [
        {
            "required": f"p50 with the worker running differs by < {DIFFERENCE_ALLOWED:g} %, {row.pace}",
            "measured": f"{row.difference_percent:+.1f} %",
            "reached": abs(row.difference_percent) < DIFFERENCE_ALLOWED,
        }
        for row in worker_rows
    ]
    return ratios + differences


def document(
    rows: list[PlacementRow], worker_rows: list[WorkerRow], requirements: list[dict[str, Any]], wrong: list[str]
) -> dict[str, Any]:
    """Return everything as JSON takes it."""
    return {
        "placement": [row.as_dict() for row in rows],
        "worker": [row.as_dict() for row in worker_rows],
        "requirements": requirements,
        "wrong": wrong,
    }


def text(
    rows: list[PlacementRow], worker_rows: list[WorkerRow], requirements: list[dict[str, Any]], wrong: list[str]
) -> str:
    """Return everything as a plain table, with what is required and what went wrong below it."""
    lines = ["", "accounts  connections  HTTP orders/s  pgbench tps  ratio   p50 ms   p95 ms   p99 ms"]
    for row in rows:
        figures = row.as_dict()
        lines.append(
            f"{row.accounts:8d}  {row.connections:11d}  {figures['http_per_second']:13.0f}"
            f"  {figures['pgbench_per_second']:11.0f}  {row.ratio:5.3f}"
            + "".join(f"  {figures[f'p{percent}_ms']:7.2f}" for percent in PERCENTILES)
        )
    lines += ["", "1 connection    p50 ms, worker stopped  p50 ms, worker running  difference  executed meanwhile"]
    for worker_row in worker_rows:
        figures = worker_row.as_dict()
        lines.append(
            f"{worker_row.pace:14s}  {figures['stopped_p50_ms']:22.2f}  {figures['running_p50_ms']:22.2f}"
            f"  {worker_row.difference_percent:+8.1f} %  {worker_row.executed_share:18.0%}"
        )
    lines.append("")
    for entry in requirements:
        verdict = "reached" if entry["reached"] else "NOT REACHED"
        lines.append(f"{verdict:11s}  {entry['required']}: {entry['measured']}")
    lines += [f"WRONG: {fact}" for fact in wrong] or ["the books are right, and every accepted order is there"]
    return "\n".join(lines)
