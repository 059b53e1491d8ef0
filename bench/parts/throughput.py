"""Placements per second compared with pgbench, their latency at half of that load, and the cost of execution."""

import threading
import time
from dataclasses import dataclass, field
from statistics import linear_regression, median

from bench.clients.load import CONNECTIONS
from bench.parts.placement import Bench
from bench.reports.figures import Figure
from bench.reports.report import PlacementRow, percentiles
from bench.seeding import ACCOUNTS
from trading.upkeep.backlog import count_pending

RATIO_REQUIRED, RATIO_STRETCH = 0.30, 0.40
DIFFERENCE_ALLOWED = 30.0  # percent, between the p50 of the 202 with the worker running and stopped
TAIL_ALLOWED = 4.0  # p99 as a multiple of p50
BOTH_REQUIRED = 0.50
GROWTH_ALLOWED_PERCENT = 1.0  # of the executed orders per second, over the minute


def placements(bench: Bench, *, accounts: int) -> tuple[PlacementRow, Figure]:
    """Measure placements over 16 connections and by 16 clients of pgbench."""
    row = bench.compare(accounts=accounts, connections=CONNECTIONS)
    whose = f"{accounts:,} accounts" if accounts > 1 else "one account"
    figure = Figure(
        "placements" if accounts > 1 else "placements_one_account",
        f"placements over HTTP, {CONNECTIONS} connections, {whose}",
        "orders/s",
        row.http_rates,
        f"pgbench, the plain sequence, {CONNECTIONS} clients",
        row.reference_rates,
    )
    for limit, word in ((RATIO_REQUIRED, "ratio"), (RATIO_STRETCH, "stretch: ratio")):
        figure.at_least(word, row.ratio, limit)
    return row, figure


def beside_the_worker(bench: Bench) -> list[Figure]:
    """Measure the p50 of one connection with the worker running and stopped, paced and unpaced."""
    figures = []
    for row in bench.compare_worker():
        name = "worker_beside" if row.rate is None else "worker_beside_paced"
        title = f"p50 of the 202 at 1 connection, {row.pace}, the worker running"
        remarks = f"{row.executed_share:.0%} of the orders were executed meanwhile"
        figure = Figure(name, title, "ms", row.running_ms, "the worker stopped", row.stopped_ms, remarks=remarks)
        assert figure.ratio is not None
        figures.append(figure.at_most("difference", abs(figure.ratio - 1) * 100, DIFFERENCE_ALLOWED, unit="%"))
    return figures


def tail(bench: Bench, *, full_rate: float, seconds: float) -> tuple[list[float], Figure]:
    """Measure the latencies (ms) at half of the rate of 16 connections, and those of pgbench at the same pace."""
    rate, latencies = full_rate / 2, list[float]()
    ours, plain = (Figure("tail", "", "ms", [], "p50 of the same orders") for _ in range(2))
    for _ in range(bench.rounds):
        load = bench.pace(accounts=ACCOUNTS, connections=CONNECTIONS, rate=rate, seconds=seconds)
        bench.services.settle()
        reference = bench.refer_at_pace(accounts=ACCOUNTS, clients=CONNECTIONS, rate=rate, seconds=round(seconds))
        bench.services.settle()
        latencies += load.latencies_ms
        for figure, measured in ((ours, load.latencies_ms), (plain, reference)):
            found = percentiles(list(measured))
            figure.rounds.append(found["p99_ms"])
            figure.reference_rounds.append(found["p50_ms"])
    ours.title = f"placement latency p99 at half that load ({rate:.0f} orders/s)"
    ours.remarks = (
        f"pgbench, sent the plain sequence at that pace: p99 {plain.value:.1f} ms, {plain.ratio or 0:.2f} times its p50"
        f" ({min(plain.ratios):.2f} to {max(plain.ratios):.2f})"
    )
    return latencies, ours.at_most("ratio", ours.ratio or 0.0, TAIL_ALLOWED)


@dataclass
class Backlog:
    """Counts the PENDING orders once a second in its own thread."""

    seconds: list[float] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "Backlog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        start = time.monotonic()
        while not self._done.wait(1.0):
            self.counts.append(count_pending())
            self.seconds.append(time.monotonic() - start)

    @property
    def growth(self) -> float:
        """Return the growth of the backlog in orders per second."""
        return linear_regression(self.seconds, self.counts).slope if len(self.counts) > 1 else 0.0


def placed_and_executed(bench: Bench, *, seconds: float, sustained_seconds: float) -> Figure:
    """Measure placement alternately with and without execution, then with it for a longer time."""
    alone: list[float] = []
    both: list[float] = []
    for number in range(bench.rounds):
        for with_worker in (False, True) if number % 2 == 0 else (True, False):
            if with_worker:
                both.append(executed_per_second(bench, seconds)[0])
            else:
                alone.append(bench.place(accounts=ACCOUNTS, connections=CONNECTIONS, seconds=seconds).orders_per_second)
            bench.services.settle()
    sustained, backlog = executed_per_second(bench, sustained_seconds)
    bench.services.settle()
    growth_percent = 100 * backlog.growth / sustained
    figure = Figure(
        "placed_and_executed",
        f"orders placed and executed, {CONNECTIONS} connections",
        "orders/s",
        both,
        "placements alone",
        alone,
        remarks=f"sustained for {sustained_seconds:g} s: {sustained:.0f} orders/s,"
        f" {max(backlog.counts, default=0)} PENDING at the most, {median(backlog.counts or [0]):.0f} in the median",
    )
    figure.at_least("ratio", figure.ratio or 0.0, BOTH_REQUIRED)
    figure.at_least(f"ratio over {sustained_seconds:g} s", sustained / median(alone), BOTH_REQUIRED)
    return figure.at_most("growth of the backlog", growth_percent, GROWTH_ALLOWED_PERCENT, unit="% of the rate")


def executed_per_second(bench: Bench, seconds: float) -> tuple[float, Backlog]:
    """Place orders while a worker runs, and return the executed orders per second and the backlog meanwhile."""
    worker = bench.services.start_worker()
    began = time.monotonic()
    with Backlog() as backlog:
        load = bench.place(accounts=ACCOUNTS, connections=CONNECTIONS, seconds=seconds)
        executed = load.placed - count_pending(load.placed)
        took_s = time.monotonic() - began
    worker.terminate()
    return executed / took_s, backlog
