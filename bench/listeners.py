"""Measure a web process with thousands of listeners: memory, delivery, and what they cost the others."""

import argparse
import json
import re
import resource
import selectors
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench.load import Connection, LoadError, exchange
from bench.report import percentiles
from bench.seeding import ACCOUNTS, EXCHANGE, PRICE, symbol_of, token_of
from bench.services import READY_TIMEOUT_S, Services, run_to_the_end, running
from bench.streams import HOST, Crowd, Receipt, StreamError, unix_time
from embedded.interruption import Interruption
from tests.processes import Running, wait_until
from trading.verify import verify

MEMORY_ALLOWED_KB = 45.0
DELIVERY_P50_MS, DELIVERY_P99_MS = 20.0, 250.0
REST_RATIO_ALLOWED = 1.5
EVENTS_PER_SECOND = 100.0
EVENTS_PER_ORDER = 2  # account.updated and order.pending
SETTLE_S = 4.0  # a few looks of the hub at its listeners
WARM_UP_LISTENERS = 100
ORDERS_IN_A_ROW = 200
ORDER_CONNECTIONS = 50
LOG_LINE = re.compile(r"order_executed .*?order_id=(\S+)")
LOG_STEP = re.compile(r"\b(claim|fill|write|commit)_ms=([0-9.]+)")


@dataclass
class Requirement:
    """A number to reach, and what was measured."""

    text: str
    measured: float
    allowed: float
    unit: str

    def __str__(self) -> str:
        verdict = "reached" if self.measured <= self.allowed else "NOT REACHED"
        return f"{verdict:11s}  {self.text} <= {self.allowed:g} {self.unit}: {self.measured:.1f} {self.unit}"


class Bench:
    """Run the parts of the benchmark on one web process."""

    def __init__(self, services: Services, options: argparse.Namespace) -> None:
        self.services = services
        self.seconds: float = options.seconds
        self.tokens = [token_of(1 + number % options.accounts) for number in range(options.listeners)]
        self.accounts: int = options.accounts
        self.events_per_second = 0.0  # what the pace came to
        self.worker_pid = services.web.children()[0].pid
        self.rest_requests = {
            "GET account": request(services.port, "GET", "/api/trading/account", ACCOUNTS),
            "POST order": order_request(services.port, ACCOUNTS),
        }

    def memory_kb(self) -> dict[str, int]:
        """Return the web worker's resident and proportional memory."""
        text = Path(f"/proc/{self.worker_pid}/smaps_rollup").read_text()
        return {name: int(re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)[1]) for name in ("Rss", "Pss")}  # type: ignore[index]

    def rest_p50_ms(self) -> dict[str, float]:
        """Return the p50 of requests for an account that nobody listens to, one connection, one after the other."""
        latencies: dict[str, list[float]] = {name: [] for name in self.rest_requests}
        link = Connection(self.services.port)
        end = time.perf_counter() + self.seconds / 2
        while time.perf_counter() < end:
            for name, data in self.rest_requests.items():
                latencies[name].append(exchange(link, data)[0])
        link.socket.close()
        return {name: median(values) for name, values in latencies.items()}

    def wait_for_leaving(self, crowd: Crowd) -> None:
        """Disconnect a crowd, and wait until the web worker has noticed."""
        worker = psutil.Process(self.worker_pid)
        held = worker.num_fds() - len(crowd.listeners)
        crowd.leave()
        wait_until(lambda: worker.num_fds() <= held + 5, timeout_seconds=READY_TIMEOUT_S, what="sockets closed")

    def deliver(self, crowd: Crowd) -> list[float]:
        """Place orders at a pace on the accounts with listeners, and return the delays of every delivery."""
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

    def end_to_end(self) -> dict[str, list[float]]:
        """Place orders one after the other with a worker, and return each part's milliseconds."""
        worker = self.services.start_worker()
        crowd, link = Crowd(self.services.port), Connection(self.services.port)
        crowd.join([token_of(1)])
        sent: list[tuple[float, float, list[Receipt]]] = []
        for _ in range(ORDERS_IN_A_ROW):
            crowd.receipts = []
            sent_at = time.time()
            accept_ms, _ = exchange(link, order_request(self.services.port, 1))
            crowd.serve(10, lambda: any(one.event["type"] == "order.executed" for one in crowd.receipts))
            sent.append((sent_at, accept_ms, crowd.receipts))
            time.sleep(0.02)  # idle again
        crowd.leave()
        link.socket.close()
        parts = _parts(sent, worker)
        worker.terminate()
        return parts


