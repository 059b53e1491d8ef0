"""Rounds of placements with pgbench as reference, and rounds of one connection with and without a worker."""

from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

from bench.clients.load import Load

PERCENTILES = (50, 95, 99)


@dataclass
class PlacementRow:
    """The rounds for a number of connections and a number of accounts."""

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
        """Return all values by name, for JSON."""
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
    """The p50 of each round at one pace (orders per second; None is unpaced)."""

    rate: float | None
    stopped_ms: list[float] = field(default_factory=list)
    running_ms: list[float] = field(default_factory=list)
    placed: int = 0
    executed: int = 0

    def add(self, load: Load, *, executed: int, with_worker: bool) -> None:
        """Add a round with the number of its orders that were executed at its end."""
        (self.running_ms if with_worker else self.stopped_ms).append(percentiles(load.latencies_ms)["p50_ms"])
        if with_worker:
            self.placed += load.placed
            self.executed += executed
        else:
            assert executed == 0, "orders were executed although the worker is stopped"

    @property
    def pace(self) -> str:
        """Return the pace in words."""
        return "unpaced" if self.rate is None else f"{self.rate:g} orders/s"

    @property
    def executed_share(self) -> float:
        """Return the share of the orders that the running worker had executed by the end of their round."""
        return self.executed / max(1, self.placed)


def percentiles(latencies_ms: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 of latencies."""
    cuts = quantiles(latencies_ms, n=100) if len(latencies_ms) > 1 else (latencies_ms or [0.0]) * 99
    return {f"p{percent}_ms": cuts[percent - 1] for percent in PERCENTILES}
