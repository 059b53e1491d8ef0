"""F33: requests to the real web process that are slow, huge, deeply nested or no text at all."""

import contextlib
import socket
import time
from typing import Any

import psutil
import pytest
import requests

from tests.faults.checks import heal_drain_check
from tests.faults.system import System
from tests.realtime.clients import Stream

pytestmark = pytest.mark.faults

GOOD = '"exchange": "NSE", "symbol": "TCS", "side": "BUY", "quantity": 1, "orderType": "LIMIT"'
HOSTILE = {
    "nan": b'{%s, "price": NaN}' % GOOD.encode(),
    "infinity": b'{%s, "price": -Infinity}' % GOOD.encode(),
    "1e400": b'{%s, "price": 1e400}' % GOOD.encode(),
    "1e-400": b'{%s, "price": 1e-400}' % GOOD.encode(),
    "many-digits": b'{%s, "price": %s}' % (GOOD.encode(), b"9" * 60_000),
    "nul-byte": b'{%s, "price": "1.00", "clientOrderId": "a\\u0000b"}' % GOOD.encode(),
    "raw-nul": b'{%s, "price": "1.00\x00"}' % GOOD.encode(),
    "lone-surrogate": b'{%s, "price": "1.00", "clientOrderId": "\\ud800"}' % GOOD.encode(),
    "surrogate-key": b'{%s, "\\udfff": 1}' % GOOD.encode(),
    "no-utf-8": b'{%s, "price": "\xff\xfe"}' % GOOD.encode(),
    "deep-lists": b"[" * 60_000,
    "deep-closed": b"[" * 30_000 + b"]" * 30_000,
    "deep-objects": b'{"a":' * 12_000 + b"1" + b"}" * 12_000,
    "many-keys": b"{" + b",".join(b'"k%d":1' % number for number in range(6_000)) + b"}",
    "nothing": b"",
    "half": b"{%s" % GOOD.encode(),
    "a-list": b"[{%s}]" % GOOD.encode(),
    "twice": b'{"side": "SELL", %s, "price": "1.00"}' % GOOD.encode(),
}


def memory_mib(system: System) -> float:
    """Return the memory of the web command's processes."""
    main = psutil.Process(system.webs[0].pid)
    return sum(process.memory_info().rss for process in [main, *main.children(recursive=True)]) / 2**20


def post(system: System, token: str, body: Any, **headers: str) -> requests.Response:
    """Post a body to the placement route."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", **headers}
    return requests.post(f"{system.base_url}/api/trading/orders", data=body, headers=headers, timeout=30)


def test_f33_hostile_json_is_a_4xx_and_leaves_nothing(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    token = next(iter(workload.accounts.values()))
    statuses = {name: post(system, token, body).status_code for name, body in HOSTILE.items()}
    assert {name: status for name, status in statuses.items() if not 400 <= status < 500} == {}
    assert system.sql("SELECT count(*) FROM trading_order") == [(0,)]
    assert system.webs[0].log.count("unexpected_error") == 0
    heal_drain_check(system, workload)


def test_f33_huge_bodies_are_refused_in_bounded_memory(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    token = next(iter(workload.accounts.values()))
    before = memory_mib(system)
    for _ in range(4):
        with contextlib.suppress(requests.ConnectionError):  # it need not read what it refuses
            assert post(system, token, b"[" * 30_000_000).status_code == 413
        with contextlib.suppress(requests.ConnectionError):
            chunks = (b" " * 65_536 for _ in range(1_000))
            assert post(system, token, chunks).status_code == 413
    assert memory_mib(system) - before < 60
    assert workload.clients[0].place(side="BUY").status == 202
    heal_drain_check(system, workload)


class Dripping:
    """A client that sends the beginning of a request, and then a little now and then."""

    def __init__(self, port: int, beginning: bytes, drop: bytes) -> None:
        self.answer = b""
        self.is_over = False
        self._drop = drop
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=5)
        self._socket.sendall(beginning)
        self._socket.setblocking(False)

    def go_on(self) -> bool:
        """Read available data, send the next byte, and return True if the connection is still open."""
        try:
            while data := self._socket.recv(65_536):
                self.answer += data
            self.is_over = True
        except BlockingIOError:
            with contextlib.suppress(OSError):
                self._socket.send(self._drop)
        except OSError:
            self.is_over = True
        return not self.is_over

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def beginnings(token: str) -> dict[str, tuple[bytes, bytes]]:
    """Return ways to send a request slowly: the bytes that come at once, and those that come every second."""
    line = b"POST /api/trading/orders HTTP/1.1\r\nHost: x\r\n"
    head = line + b"Authorization: Bearer %s\r\nContent-Type: application/json\r\n" % token.encode()
    return {
        "body": (head + b"Content-Length: 65536\r\n\r\n", b"{"),
        "chunks": (head + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        "body that nobody waits for": (line + b"Content-Length: 65536\r\n\r\n", b"{"),
        "head": (line, b"X"),
        "first line": (b"POST", b"T"),
    }


def test_f33_requests_that_drip_are_ended_after_ten_seconds_and_hold_nobody_up(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    client, token = workload.clients[0], next(iter(workload.accounts.values()))
    ways, before = beginnings(token), memory_mib(system)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(Stream(system.web_port, token))
        stream.ready()
        dripping = {name: [Dripping(system.web_port, *way) for _ in range(60)] for name, way in ways.items()}
        everybody = [one for some in dripping.values() for one in some]
        for one in everybody:
            stack.callback(one.close)
        end = time.monotonic() + 20
        while sum(one.go_on() for one in everybody) and time.monotonic() < end:
            assert client.place(side="BUY").seconds[-1] < 5  # held up, it would wait for ten seconds
            time.sleep(0.7)
        assert {name: sum(one.is_over for one in some) for name, some in dripping.items()} == dict.fromkeys(ways, 60)
        assert memory_mib(system) - before < 100
        last = client.place(side="BUY").document["orderId"]
        while stream.next()["data"].get("orderId") != last:  # a stream is no request: it goes on
            pass
    statuses = [{one.answer[:12] for one in some} for some in dripping.values()]
    assert statuses == [{b"HTTP/1.1 408"}, {b"HTTP/1.1 408"}, {b"HTTP/1.1 401"}, {b""}, {b""}]
    problem = dripping["body"][0].answer
    assert b"Connection: close\r\n" in problem
    assert b'"code":"request_timeout"' in problem
    heal_drain_check(system, workload)
