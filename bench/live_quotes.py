"""Measure live quotes: one web process, a thousand listeners that watch fifty stocks each, 1,000 quotes a second."""

import argparse
import multiprocessing
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.clients.load import Connection, LoadError, exchange, order_request
from bench.clients.streams import StreamError
from bench.clients.watchers import Found, serve
from bench.listeners import REST_RATIO_ALLOWED, Bench
from bench.parts.resting import ABOVE, RESTING_PREFIX, Feeder, quote_stocks
from bench.reports.figures import Figure
from bench.reports.page import LIVE_QUOTES, live_quoted, report
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS, EXCHANGE
from bench.services import run_to_the_end, running
from embedded.interruption import Interruption
from trading.upkeep.verify import verify

QUOTES_OF_REQUEST, FEEDERS = 10, 4
ORDERS_PER_SECOND = 25.0  # two events each
TICK_P99_MS, EVENT_P99_MS, MEMORY_ALLOWED_KB = 500.0, 250.0, 60.0
SETTLE_S = 2.0


class Pace(threading.Thread):
    """Sends requests at a steady pace over a connection of its own until it is stopped."""

    def __init__(self, port: int, requests: Sequence[bytes], per_second: float) -> None:
        super().__init__(daemon=True)
        self.link, self.requests, self.per_second = Connection(port), requests, per_second
        self.sent, self.latest_s = 0, 0.0
        self.failure: Exception | None = None
        self._done = threading.Event()

    def run(self) -> None:
        began = time.monotonic()
        try:
            while not self._done.is_set():
                due = began + self.sent / self.per_second
                time.sleep(max(0.0, due - time.monotonic()))
                exchange(self.link, self.next_request())
                self.sent += 1
                self.latest_s = max(self.latest_s, time.monotonic() - due)
        except Exception as error:  # noqa: BLE001  stop() raises it
            self.failure = error

    def next_request(self) -> bytes:
        """Return the request that is due."""
        return self.requests[self.sent % len(self.requests)]

    def stop(self) -> None:
        """Stop, and raise what has failed."""
        self._done.set()
        self.join()
        if self.failure is not None:
            raise self.failure


class Crowd:
    """The process of the listeners."""

    def __init__(self, port: int, serve: Callable[[Any, int], None] = serve) -> None:
        context = multiprocessing.get_context("spawn")
        self.control, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other, port), daemon=True)
        self.process.start()
        other.close()

    def ask(self, command: str, *arguments: Any) -> Any:
        """Let the process do something, and return its answer."""
        self.begin(command, *arguments)
        return self.answer()

    def begin(self, command: str, *arguments: Any) -> None:
        """Let the process do something."""
        self.control.send((command, arguments))

    def answer(self) -> Any:
        """Return the answer to the last command."""
        found = self.control.recv()
        if isinstance(found, Exception):
            raise found
        return found

    def leave(self) -> None:
        """End the process."""
        self.control.close()
        self.process.join(10)


def _measure(bench: Bench, options: argparse.Namespace) -> list[Figure]:
    quote_stocks(stocks=options.stocks)
    worker, crowd = psutil.Process(bench.worker_pid), Crowd(bench.services.port)
    feeder = Feeder(bench.services)
    # Each feeder has stocks of its own, and a rate that one connection keeps.
    requests = [
        [
            feeder.request(range(first, first + QUOTES_OF_REQUEST), ABOVE + Decimal(turn))
            for turn in (1, 2)
            for first in range(1 + number * QUOTES_OF_REQUEST, options.stocks, FEEDERS * QUOTES_OF_REQUEST)
        ]
        for number in range(FEEDERS)
    ]
    rate = options.quotes / QUOTES_OF_REQUEST / FEEDERS
    feeders = [Pace(bench.services.port, own, rate) for own in requests]
    for one in feeders:
        one.start()
    bench.rest_p50_ms()  # warm up
    progress("requests beside quotes that nobody watches")
    before_cpu, began = worker.cpu_times(), time.monotonic()
    alone, before_kb = bench.rest_p50_ms(), bench.memory_kb()
    alone_cpu = share_of(worker, before_cpu, began)
    progress(f"{options.listeners} listeners join")
    keys = [f"{EXCHANGE}:{RESTING_PREFIX}{number}" for number in range(1, options.stocks + 1)]
    crowd.ask("join", bench.tokens, keys, options.watched)
    crowd.ask("measure", SETTLE_S)
    progress("ticks and events")
    orders = Pace(
        bench.services.port,
        [order_request(bench.services.port, 1 + number) for number in range(bench.accounts)],
        ORDERS_PER_SECOND,
    )
    orders.start()
    crowd.begin("measure", options.seconds)
    before_cpu, began, sent = worker.cpu_times(), time.monotonic(), sum(one.sent for one in feeders)
    found: Found = crowd.answer()
    stored = (sum(one.sent for one in feeders) - sent) * QUOTES_OF_REQUEST / (time.monotonic() - began)
    cpu, kb = share_of(worker, before_cpu, began), bench.memory_kb()
    orders.stop()
    progress("requests beside listeners")
    beside = bench.rest_p50_ms()
    for one in feeders:
        one.stop()
    crowd.leave()
    memory = [(after - before) / options.listeners for after, before in zip(kb, before_kb, strict=True)]
    return _figures(options, found, {"quotes": stored, "cpu": cpu, "alone_cpu": alone_cpu}, memory, alone, beside)


