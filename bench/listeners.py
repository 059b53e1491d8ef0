"""Measure a web process with thousands of listeners: memory, delivery, and the latency of other requests."""

import argparse
import re
import resource
import selectors
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.clients.load import Connection, LoadError, exchange, order_request, request
from bench.clients.streams import Crowd, StreamError
from bench.door_to_socket import from_door_to_socket
from bench.reports.figures import Figure
from bench.reports.page import LISTENERS, listening, report
from bench.reports.report import percentiles
from bench.seeding import ACCOUNTS, token_of
from bench.services import READY_TIMEOUT_S, Services, run_to_the_end, running
from embedded.interruption import Interruption
from tests.support.processes import wait_until
from trading.upkeep.verify import verify

MEMORY_ALLOWED_KB = 45.0
DELIVERY_P50_MS, DELIVERY_P99_MS = 20.0, 250.0
REST_RATIO_ALLOWED = 1.5
EVENTS_PER_SECOND = 100.0
EVENTS_PER_ORDER = 2  # account.updated and order.pending
SETTLE_S = 4.0  # a few rounds of the hub over its listeners
WARM_UP_LISTENERS = 100
ORDER_CONNECTIONS = 50


class Bench:
    """The measurements on one web process."""

    def __init__(self, services: Services, options: argparse.Namespace) -> None:
        self.services = services
        self.seconds: float = options.seconds
        self.tokens = [token_of(1 + number % options.accounts) for number in range(options.listeners)]
        self.accounts: int = options.accounts
        self.events_per_second = 0.0  # the measured pace
        self.worker_pid = services.web.children()[0].pid
        self.rest_requests = {
            "GET account": request(services.port, "GET", "/api/trading/account", ACCOUNTS),
            "POST order": order_request(services.port, ACCOUNTS),
        }

    def memory_kb(self) -> list[int]:
        """Return the resident and the proportional memory of the web worker in KB."""
        text = Path(f"/proc/{self.worker_pid}/smaps_rollup").read_text()
        return [int(re.findall(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[0]) for name in ("Rss", "Pss")]

    def rest_p50_ms(self) -> dict[str, float]:
        """Return the p50 of requests for an account without listeners, one by one on one connection."""
        latencies: dict[str, list[float]] = {name: [] for name in self.rest_requests}
        link = Connection(self.services.port)
        end = time.perf_counter() + self.seconds / 2
        while time.perf_counter() < end:
            for name, data in self.rest_requests.items():
                latencies[name].append(exchange(link, data)[0])
        link.socket.close()
        return {name: median(values) for name, values in latencies.items()}

    def wait_for_leaving(self, crowd: Crowd) -> None:
        """Disconnect a crowd, and wait until the web worker has closed its sockets."""
        worker = psutil.Process(self.worker_pid)
        held = worker.num_fds() - len(crowd.listeners)
        crowd.leave()
        wait_until(lambda: worker.num_fds() <= held + 5, timeout_s=READY_TIMEOUT_S, what="sockets closed")

    def deliver(self, crowd: Crowd) -> list[float]:
        """Place orders at a fixed pace on the accounts with listeners, and return the delay of each delivery in ms."""
        requests = [order_request(self.services.port, 1 + number) for number in range(self.accounts)]
        crowd.receipts.clear()
        links = [_Answers(Connection(self.services.port)) for _ in range(ORDER_CONNECTIONS)]
        for link in links:
            crowd.selector.register(link.connection.socket, selectors.EVENT_READ, link)
        start, placed = time.monotonic(), 0
        while (now := time.monotonic()) < start + self.seconds:
            due = start + placed * EVENTS_PER_ORDER / EVENTS_PER_SECOND
            free = next((link for link in links if link.is_free), None)
            if due <= now and free is not None:
                free.send(requests[placed * 7 % self.accounts])
                placed += 1
            crowd.receive(min(max(due - now, 0.001), 0.01))
        self.events_per_second = placed * EVENTS_PER_ORDER / self.seconds
        per_account = [self.tokens.count(token_of(1 + number)) for number in range(self.accounts)]
        expected = EVENTS_PER_ORDER * sum(per_account[number * 7 % self.accounts] for number in range(placed))
        crowd.serve(10, lambda: len(crowd.receipts) >= expected)
        for link in links:
            crowd.selector.unregister(link.connection.socket)
            link.connection.socket.close()
        if len(crowd.receipts) != expected:
            raise StreamError(f"{len(crowd.receipts)} deliveries instead of {expected}")
        return [receipt.delay_ms for receipt in crowd.receipts]


class _Answers:
    """A connection for orders whose responses are received in the crowd's loop."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_free = True

    def send(self, data: bytes) -> None:
        """Send a request."""
        self.is_free = False
        self.connection.send(data)

    def receive(self) -> list[dict[str, Any]]:
        """Receive a part of the response and return no messages."""
        answer = self.connection.receive()
        if answer is not None:
            self.is_free = True
            if not answer.startswith(b"HTTP/1.1 202 "):
                raise LoadError(f"refused: {answer[:300]!r}")
        return []


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


def _run(interruption: Interruption, options: argparse.Namespace, allowed: tuple[int, int]) -> int:
    with running(interruption, web_concurrency=1) as services:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)  # for the crowd; the web process raises its own limit
        return _measure(Bench(services, options), options)


def _measure(bench: Bench, options: argparse.Namespace) -> int:
    _progress("warm-up")
    crowd = Crowd(bench.services.port)
    crowd.join(bench.tokens[:WARM_UP_LISTENERS])
    bench.wait_for_leaving(crowd)
    bench.rest_p50_ms()
    figures = [*_crowded(bench, crowd), *_from_door_to_socket(bench)]
    _progress("ledger verify")
    wrong = [str(violation) for violation in verify()]
    document = {
        "measured_at": datetime.now(UTC).isoformat(timespec="minutes"),
        "listeners": options.listeners,
        "accounts": options.accounts,
        "figures": [figure.as_dict() for figure in figures],
        "wrong": wrong,
    }
    return report(options.json, document, listening(document), "the ledgers are right, and no event was lost")


def _crowded(bench: Bench, crowd: Crowd) -> list[Figure]:
    """Measure the memory of a crowd of listeners, the delay of deliveries, and the latency of other requests."""
    _progress("requests without listeners")
    alone = [bench.rest_p50_ms()]
    before = bench.memory_kb()
    _progress(f"{len(bench.tokens)} listeners join")
    crowd.join(bench.tokens)
    crowd.serve(SETTLE_S)
    memory = [(after - before) / len(bench.tokens) for after, before in zip(bench.memory_kb(), before, strict=True)]
    _progress("requests with idle listeners connected")
    beside = bench.rest_p50_ms()
    crowd.serve(SETTLE_S)
    _progress(f"{EVENTS_PER_SECOND:g} events/s")
    delays = percentiles(bench.deliver(crowd))
    deliveries = len(crowd.receipts)
    bench.wait_for_leaving(crowd)
    _progress("requests without listeners, again")
    alone.append(bench.rest_p50_ms())

    held = Figure("listener_memory", "memory of an idle listener, resident", "KB", memory[:1])
    held.remarks = f"{memory[1]:.1f} KB by its proportional share (PSS)"
    told = Figure("delivery", f"commit → listener, {EVENTS_PER_SECOND:g} events/s, p50", "ms", [delays["p50_ms"]])
    told.at_most("p50", delays["p50_ms"], DELIVERY_P50_MS, unit="ms")
    told.at_most("p99", delays["p99_ms"], DELIVERY_P99_MS, unit="ms")
    told.remarks = f"{deliveries:,} deliveries of {bench.events_per_second:.0f} events/s"
    return [held.at_most("memory", memory[0], MEMORY_ALLOWED_KB, unit="KB"), told, *_beside(alone, beside)]


def _beside(alone: list[dict[str, float]], beside: dict[str, float]) -> list[Figure]:
    figures = []
    for name, value in beside.items():
        title = f"p50 of {name} beside them, 1 connection"
        references = [median(each[name] for each in alone)]
        figure = Figure(f"beside_{name}", title, "ms", [value], "without listeners, before and after", references)
        assert figure.ratio is not None
        figures.append(figure.at_most("ratio", figure.ratio, REST_RATIO_ALLOWED))
    return figures


def _from_door_to_socket(bench: Bench) -> list[Figure]:
    """Measure the time from an order's request to the event of its execution on a socket, by stage."""
    _progress("orders from the request to the socket")
    bench.services.settle()
    figures = []
    for name, values in from_door_to_socket(bench.services).items():
        found = percentiles(values)
        remarks = ", ".join(f"{label.removesuffix('_ms')} {value:.1f}" for label, value in found.items())
        title = f"order over HTTP → order.executed on the socket, idle: {name}"
        figures.append(Figure(f"to_socket_{name}", title, "ms", values, remarks=f"{remarks} ms"))
    figures[0].remarks += "; dispatch begins when the order is written, before its 202 arrives"
    return figures


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=5_000, help="number of listeners (5000)")
    parser.add_argument("--accounts", type=int, default=500, help="accounts with listeners (500)")
    parser.add_argument("--seconds", type=float, default=10.0, help="seconds of a measurement (10)")
    parser.add_argument("--json", type=Path, metavar="FILE", default=LISTENERS, help="the file for the results")
    options = parser.parse_args(arguments)
    if min(options.listeners, options.accounts, options.seconds) < 1:
        parser.error("every number must be at least 1")
    if options.accounts >= ACCOUNTS:
        parser.error(f"--accounts must be below {ACCOUNTS}: the last account has no listener")
    return options


if __name__ == "__main__":
    sys.exit(main())
