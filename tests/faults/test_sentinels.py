"""Redis' primary is lost or replaced, and Sentinels promote its replica: every process follows by itself."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from tests.faults.checks import SWEPT_S, answered, heal_drain_check
from tests.faults.machine import Machine
from tests.faults.system import System
from tests.faults.test_redis_elsewhere import BACK_S, CONSUMERS, buy, failures, wait_until_back
from tests.faults.watched import watched_system
from tests.faults.workload import Workload
from tests.realtime.clients import Stream
from tests.support.processes import wait_until
from tests.support.sentinels import Watched, client_of, is_replica

pytestmark = pytest.mark.faults

WATCHING = "?symbols=NSE:RELIANCE"
CHANNELS = 2  # the nudges of events, and the quotes

Break = Callable[[Watched], Any]


@pytest.fixture
def place(machine: Machine, tmp_path: Path) -> Iterator[tuple[System, Watched]]:
    """Return a started system and its Redis with Sentinels."""
    with watched_system(machine, tmp_path) as (system, watched):
        system.start()
        yield system, watched


def end_most_sentinels(watched: Watched) -> None:
    """End two of three Sentinels, of which the first is one."""
    for sentinel in watched.sentinels[:2]:
        sentinel.signal(signal.SIGKILL)


@pytest.mark.parametrize(
    "break_redis",
    [
        pytest.param(Watched.kill_primary, id="killed"),
        pytest.param(Watched.fail_over, id="switched", marks=pytest.mark.long),
        pytest.param(Watched.suspend_primary, id="suspended", marks=pytest.mark.long),
    ],
)
def test_every_process_follows_the_primary_that_the_sentinels_name(
    place: tuple[System, Watched], break_redis: Break
) -> None:
    system, watched = place
    workload = Workload(system, clients=4)
    token = next(iter(workload.accounts.values()))
    with Stream(system.web_port, token, query=WATCHING) as stream, workload.running(pause_s=0.02):
        stream.ready()
        wait_until(lambda: len(workload.requests) > 50, what="trading goes on")
        wait_until(lambda: system.redis.pubsub_numpat() == CHANNELS, what="nudges and quotes are heard")
        old = break_redis(watched)
        promoted = watched.wait_until_promoted(old)
        wait_until_back(system, workload)
        with client_of(promoted) as client:
            is_consumed = lambda: client.info("clients")["blocked_clients"] >= CONSUMERS  # noqa: E731
            wait_until(is_consumed, timeout_s=BACK_S, what="the worker waits for messages")
            is_heard = lambda: client.pubsub_numpat() == CHANNELS  # noqa: E731
            wait_until(is_heard, timeout_s=BACK_S, what="nudges and quotes are heard again")
            wait_until(lambda: client.zcard("tradepost:workers") == 1, what="the ticker has come along")
            wait_until(lambda: any(client.scan_iter("tradepost:limits:*")), what="placements are counted there")
    placed = [request for request in workload.requests if request.kind == "place"]
    assert answered(placed).keys() <= {202, 422}  # nobody was refused for want of Redis
    if old.pid is not None:
        psutil.Process(old.pid).send_signal(signal.SIGCONT)
    watched.wait_until_whole()  # the old one comes back, and is a replica before long
    assert is_replica(old)
    failed = failures(system)
    assert answered([buy(workload) for _ in range(20)]) == {202: 20}
    assert failures(system) == failed
    assert heal_drain_check(system, workload).longest < SWEPT_S


@pytest.mark.long
def test_without_a_majority_of_sentinels_the_primary_is_still_used(place: tuple[System, Watched]) -> None:
    system, watched = place
    workload = Workload(system, clients=4)
    end_most_sentinels(watched)
    with client_of(watched.servers[0]) as client:
        client.client_kill_filter(_type="normal", skipme=True)
    wait_until_back(system, workload)
    assert answered([buy(workload) for _ in range(20)]) == {202: 20}
    assert requests.get(f"{system.base_url}/health/ready", timeout=20).json()["broker"] == "ok"
    heal_drain_check(system, workload)