def share_of(process: psutil.Process, before: Any, began: float) -> float:
    """Return the share of a core in percent that a process has taken since the times `before`."""
    now = process.cpu_times()
    used_s: float = now.user + now.system - before.user - before.system
    return 100 * used_s / (time.monotonic() - began)


def _figures(
    options: argparse.Namespace,
    found: Found,
    rates: dict[str, float],
    memory: list[float],
    alone: dict[str, float],
    beside: dict[str, float],
) -> list[Figure]:
    ticks, events = percentiles(found.tick_delays_ms), percentiles(found.event_delays_ms)
    told = Figure("ticks", "quote's time → tick on the socket, p99", "ms", [ticks["p99_ms"]])
    told.remarks = (
        f"p50 {ticks['p50_ms']:.0f} ms, p95 {ticks['p95_ms']:.0f} ms, highest {max(found.tick_delays_ms):.0f} ms;"
        f" {found.ticks / options.seconds:,.0f} ticks/s in all of {rates['quotes']:,.0f} quotes/s;"
        f" the web process takes {rates['cpu']:.0f} % of a core, {rates['alone_cpu']:.0f} % without listeners"
        f" (with the requests below), and the clients take {100 * found.cpu_s / options.seconds:.0f} %"
    )
    meanwhile = Figure("events", "event's time → listener meanwhile, p99", "ms", [events["p99_ms"]])
    meanwhile.remarks = f"p50 {events['p50_ms']:.1f} ms of {len(found.event_delays_ms):,} deliveries"
    held = Figure("tick_memory", "memory of a listener that watches, resident", "KB", memory[:1])
    held.remarks = f"{memory[1]:.1f} KB by its proportional share (PSS)"
    figures = [
        told.at_most("p99", ticks["p99_ms"], TICK_P99_MS, unit="ms"),
        meanwhile.at_most("p99", events["p99_ms"], EVENT_P99_MS, unit="ms"),
        held.at_most("memory", memory[0], MEMORY_ALLOWED_KB, unit="KB"),
    ]
    for name, value in beside.items():
        title = f"p50 of {name} beside them, 1 connection"
        figure = Figure(f"ticks_{name}", title, "ms", [value], "the same quotes without listeners", [alone[name]])
        figures.append(figure.at_most("ratio", median(figure.ratios), REST_RATIO_ALLOWED))
    return figures


def _run(interruption: Interruption, options: argparse.Namespace, allowed: tuple[int, int]) -> int:
    with running(interruption, web_concurrency=1) as services:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)
        figures = _measure(Bench(services, options), options)
        wrong = [str(violation) for violation in verify()]
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "listeners": options.listeners,
        "watched": options.watched,
        "stocks": options.stocks,
        "quotes": options.quotes,
        "figures": [figure.as_dict() for figure in figures],
        "wrong": wrong,
    }
    return report(options.json, document, live_quoted(document), "the ledgers are right, and no stream broke")


def progress(text: str) -> None:
    """Print a line about the progress."""
    print(f"... {text}", file=sys.stderr, flush=True)


def main() -> int:
    """Run the benchmark and return 0 if no check has failed, whether or not the goals are reached."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.listeners + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        print(f"the limit on open files is {hard}, but the benchmark needs {needed}", file=sys.stderr)
        return 1
    allowed = (max(soft, needed), hard)
    return run_to_the_end(lambda interruption: _run(interruption, options, allowed), LoadError, StreamError)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.live_quotes", description=__doc__)
    parser.add_argument("--listeners", type=int, default=1_000, help="number of listeners (1000)")
    parser.add_argument("--watched", type=int, default=50, help="stocks that each of them watches (50)")
    parser.add_argument("--stocks", type=int, default=500, help="stocks that are quoted (500)")
    parser.add_argument("--quotes", type=int, default=1_000, help="quotes per second (1000)")
    parser.add_argument("--accounts", type=int, default=500, help="accounts with listeners (500)")
    parser.add_argument("--seconds", type=float, default=15.0, help="seconds of a measurement (15)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=LIVE_QUOTES, help="the file for the results")
    options = parser.parse_args(arguments)
    if min(options.listeners, options.watched, options.quotes, options.accounts, options.seconds) < 1:
        parser.error("every number must be at least 1")
    if options.accounts >= ACCOUNTS or options.watched > options.stocks or options.stocks % QUOTES_OF_REQUEST:
        parser.error(f"--accounts must be below {ACCOUNTS}, --stocks a multiple of 10 and at least --watched")
    return options


if __name__ == "__main__":
    sys.exit(main())
