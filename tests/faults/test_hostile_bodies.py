"""F33: clients who send slowly, hugely, deeply, or what is no text at all, to the real web process."""

import contextlib
import socket
import time
from typing import Any

import psutil
import pytest
import requests

from tests.faults.checks import heal_drain_check
from tests.faults.system import System
from tests.processes import wait_until

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
    """Return what the web command's processes hold."""
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


def test_f33_clients_that_send_a_byte_now_and_then_hold_nobody_up(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    client = workload.clients[0]
    before = memory_mib(system)
    slow = [socket.create_connection(("127.0.0.1", system.web_port)) for _ in range(300)]
    try:
        head = b"POST /api/trading/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n"
        for number, sock in enumerate(slow):  # half stay in the head, half in the body
            sock.sendall(head[:40] if number % 2 else head + b"\r\n{")
        for _ in range(3):
            time.sleep(0.5)
            for sock in slow:
                with contextlib.suppress(OSError):
                    sock.sendall(b" ")
            assert client.place(side="BUY").seconds[-1] < 2
        assert memory_mib(system) - before < 100
    finally:
        for sock in slow:
            sock.close()
    assert system.webs[0].terminate() == 0
    wait_until(lambda: not system.webs[0].is_running)
    heal_drain_check(system, workload)
