"""G1, G17: the server gives fewer connections than the processes would take, or asks for another isolation."""

import time
from typing import Any

import pytest
import requests

from models import buckets
from tests.faults.checks import answered, heal_drain_check
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.metrics import Metrics
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

LIMIT = 6
CLIENTS = 12
CONNECTS = "tradepost_database_connects_total"


@pytest.fixture
def limited_url(system: System) -> str:
    """Return the database's URL for a role that may have few connections."""
    role = f"{system.name}_limited"
    system.sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT {LIMIT}")
    for schema in [buckets.SHARED_SCHEMA, *(map(buckets.schema_of, buckets.shards()) if buckets.are_several() else [])]:
        system.sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        for kind in ("TABLES", "SEQUENCES", "FUNCTIONS"):
            system.sql(f"GRANT ALL ON ALL {kind} IN SCHEMA {schema} TO {role}")
    return system.settings["DATABASE_URL"].replace("postgres@", f"{role}@")


def open_count(system: System) -> int:
    """Return how many connections the limited role has."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    return int(system.sql(query, f"{system.name}_limited")[0][0])


def full_count(system: System) -> float:
    """Return how often the server gave a web process no connection."""
    return Metrics(requests.get(f"{system.base_url}/metrics", timeout=10).text)(CONNECTS, outcome="full")


def test_g1_at_the_servers_connection_limit_requests_share_the_connections(system: System, limited_url: str) -> None:
    system.start_web(WEB_CONCURRENCY="2", DATABASE_URL=limited_url)
    system.start_worker()
    workload = Workload(system, clients=CLIENTS)
    with workload.running():
        wait_until(lambda: open_count(system) == LIMIT, timeout_s=60, what="the server gives no more")
        before = len(workload.requests)
        wait_until(lambda: len(workload.requests) > before + 100, timeout_s=60, what="trading goes on")
        assert 503 not in answered(workload.requests)
        wait_until(lambda: full_count(system) > 0, timeout_s=60, what="the server has refused more")
    assert 503 not in answered(workload.requests)
    heal_drain_check(system, workload)


def test_g17_another_isolation_that_the_database_asks_for_is_not_taken(system: System, begin: Any) -> None:
    system.sql(f"ALTER DATABASE {system.name} SET default_transaction_isolation = 'serializable'")
    workload = begin(clients=8)
    with workload.running():
        time.sleep(3)
    assert 503 not in answered(workload.requests)
    heal_drain_check(system, workload)
