"""G4: the name server stops answering, or the database's name moves to another address."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded.postgres import SOCKET_PORT
from tests.faults.checks import heal_drain_check
from tests.faults.name_server import NameServer
from tests.faults.proxy import Proxy, unix_target
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

NAME = "database.tradepost.test"
# /health/live touches nothing; libpq's own look-up stopped the whole process for 10 s.
LIVE_S = 3.0
AFTERWARDS_S = 5.0


@pytest.fixture
def names(tmp_path: Path) -> Iterator[NameServer]:
    """Start the name server."""
    with contextlib.closing(NameServer(tmp_path)) as names:
        names.addresses[NAME] = "127.0.0.1"
        yield names


@pytest.fixture
def start_named(system: System, names: NameServer) -> Any:
    """Return a function that starts a web process, which knows the database by its name only."""
    url = system.settings["DATABASE_URL"].replace("@127.0.0.1", f"@{NAME}")
    system.starter.prefix = names.prefix
    return lambda: system.start_web(DATABASE_URL=url)


def get(system: System, path: str) -> int:
    """Return the status of a GET."""
    return requests.get(f"{system.base_url}{path}", timeout=20).status_code


def longest_live_s(system: System, seconds: float) -> float:
    """Request /health/live and /health/ready by turns, and return the longest time of /health/live."""
    longest, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.monotonic()
        assert get(system, "/health/live") == 200
        longest = max(longest, time.monotonic() - start)
        with contextlib.suppress(requests.Timeout):  # one that needs the database, so that it connects
            requests.get(f"{system.base_url}/health/ready", timeout=0.05)
    return longest


def test_g4_a_silent_name_server_delays_no_request_that_needs_no_database(
    system: System, names: NameServer, start_named: Any
) -> None:
    names.is_silent = True
    start_named()
    assert longest_live_s(system, 4.0) < LIVE_S
    assert names.asked
    start = time.monotonic()
    assert get(system, "/health/ready") == 503
    assert time.monotonic() - start < 10.0  # 2 s for a connection, and this machine's noise
    names.is_silent = False
    healed_at = time.monotonic()
    wait_until(lambda: get(system, "/health/ready") == 200, timeout_s=30, what="the name is known")
    assert time.monotonic() - healed_at < AFTERWARDS_S + 2.0  # and an answer that was under way


def test_g4_a_known_address_serves_while_the_name_server_is_silent(
    system: System, names: NameServer, start_named: Any
) -> None:
    start_named()
    workload = Workload(system, clients=2)
    names.is_silent = True
    for _ in range(3):
        system.database_proxy.cut_all()
        assert workload.clients[0].place().answers == [202]
    assert longest_live_s(system, 2.0) < LIVE_S
    system.start_worker()
    heal_drain_check(system, workload)


def test_g4_a_database_that_moves_is_followed(system: System, names: NameServer, start_named: Any) -> None:
    start_named()
    workload = Workload(system, clients=2)
    workload.clients[0].place()
    names.is_silent = True
    system.database_proxy.refuse()
    server = unix_target(str(system.postgres.socket_directory / f".s.PGSQL.{SOCKET_PORT}"))
    moved = Proxy(server, host="127.0.0.2", port=system.database_proxy.port)
    with contextlib.closing(moved):
        with workload.running(pause_s=0.05):
            wait_until(lambda: all(503 in client.requests[-1].answers for client in workload.clients))
            names.addresses[NAME], names.is_silent = moved.host, False
            before, healed_at = len(workload.requests), time.monotonic()
            wait_until(lambda: len(workload.requests) > before, timeout_s=30, what="trading goes on")
            assert time.monotonic() - healed_at < AFTERWARDS_S
        assert moved.link_count
        system.start_worker()
        heal_drain_check(system, workload)
