"""G24: two deployments, each with a database of its own, on one database of Redis."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.faults.checks import SWEPT_S, answered, drain, find_problems, times
from tests.faults.machine import Machine
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults


@pytest.fixture
def deploy(machine: Machine, tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Return a function that makes a deployment on a database of its own: deploy("blue", REDIS_NAMESPACE="blue")."""
    machine.start()
    made: list[System] = []

    def make(name: str, **settings: str) -> System:
        folder = tmp_path / name
        folder.mkdir()
        made.append(System(machine, folder, **settings))
        return made[-1]

    yield make
    for system in made:
        system.close()


def trade(system: System, count: int) -> Workload:
    workload = Workload(system, clients=1)
    placed = [workload.clients[0].place(side="BUY", quantity=1) for _ in range(count)]
    assert answered(placed) == {202: count}
    return workload


def warnings(system: System) -> Any:
    return requests.get(f"{system.base_url}/health/ready", timeout=20).json().get("warnings")


def metric(system: System, name: str) -> list[str]:
    lines = requests.get(f"{system.base_url}/metrics", timeout=20).text.splitlines()
    return [line for line in lines if line.startswith(f"{name} ")]


def test_g24_two_namespaces_do_not_touch_each_other(deploy: Callable[..., System]) -> None:
    # The second one sends no messages: its worker executes its orders in sweeps.
    first, second = deploy("first"), deploy("second", REDIS_NAMESPACE="second-1", ORDER_DISPATCH="none")
    for system in (first, second):
        system.start()
    workloads = [trade(system, 20) for system in (first, second)]
    for system, workload in zip((first, second), workloads, strict=True):
        drain(system)
        assert times(system).longest < SWEPT_S
        assert find_problems(system, workload) == []
    names = {key.decode().partition(":")[0] for key in first.redis.scan_iter(count=1000)}
    assert names == {"tradepost", "second-1"}
    for namespace in names:
        known = [f"{namespace}:workers", f"{namespace}:databases"]  # a worker reads its database while it runs already
        wait_until(lambda known=known: [first.redis.zcard(name) for name in known] == [1, 1], what=f"one of {known}")
        assert first.redis.exists(f"{namespace}:__heartbeats__")  # its worker consumes there
        assert first.redis.zcard(f"{namespace}:orders.XQ") == 0
    assert warnings(first) is None
    assert warnings(second) is None


def test_g24_two_databases_in_one_namespace_are_told_of(deploy: Callable[..., System]) -> None:
    first, second = deploy("first"), deploy("second")
    for system in (first, second):
        system.start()
    told = ["workers of 2 databases share one REDIS_NAMESPACE"]
    wait_until(lambda: warnings(first) == warnings(second) == told, timeout_s=40, what="ready tells")
    for system in (first, second):
        wait_until(lambda: metric(system, "tradepost_redis_databases")[0].endswith(" 2.0"), what="/metrics tells")  # noqa: B023
    shared = lambda: any("redis_namespace_shared" in system.workers[0].log for system in (first, second))  # noqa: E731
    wait_until(shared, timeout_s=40, what="a worker's log tells")
    workloads = [trade(system, 10) for system in (first, second)]
    for system, workload in zip((first, second), workloads, strict=True):
        drain(system)  # late, but by its own sweeps
        assert find_problems(system, workload) == []
