"""G2: for a while the processes reach a standby only, which serves reads and refuses writes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from embedded.postgres import SOCKET_PORT, Postgres
from tests.faults.checks import heal_drain_check
from tests.faults.machine import Machine
from tests.faults.proxy import unix_target
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def standby(machine: Machine, tmp_path: Path) -> Iterator[Postgres]:
    """Start a standby of the machine's server, which follows it."""
    machine.start()
    standby = Postgres(tmp_path / "standby", durable=False)
    standby._prepare_folders()
    primary = f"host={machine.postgres.socket_directory} port={SOCKET_PORT} user=postgres"
    standby._run("pg_basebackup", "-d", primary, "-D", "data", "-R", "-X", "stream", "-c", "fast", "--no-sync")
    try:
        standby.start()
        yield standby
    finally:
        standby.stop(mode="immediate")
        standby.delete()


def is_caught_up(system: System, standby: Postgres) -> bool:
    """Return True if the standby has every commit of the primary up to now."""
    return bool(
        system.sql(
            "SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication WHERE application_name <> ''"
        )[0][0]
    )


def readiness(system: System) -> tuple[int, str]:
    """Return the status of /health/ready, and the state of the database in it."""
    answer = requests.get(f"{system.base_url}/health/ready", timeout=15)
    return answer.status_code, answer.json()["database"]


def read_orders(system: System, workload: Workload) -> int:
    """Read the orders of the first client, and return the status."""
    path = f"{system.base_url}/api/trading/orders"
    token = next(iter(workload.accounts.values()))
    return requests.get(path, headers={"Authorization": f"Bearer {token}"}, timeout=15).status_code


def lead_to(system: System, server: Postgres) -> None:
    """Let new connections lead to a server; those that are open stay where they are."""
    system.database_proxy.lead_to(unix_target(str(server.socket_directory / f".s.PGSQL.{SOCKET_PORT}")))


def test_g2_connections_to_a_standby_are_replaced_once_the_primary_is_reachable(
    standby: Postgres, system: System, begin: Any
) -> None:
    workload = begin(clients=2)
    with workload.running(pause_s=0.02):
        wait_until(lambda: len(workload.requests) > 20)
        lead_to(system, standby)
        system.database_proxy.cut_all()
        wait_until(
            lambda: all(503 in client.requests[-1].answers for client in workload.clients), what="none can write"
        )
        assert readiness(system) == (503, "read_only")
        assert read_orders(system, workload) == 200
        lead_to(system, system.postgres)
        before = len(workload.requests)
        wait_until(lambda: len(workload.requests) > before + 4, timeout_s=15, what="trading goes on")
        wait_until(lambda: readiness(system) == (200, "ok"), timeout_s=10, what="ready again")
    heal_drain_check(system, workload)  # that its orders end says the same of the worker


def test_g2_the_first_order_after_the_failover_is_accepted(standby: Postgres, system: System, begin: Any) -> None:
    """Nobody asks meanwhile: the connections that lead to the standby are still in the pool."""
    workload = begin(clients=1)
    system.workers[0].terminate()
    wait_until(lambda: is_caught_up(system, standby), what="the standby follows")
    lead_to(system, standby)
    system.database_proxy.cut_all()
    assert read_orders(system, workload) == 200
    lead_to(system, system.postgres)
    assert workload.clients[0].place().answers == [202]
    heal_drain_check(system, workload)
