"""F44: hosts that are cut off from each other, in network namespaces of their own."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from embedded.postgres import SOCKET_PORT
from tests.faults.checks import SWEPT_S
from tests.faults.cuts import Cut, Cutter, cutter
from tests.faults.hosts import DATABASE, REDIS, HostMachine
from tests.faults.network import Network, missing_right

pytestmark = pytest.mark.faults

REQUEST_S = 6.0  # the client's own limit for a statement (models.connections)
CUT_S = REQUEST_S + 1
NOISE_S = 3.0  # of this machine


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostMachine]:
    """Start a database and a Valkey, each on a host of its own."""
    if reason := missing_right():
        pytest.skip(reason)
    machine = HostMachine(tmp_path_factory.mktemp("hosts"))
    try:
        machine.start()
        machine.make_template()
        yield machine
    finally:
        machine.close()


def test_f44_the_kernel_puts_a_host_further_away(hosts: HostMachine) -> None:
    network, apart_s = hosts.network, 0.1
    if not network.delay(DATABASE, apart_s / 2):
        pytest.skip("this kernel has no netem: a proxy delays instead")
    try:
        assert round_trip_s(network, "web-1") >= apart_s
    finally:
        network.delay(DATABASE, 0.0)
    assert round_trip_s(network, "web-1") < apart_s


def round_trip_s(network: Network, host: str) -> float:
    """Return the shortest of three times that a host takes to connect to the database's port."""

    def connect() -> float:
        start = time.monotonic()
        socket.create_connection((network.addresses[DATABASE], SOCKET_PORT), timeout=10).close()
        return time.monotonic() - start

    return min(network.inside(host, connect) for _ in range(3))


@pytest.fixture
def six_hosts(hosts: HostMachine, tmp_path: Any) -> Iterator[Cutter]:
    """Return two web and two worker commands on their hosts, 0.5 ms from their servers."""
    with cutter(hosts, tmp_path, apart_ms=0.5, seed=1, clients=4) as ready:
        yield ready


def test_f44_hosts_that_are_cut_off_from_a_server_cost_no_order_and_work_again(six_hosts: Cutter) -> None:
    """One web host hears no database, the other is not heard by Redis, one worker host does not hear Redis."""
    outcome = six_hosts.cut(
        Cut("web-1", DATABASE, "to the first", CUT_S),
        Cut("web-2", REDIS, "to the second", CUT_S),
        Cut("worker-1", REDIS, "to the first", CUT_S),
        executed=50,
    )
    assert not outcome.problems, outcome
    assert outcome.answers[503], f"nobody noticed the cut: {outcome}"
    assert outcome.slowest_request_s < REQUEST_S + NOISE_S, outcome
    assert outcome.executed > 50, outcome
    assert outcome.longest_s < SWEPT_S, outcome
