"""F44: hosts that are cut off from each other, in network namespaces of their own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.cuts import Cut, Cutter, cutter
from tests.faults.hosts import DATABASE, REDIS, HostMachine
from tests.faults.network import missing_right

pytestmark = pytest.mark.faults


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


@pytest.fixture
def six_hosts(hosts: HostMachine, tmp_path: Any) -> Iterator[Cutter]:
    """Return two web and two worker commands on their hosts, 0.5 ms from their servers."""
    with cutter(hosts, tmp_path, apart_ms=0.5, seed=1, clients=4) as ready:
        yield ready


def test_f44_a_host_that_is_cut_off_from_a_server_costs_no_order_and_works_again(six_hosts: Cutter) -> None:
    for cut in (
        Cut("web-1", DATABASE, "to the first", 2.0),
        Cut("worker-1", DATABASE, "to the second", 2.0),
        Cut("worker-2", REDIS, "both ways", 2.0),
    ):
        outcome = six_hosts.cut(cut)
        print(outcome)
        assert not outcome.problems, outcome