class _Answers:
    """Takes an order's answers in the crowd's loop."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_free = True

    def send(self, data: bytes) -> None:
        """Send a request."""
        self.is_free = False
        self.connection.send(data)

    def receive(self) -> list[dict[str, Any]]:
        """Take what has come of its answer, which is no message."""
        answer = self.connection.receive()
        if answer is not None:
            self.is_free = True
            if not answer.startswith(b"HTTP/1.1 202 "):
                raise LoadError(f"refused: {answer[:300]!r}")
        return []


def _parts(sent: list[tuple[float, float, list[Receipt]]], worker: Running) -> dict[str, list[float]]:
    """Take each order's way apart: its events' times, and the execution's steps from the worker's log."""
    steps: dict[str, dict[str, float]] = {}
    for line in worker.log.splitlines():
        if found := LOG_LINE.search(line):
            steps[found[1]] = {name: float(value) for name, value in LOG_STEP.findall(line)}
    parts: dict[str, list[float]] = {name: [] for name in ("accept", "dispatch", "execute", "deliver", "total")}
    for sent_at, accept_ms, receipts in sent:
        by_type = {receipt.event["type"]: receipt for receipt in receipts}
        pending, executed = by_type["order.pending"], by_type["order.executed"]
        step = steps.get(executed.event["data"]["orderId"])
        if step is None:
            raise StreamError("an execution is missing in the worker's log")
        execute_ms = sum(step.values())
        between_ms = (unix_time(executed.event["at"]) - unix_time(pending.event["at"])) * 1000
        parts["accept"].append(accept_ms)
        parts["dispatch"].append(between_ms - (execute_ms - step["commit"]))
        parts["execute"].append(execute_ms)
        parts["deliver"].append(executed.delay_ms - step["commit"])
        parts["total"].append((executed.received_at - sent_at) * 1000)
    return parts


def request(port: int, method: str, path: str, account: int, body: bytes = b"") -> bytes:
    """Return a request of an account."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token_of(account)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def order_request(port: int, account: int) -> bytes:
    """Return the placement of an account's order."""
    order = {"exchange": EXCHANGE, "symbol": symbol_of(1), "side": "BUY", "quantity": 1, "orderType": "LIMIT"}
    return request(port, "POST", "/api/trading/orders", account, json.dumps(order | {"price": str(PRICE)}).encode())


def main() -> int:
    """Run the benchmark and return 0 when nothing went wrong, whether or not the numbers are reached."""
    options = _options()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = options.listeners + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        print(f"the limit on open files is {hard}, {needed} are needed", file=sys.stderr)
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))  # the web process inherits it
    return run_to_the_end(lambda interruption: _run(interruption, options), LoadError, StreamError)


def _run(interruption: Interruption, options: argparse.Namespace) -> int:
    with running(interruption, web_concurrency=1) as services:
        return _measure(Bench(services, options), options)


