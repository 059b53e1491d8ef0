"""Placement of orders over HTTP/1.1 from one process, as fast as possible or at a given pace."""

import json
import random
import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import cycle

from bench.seeding import EXCHANGE, PRICE, STOCKS, symbol_of, token_of

HOST = "127.0.0.1"
CONNECTIONS = 16  # of the published figures
ANSWER_TIMEOUT_S = 15.0
REQUEST_COUNT = 20_000  # built in advance; a longer run starts again with the first
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
SERVER_TIMING = re.compile(rb"\r\nserver-timing: *([^\r]*)\r\n", re.IGNORECASE)
PRICE_STEP = Decimal("0.05")
PRICE_STEPS = 4_000  # prices from 1000.00 to 1199.95, so that consecutive orders have different amounts
ERROR_TEXT_LENGTH = 300


class LoadError(Exception):
    """The server closed a connection, refused a request or did not respond in time."""


@dataclass
class Load:
    """The results of one run: latency (ms) and Server-Timing of every 202, and the errors."""

    seconds: float
    placed_in_time: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    timings: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def placed(self) -> int:
        """Return the number of 202 responses, including those after the end."""
        return len(self.latencies_ms)

    @property
    def orders_per_second(self) -> float:
        """Return the rate of the 202 responses before the end."""
        return self.placed_in_time / self.seconds


class Connection:
    """One kept-alive connection with at most one open request."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=ANSWER_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self.received = b""

    def send(self, request: bytes) -> None:
        """Send a request; it must fit into the socket's buffer."""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bytes | None:
        """Read the available bytes, and return the response once it is complete."""
        data = self.socket.recv(65_536)
        if not data:
            raise LoadError(f"the server closed a connection: {self.received[:ERROR_TEXT_LENGTH]!r}")
        answer = self.received + data
        head = answer.find(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(answer, 0, head + 2) if head >= 0 else None
        if length is None or len(answer) < head + 4 + int(length[1]):
            self.received = answer
            return None
        self.received = b""
        return answer


def exchange(link: Connection, data: bytes) -> tuple[float, bytes]:
    """Send a request, and return its latency in milliseconds and its response."""
    link.send(data)
    while (answer := link.receive()) is None:
        pass
    milliseconds = (time.perf_counter() - link.sent_at) * 1000
    if not answer.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 202 ")):
        raise LoadError(f"refused: {answer[:ERROR_TEXT_LENGTH]!r}")
    return milliseconds, answer


def build_requests(accounts: int, *, port: int, random_seed: int = 1, **terms: str) -> list[bytes]:
    """Return the bytes of placement requests by random accounts (numbered from 1); terms are further fields."""
    chance = random.Random(random_seed)
    return [_build_request(chance, accounts, port, terms) for _ in range(REQUEST_COUNT)]


def place_orders(
    port: int, requests: Sequence[bytes], *, connections: int, seconds: float, rate: float | None = None
) -> Load:
    """Keep one request open on each connection; with a rate (per second), pace the only connection."""
    assert rate is None or connections == 1, "only a single connection can keep a pace"
    load = Load(seconds)
    supply = cycle(requests)
    with selectors.DefaultSelector() as selector:
        links = [Connection(port) for _ in range(connections)]
        try:
            for link in links:
                selector.register(link.socket, selectors.EVENT_READ, link)
            _run(selector, links, supply, load, rate)
        finally:
            for link in links:
                link.socket.close()
    return load


def _run(
    selector: selectors.BaseSelector,
    links: list[Connection],
    supply: Iterator[bytes],
    load: Load,
    rate: float | None,
) -> None:
    """Send requests until the time is over, then wait for the outstanding responses."""
    start = time.perf_counter()
    end = start + load.seconds
    for link in links:
        link.send(next(supply))
    under_way, sent = len(links), len(links)
    while under_way:
        ready = selector.select(ANSWER_TIMEOUT_S)
        if not ready:
            raise LoadError(f"no response within {ANSWER_TIMEOUT_S} s to {under_way} requests")
        for key, _ in ready:
            answer = key.data.receive()
            if answer is None:
                continue
            now = time.perf_counter()
            note(load, answer, (now - key.data.sent_at) * 1000, in_time=now <= end)
            if rate is not None:
                time.sleep(max(0.0, start + sent / rate - now))
            if time.perf_counter() < end:
                key.data.send(next(supply))
                sent += 1
            else:
                under_way -= 1


def note(load: Load, answer: bytes, latency_ms: float, *, in_time: bool) -> None:
    """Count a response."""
    if answer.startswith(b"HTTP/1.1 202 "):
        load.latencies_ms.append(latency_ms)
        timing = SERVER_TIMING.search(answer)
        load.timings.append(timing[1].decode() if timing else "")
        load.placed_in_time += in_time
    else:
        status, _, rest = answer.partition(b"\r\n")
        body = rest.partition(b"\r\n\r\n")[2]
        load.errors[f"{status.decode()}: {body[:ERROR_TEXT_LENGTH].decode(errors='replace')}"] += 1


def _build_request(chance: random.Random, accounts: int, port: int, terms: dict[str, str]) -> bytes:
    price = PRICE + PRICE_STEP * chance.randrange(PRICE_STEPS)
    order = {
        "exchange": EXCHANGE,
        "symbol": symbol_of(chance.randint(1, STOCKS)),
        "side": "BUY",
        "quantity": 1,
        "orderType": "LIMIT",
        "price": str(price),
        **terms,
    }
    body = json.dumps(order).encode()
    head = (
        "POST /api/trading/orders HTTP/1.1\r\n"
        f"Host: {HOST}:{port}\r\n"
        f"Authorization: Bearer {token_of(chance.randint(1, accounts))}\r\n"
        "Content-Type: application/json\r\n"
        "Accept: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def request(port: int, method: str, path: str, account: int, body: bytes = b"") -> bytes:
    """Return the bytes of a request by an account."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token_of(account)}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def order_request(port: int, account: int) -> bytes:
    """Return the bytes of a placement request by an account."""
    order = {"exchange": EXCHANGE, "symbol": symbol_of(1), "side": "BUY", "quantity": 1, "orderType": "LIMIT"}
    return request(port, "POST", "/api/trading/orders", account, json.dumps(order | {"price": str(PRICE)}).encode())
