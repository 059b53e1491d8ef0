"""The collector of traces is away, silent or slow: nobody waits for it, not even a stop, and /metrics says so."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.faults.checks import drain, heal_drain_check
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.metrics import Metrics
from tests.support.processes import free_port, wait_until

pytestmark = pytest.mark.faults

PLACEMENTS = 40
# Far above the time of a placement, and below the time-out for a collector's answer.
ALLOWED_S = 3.5
COLLECTOR_TIMEOUT_S = 4


class Collector:
    """A collector that takes connections, and answers each request late or never."""

    def __init__(self, *, answers_after_s: float | None) -> None:
        self.answers_after_s = answers_after_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.connections: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections.append(connection)
                if self.answers_after_s is not None:
                    threading.Thread(target=self._answer, args=[connection, self.answers_after_s], daemon=True).start()

    def _answer(self, connection: socket.socket, after_s: float) -> None:
        with contextlib.suppress(OSError):
            time.sleep(after_s)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close all connections."""
        for one in (self.listener, *self.connections):
            one.close()


@pytest.fixture
def settings(kind: str) -> Iterator[dict[str, str]]:
    """Return settings that send traces, soon and in small parts, to such a collector."""
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "16"}
    soon["OTEL_EXPORTER_OTLP_TIMEOUT"] = str(COLLECTOR_TIMEOUT_S)
    if kind == "refuses":
        yield soon | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        return
    collector = Collector(answers_after_s=COLLECTOR_TIMEOUT_S - 1 if kind == "slow" else None)
    port = collector.listener.getsockname()[1]
    yield soon | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}
    collector.close()


@pytest.mark.parametrize("kind", ["refuses", "silent", "slow"])
def test_a_collector_that_takes_no_traces_delays_no_request(
    system: System, settings: dict[str, str], kind: str
) -> None:
    web, worker = system.start_web(**settings), system.start_worker(**settings)
    workload: Any = Workload(system, clients=2)
    for number in range(PLACEMENTS):
        request = workload.clients[number % 2].place(side="BUY")
        assert (request.answers, request.seconds[-1] < ALLOWED_S) == ([202], True)
    drain(system)
    heal_drain_check(system, workload)
    if kind != "slow":
        wait_until(lambda: lost(system) > 0, timeout_s=60, what="lost spans are told")
    began = time.monotonic()
    assert [running.terminate(60) for running in (web, worker)] == [0, 0]
    assert time.monotonic() - began < 25


def lost(system: System) -> float:
    """Return how many spans could not be sent."""
    text = requests.get(f"{system.base_url}/metrics", timeout=20).text
    return Metrics(text)("tradepost_spans_lost_total")
