"""G4 and G14: the name of Redis is not answered, its role is switched, or its connections lead nowhere."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from embedded.valkey import Valkey
from tests.faults.checks import SWEPT_S, answered, drain, heal_drain_check, times
from tests.faults.name_server import NameServer
from tests.faults.proxy import tcp_target
from tests.faults.system import System
from tests.faults.test_redis_faults import is_sent_and_executed, ready
from tests.faults.workload import Request, Workload
from tests.realtime.clients import Stream
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

NAME = "redis.faults.test"
# Within 5 s of the cause's end, and as much again for a busy machine.
BACK_S = 10.0
CONSUMERS = 4  # two queues, each with its delayed messages


@pytest.fixture
def name_server(tmp_path: Path) -> Iterator[NameServer]:
    server = NameServer(tmp_path)
    server.addresses[NAME] = "127.0.0.1"
    yield server
    server.close()


@pytest.fixture
def named(system: System, name_server: NameServer) -> System:
    """Return a system whose processes know Redis by a name."""
    system.starter.prefix = name_server.prefix
    system.starter.environment["REDIS_URL"] = system.settings["REDIS_URL"].replace("127.0.0.1", NAME)
    return system


@pytest.fixture
def other(tmp_path: Path) -> Iterator[redis.Redis]:
    """Start a second Valkey, and return a client of it."""
    valkey = Valkey(tmp_path / "other", durable=False)
    valkey.start()
    with redis.Redis.from_url(valkey.url, socket_timeout=10) as client:
        yield client
    valkey.stop()
    valkey.delete()


def port_of(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def buy(workload: Workload) -> Request:
    return workload.clients[0].place(side="BUY", quantity=1)


def seconds_of(action: Callable[[], Any]) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def failures(system: System) -> int:
    """Return how often Redis refused something; a busy machine's late answer is no refusal."""
    failed = [line for line in system.webs[0].log.splitlines() if "redis_failed" in line]
    return sum("TimeoutError" not in line for line in failed)


def look_alive(system: System) -> None:
    assert requests.get(f"{system.base_url}/health/live", timeout=20).status_code == 200


def wait_until_back(system: System, workload: Workload) -> None:
    """Wait for a short time until the web process has found Redis, and an order goes through it."""
    wait_until(lambda: ready(system)["status"] == "ok", timeout_s=BACK_S, what="ready is ok")
    is_back = lambda: is_sent_and_executed(system, workload)  # noqa: E731
    wait_until(is_back, timeout_s=BACK_S, what="an order goes through Redis")


def wait_until_consumed(server: redis.Redis) -> None:
    """Wait for a short time until the worker waits for messages on a server."""
    is_consumed = lambda: server.info("clients")["blocked_clients"] >= CONSUMERS  # noqa: E731
    wait_until(is_consumed, timeout_s=BACK_S, what="the worker waits for messages")


def test_g4_a_silent_name_server_costs_a_placement_a_second_at_most(named: System, name_server: NameServer) -> None:
    name_server.is_silent = True
    named.start()
    workload = Workload(named, clients=2)
    placed, live_s = [], []
    for _ in range(8):
        placed.append(buy(workload))
        live_s.append(seconds_of(lambda: look_alive(named)))
        time.sleep(0.3)  # so that some come after the pause in which Redis is left alone
    assert answered(placed) == {202: 8}
    waits = sorted(request.seconds[-1] for request in placed)
    assert waits[3] < 1  # the pause lets most go by
    assert waits[-1] < 4.5  # a second, and this machine's noise: a look-up in vain takes 5 s
    assert max(live_s) < 4.5
    assert ready(named)["status"] == "degraded"
    drain(named)
    assert times(named).longest < SWEPT_S
    name_server.is_silent = False
    wait_until_back(named, workload)
    wait_until_consumed(named.redis)
    heal_drain_check(named, workload)


def test_g4_a_new_address_is_followed_and_serves_while_the_name_server_is_silent(
    named: System, name_server: NameServer
) -> None:
    name_server.addresses[NAME] = "127.0.0.77"  # nobody listens there
    named.start()
    workload = Workload(named, clients=2)
    assert answered([buy(workload)]) == {202: 1}
    assert ready(named)["status"] == "degraded"
    name_server.addresses[NAME] = "127.0.0.1"
    wait_until_back(named, workload)
    wait_until_consumed(named.redis)
    name_server.is_silent = True
    asked = name_server.asked
    named.broker_proxy.cut_all()
    wait_until_back(named, workload)
    wait_until_consumed(named.redis)
    assert name_server.asked > asked
    heal_drain_check(named, workload)


def test_g14_after_a_switch_of_roles_every_process_follows_the_new_primary(
    system: System, begin: Callable[..., Workload], other: redis.Redis
) -> None:
    other.replicaof("127.0.0.1", str(system.valkey.port))
    wait_until(lambda: other.info("replication")["master_link_status"] == "up", what="the replica follows")
    workload = begin(clients=4)
    with Stream(system.web_port, next(iter(workload.accounts.values()))) as stream, workload.running(pause_s=0.02):
        stream.ready()
        wait_until(lambda: len(workload.requests) > 50, what="trading goes on")
        wait_until(lambda: system.redis.pubsub_numpat() >= 1, what="the web process hears nudges")
        # Connections that there are stay with the old primary, which is a replica without a primary now.
        system.broker_proxy.lead_to(tcp_target(port_of(other)))
        other.replicaof("NO", "ONE")
        system.redis.replicaof("127.0.0.1", "1")
        wait_until_back(system, workload)
        wait_until_consumed(other)
        wait_until(lambda: other.pubsub_numpat() >= 1, timeout_s=BACK_S, what="nudges are heard again")
    workload.finish()
    drain(system)
    assert other.zcard("tradepost:workers") == 1  # the ticker has come along
    failed = failures(system)
    placed = [buy(workload) for _ in range(20)]
    assert answered(placed) == {202: 20}
    drain(system)
    assert failures(system) == failed  # none goes to the old one any more
    system.redis = other  # what the old one still holds is lost with it
    heal_drain_check(system, workload)


def test_black_holed_connections_are_let_go_together(system: System, begin: Callable[..., Workload]) -> None:
    workload = begin(clients=16)
    trade_at_once(system, workload)
    system.broker_proxy.black_hole()
    wait_until_back(system, workload)
    restarted = lambda: system.workers[0].log.count("Restarting consumer") >= CONSUMERS  # noqa: E731
    wait_until(restarted, timeout_s=2 * BACK_S, what="the worker has noticed")
    wait_until_consumed(system.redis)
    let_go = lambda: system.broker_proxy.black_holed_count == 0  # noqa: E731
    wait_until(let_go, timeout_s=BACK_S, what="the connections that lead nowhere are closed, also those not used again")
    trade_at_once(system, workload)  # as many connections as before
    heal_drain_check(system, workload)


def trade_at_once(system: System, workload: Workload) -> None:
    """Trade while Redis is slow, so that many connections to it are open at once."""
    system.broker_proxy.delay_s = 0.03
    enough = len(workload.requests) + 300
    with workload.running(pause_s=0.0):
        wait_until(lambda: len(workload.requests) > enough, timeout_s=60, what="trading goes on")
        are_many = lambda: system.broker_proxy.link_count > 16  # noqa: E731
        wait_until(are_many, timeout_s=60, what="requests have connections of their own, beside the worker's")
    system.broker_proxy.delay_s = 0.0
