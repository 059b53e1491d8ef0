"""G9 and outages of the database: 5 s after the cause has ended requests are served again, without a restart."""

import time
from typing import Any

import pytest
import requests

from tests.faults.checks import answered, heal_drain_check
from tests.faults.system import System
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

# The client's own limit of 6 s for a statement, and this machine's noise.
ONE_TIMEOUT_S = 15.0
AFTERWARDS_S = 5.0


def idle_count(system: System) -> int:
    """Return how many connections the web process keeps."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name = 'tradepost-web'"
    return int(system.sql(query, system.name)[0][0])


def test_g9_black_holed_connections_cost_one_time_out_and_not_one_each(system: System, begin: Any) -> None:
    workload = begin(clients=12)
    with workload.running():
        wait_until(lambda: idle_count(system) >= 6, timeout_s=60, what="several connections are open")
    system.workers[0].terminate()
    system.database_proxy.black_hole()
    start = time.monotonic()
    request = workload.clients[0].place()
    assert request.answers in ([503, 202], [202])
    assert time.monotonic() - start < ONE_TIMEOUT_S
    after = [client.place() for client in workload.clients]
    assert answered(after) == {202: len(after)}
    heal_drain_check(system, workload)


@pytest.mark.parametrize("cause", ["refuse", "go_silent"])
def test_after_an_outage_the_first_request_that_can_be_served_is(system: System, begin: Any, cause: str) -> None:
    workload = begin(clients=4)
    with workload.running(pause_s=0.02):
        getattr(system.database_proxy, cause)()
        wait_until(
            lambda: all(503 in answered(client.requests) for client in workload.clients),
            timeout_s=40,
            what="each client has its 503",
        )
        assert requests.get(f"{system.base_url}/health/ready", timeout=20).status_code == 503
        system.database_proxy.heal()
        healed_at = time.monotonic()
        before = len(workload.requests)
        wait_until(lambda: len(workload.requests) > before, timeout_s=20, what="trading goes on")
        assert time.monotonic() - healed_at < AFTERWARDS_S
    heal_drain_check(system, workload)


def test_hanging_connects_cost_no_request_while_a_connection_is_open(system: System, begin: Any) -> None:
    """New connections are black-holed, those that are open work: as when a firewall forgets its rules."""
    workload = begin(clients=12)
    workload.clients[0].place()
    system.workers[0].terminate()
    system.database_proxy.is_silent = True
    with workload.running():
        time.sleep(3)
        assert requests.get(f"{system.base_url}/health/ready", timeout=20).status_code == 200
    assert 503 not in answered(workload.requests)
    heal_drain_check(system, workload)