def _measure(bench: Bench, options: argparse.Namespace) -> int:
    versions = bench.services.versions()
    print(", ".join(f"{name} {value}" for name, value in versions.items()), flush=True)
    _progress("warm-up")
    crowd = Crowd(bench.services.port)
    crowd.join(bench.tokens[:WARM_UP_LISTENERS])
    bench.wait_for_leaving(crowd)
    bench.rest_p50_ms()

    _progress("requests without listeners")
    alone = bench.rest_p50_ms()
    before = bench.memory_kb()
    _progress(f"{options.listeners} listeners join")
    joined_at = time.monotonic()
    crowd.join(bench.tokens)
    joining_s = time.monotonic() - joined_at
    crowd.serve(SETTLE_S)
    after = bench.memory_kb()
    _progress("requests beside idle listeners")
    beside = bench.rest_p50_ms()
    crowd.serve(SETTLE_S)
    _progress(f"{EVENTS_PER_SECOND:g} events/s")
    delays = percentiles(bench.deliver(crowd))
    deliveries = len(crowd.receipts)
    bench.wait_for_leaving(crowd)
    _progress("requests without listeners, again")
    again = bench.rest_p50_ms()
    _progress("orders from the door to the socket")
    bench.services.settle()
    parts = {name: percentiles(values) for name, values in bench.end_to_end().items()}
    _progress("ledger verify")
    wrong = [f"{rule}: account {account}: {detail}" for account, rule, detail in verify()]

    memory = {name: (after[name] - before[name]) / options.listeners for name in before}
    ratios = {name: 2 * beside[name] / (alone[name] + again[name]) for name in alone}
    print(
        f"\n{options.listeners} listeners on {options.accounts} accounts, joined in {joining_s:.1f} s;"
        f" {deliveries} deliveries of {bench.events_per_second:.0f} events/s in {options.seconds:g} s"
    )
    print(f"memory per idle listener: {memory['Rss']:.1f} KB RSS, {memory['Pss']:.1f} KB PSS")
    _print_requests(alone, beside, again, ratios)
    _print_parts(parts)
    _print_requirements(memory["Rss"], delays, max(ratios.values()))
    for line in [f"WRONG: {fact}" for fact in wrong] or ["the books are right, and no event was lost"]:
        print(line)
    return 1 if wrong else 0


def _print_requirements(memory_kb: float, delays: dict[str, float], slowest_ratio: float) -> None:
    for requirement in (
        Requirement("memory per idle listener (RSS)", memory_kb, MEMORY_ALLOWED_KB, "KB"),
        Requirement("event to listener p50", delays["p50_ms"], DELIVERY_P50_MS, "ms"),
        Requirement("event to listener p99", delays["p99_ms"], DELIVERY_P99_MS, "ms"),
        Requirement("slowest REST p50 ratio", slowest_ratio, REST_RATIO_ALLOWED, "times"),
    ):
        print(requirement)


def _print_requests(
    alone: dict[str, float], beside: dict[str, float], again: dict[str, float], ratios: dict[str, float]
) -> None:
    print("\nrequest        p50 ms: none   beside idle listeners   none again   ratio")
    for name in alone:
        print(f"{name:13s}  {alone[name]:12.2f}  {beside[name]:22.2f}  {again[name]:11.2f}  {ratios[name]:6.2f}")


def _print_parts(parts: dict[str, dict[str, float]]) -> None:
    print("\norder to order.executed     p50 ms   p95 ms   p99 ms")
    for name in ("accept", "dispatch", "execute", "deliver", "total"):
        label = "accept (the 202)" if name == "accept" else name
        print(f"{label:26s}" + "".join(f"  {parts[name][f'p{percent}_ms']:7.2f}" for percent in (50, 95, 99)))
    print("(dispatch begins when the order is written, before its 202 arrives)\n")


def _progress(text: str) -> None:
    print(f"... {text}", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.listeners", description=__doc__)
    parser.add_argument("--listeners", type=int, default=5_000, help="(5000)")
    parser.add_argument("--accounts", type=int, default=500, help="accounts they listen to (500)")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of a measurement (10)")
    options = parser.parse_args(arguments)
    if min(options.listeners, options.accounts, options.seconds) < 1:
        parser.error("every number must be at least 1")
    if options.accounts >= ACCOUNTS:
        parser.error(f"there are {ACCOUNTS} accounts, and the last one has no listener")
    return options


if __name__ == "__main__":
    sys.exit(main())
