"""The time to execution on an idle system, and the cost of an idle worker, compared with Dramatiq's consumer.

Two complete services run at the same time and differ only in the worker's consumer. They get orders alternately, so
that each is idle when its next order arrives, and both share the state of the machine.
"""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil

from bench.clients.load import Connection, build_requests, exchange
from bench.reports.figures import Figure
from bench.reports.report import percentiles
from bench.services import Services
from models.database import fetch_all, session
from tests.support.processes import Running, wait_until
from trading.upkeep.backlog import count_pending
from trading.upkeep.verify import verify

ORDERS = 200
PAUSE_S = 0.4  # after an order of either service, so that each service has twice that pause
P50_ALLOWED_MS = 10.0
RATIO_ALLOWED = 0.05
COMMANDS_ALLOWED = 20.0  # per second
CORE_ALLOWED_PERCENT = 2.0
LAST_WORD = "end of the measurement"
MEASURING = 3  # the commands of the measurement: MONITOR, ECHO and an INFO
SETTLING_S = 3.0  # until the pauses of a polling consumer have reached their maximum

DELAYS = (
    "SELECT extract(epoch FROM executed_at - placed_at) * 1000 AS delay_ms FROM trading_order ORDER BY placed_at, id"
)


@dataclass
class Side:
    """One of the two services with its worker."""

    services: Services
    worker: Running

    def __post_init__(self) -> None:
        self.link = Connection(self.services.port)
        self.requests = iter(build_requests(1, port=self.services.port))
        self.placed = 0

    def place(self) -> None:
        """Place an order and wait for its 202."""
        exchange(self.link, next(self.requests))
        self.placed += 1

    def delays_ms(self) -> list[float]:
        """Return the milliseconds from acceptance to execution of each order by the database's clock, oldest first."""
        self.services.use()
        wait_until(lambda: count_pending() == 0, what="every order is executed")
        with session():
            return [float(row["delay_ms"]) for row in fetch_all(DELAYS)]

    def processor_s(self) -> float:
        """Return the processor time of the worker's processes so far."""
        members = [psutil.Process(self.worker.pid), *self.worker.children()]
        return sum(sum(member.cpu_times()[:2]) for member in members)

    def commands(self) -> int:
        """Return the number of commands that Redis has run so far, including those that scripts call."""
        found: dict[str, Any] = self.services.redis.info("commandstats")
        return sum(facts["calls"] for facts in found.values())

    def check(self) -> list[str]:
        """Return the failures of the run: orders without an execution, and wrong ledgers."""
        self.services.use()
        with session():
            kept = len(fetch_all("SELECT id FROM trading_order WHERE status = 'EXECUTED'"))
        wrong = [] if kept == self.placed else [f"{self.placed} orders were accepted, {kept} were executed"]
        return wrong + [str(violation) for violation in verify()]


def start_sides(ours: Services, stock: Services) -> tuple[Side, Side]:
    """Start a worker of each kind, and place some orders to warm up."""
    sides = Side(ours, ours.start_worker(LOG_FORMAT="json")), Side(stock, stock.start_worker(is_stock=True))
    for _ in range(20):
        for side in sides:
            side.place()
            time.sleep(0.05)
    return sides


def accepted_to_executed(
    sides: tuple[Side, Side], *, rounds: int, orders: int = ORDERS
) -> tuple[list[list[float]], Figure]:
    """Place orders one by one on each side, and return their delays (ms) and the figure."""
    before = [side.placed for side in sides]
    for _ in range(orders):
        for side in sides:
            time.sleep(PAUSE_S)
            side.place()
    delays = [side.delays_ms()[begun:] for side, begun in zip(sides, before, strict=True)]
    size = max(1, orders // rounds)
    parts = [[median(delay[start : start + size]) for start in range(0, orders, size)] for delay in delays]
    ours, stock = (percentiles(delay) for delay in delays)
    figure = Figure(
        "accepted_to_executed",
        f"accepted → EXECUTED, idle system, {orders} orders one by one, p50",
        "ms",
        parts[0],
        "Dramatiq's stock consumer",
        parts[1],
        remarks=f"p50, p95, p99: {_three(ours)} ms; stock {_three(stock)} ms",
    )
    figure.at_most("p50", ours["p50_ms"], P50_ALLOWED_MS, unit="ms")
    return delays, figure.at_most("ratio", figure.ratio or 0.0, RATIO_ALLOWED)


@contextlib.contextmanager
def heard(side: Side) -> Iterator[Counter[str]]:
    """Count the commands sent to Redis, by name, while the block runs; commands of scripts are left out."""
    counts: Counter[str] = Counter()
    with side.services.redis.monitor() as monitor:  # type: ignore[no-untyped-call]
        thread = threading.Thread(target=_listen, args=(monitor, counts))
        thread.start()
        yield counts
        side.services.redis.echo(LAST_WORD)
        thread.join()


def _listen(monitor: Any, counts: Counter[str]) -> None:
    for one in monitor.listen():
        name, _, rest = one["command"].partition(" ")
        if rest == LAST_WORD:
            return
        if one["client_type"] != "lua":
            counts[name.lower()] += 1


def idle_cost(sides: tuple[Side, Side], *, rounds: int, seconds: float) -> list[Figure]:
    """Measure the Redis commands and the processor time of both idle workers at the same time."""
    sent: list[list[float]] = [[], []]
    ran: list[list[float]] = [[], []]
    percents: list[list[float]] = [[], []]
    time.sleep(SETTLING_S)
    for _ in range(rounds):
        before = [(side.processor_s(), side.commands()) for side in sides]
        began = time.monotonic()
        with heard(sides[0]) as ours, heard(sides[1]) as stock:
            time.sleep(seconds)
        took_s = time.monotonic() - began
        for number, (side, counts) in enumerate(zip(sides, (ours, stock), strict=True)):
            used_s, commands = before[number]
            percents[number].append(100 * (side.processor_s() - used_s) / took_s)
            ran[number].append((side.commands() - commands - MEASURING) / took_s)
            sent[number].append(counts.total() / took_s)
    asked = Figure(
        "idle_commands", "Redis commands that an idle worker sends", "commands/s", sent[0], "stock consumer", sent[1]
    )
    asked.remarks = (
        f"including the commands of Dramatiq's scripts, by INFO commandstats: {median(ran[0]):.0f} commands/s,"
        f" stock {median(ran[1]):.0f}"
    )
    used = Figure(
        "idle_processor",
        "processor of an idle worker, its main process included",
        "% of a core",
        percents[0],
        "stock consumer",
        percents[1],
    )
    asked.at_most("sent per second", asked.value, COMMANDS_ALLOWED)
    return [asked, used.at_most("of a core", used.value, CORE_ALLOWED_PERCENT, unit="%")]


def _three(found: dict[str, float]) -> str:
    return ", ".join(f"{found[f'p{percent}_ms']:.1f}" for percent in (50, 95, 99))
