"""Placement of orders at a given pace over several connections, as independent clients do."""

import selectors
import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import cycle

from bench.clients.load import ANSWER_TIMEOUT_S, Connection, Load, LoadError, note


def place_at_pace(port: int, requests: Sequence[bytes], *, connections: int, seconds: float, rate: float) -> Load:
    """Send an order every 1/rate seconds over any free connection.

    A latency counts from the time at which the order was due. So it includes the wait for a free connection, and a
    server that stalls cannot hide it.
    """
    with selectors.DefaultSelector() as selector:
        links = [Connection(port) for _ in range(connections)]
        try:
            for link in links:
                selector.register(link.socket, selectors.EVENT_READ, link)
            return _Paced(selector, deque(links), cycle(requests), rate).run(seconds)
        finally:
            for link in links:
                link.socket.close()


class _Paced:
    def __init__(
        self, selector: selectors.BaseSelector, free: deque[Connection], supply: Iterator[bytes], rate: float
    ) -> None:
        self.selector, self.free, self.supply, self.rate = selector, free, supply, rate
        self.due_at: dict[Connection, float] = {}  # of the open requests
        self.sent = 0

    def run(self, seconds: float) -> Load:
        load = Load(seconds)
        start = last_answer = time.perf_counter()
        while True:
            now = time.perf_counter()
            due = start + self.sent / self.rate
            if due < start + seconds and due <= now and self.free:
                self._send(due)
            elif due >= start + seconds and not self.due_at:
                return load
            elif self._receive(load, self._patience(due, now), start + seconds):
                last_answer = time.perf_counter()
            elif self.due_at and now > last_answer + ANSWER_TIMEOUT_S:
                raise LoadError(f"no response within {ANSWER_TIMEOUT_S} s to {len(self.due_at)} requests")

    def _patience(self, due: float, now: float) -> float:
        """Return the time until the next order can be sent."""
        return max(0.0, due - now) if self.free else 1.0

    def _send(self, due: float) -> None:
        link = self.free.popleft()
        self.due_at[link] = due
        link.send(next(self.supply))
        self.sent += 1

    def _receive(self, load: Load, timeout_s: float, end: float) -> bool:
        """Take the available responses, and return True if a socket had data."""
        ready = self.selector.select(timeout_s)
        for key, _ in ready:
            if (answer := key.data.receive()) is not None:
                now = time.perf_counter()
                note(load, answer, (now - self.due_at.pop(key.data)) * 1000, in_time=now <= end)
                self.free.append(key.data)
        return bool(ready)
