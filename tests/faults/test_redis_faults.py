"""F8 to F13: Redis is emptied, refuses, falls silent, is full or read-only, or loses single answers."""

import time
from typing import Any

import pytest
import requests

from tests.faults.checks import SWEPT_S, answered, drain, heal_drain_check, times
from tests.faults.series import emptied_redis_drains
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults


def ready(system: System) -> dict[str, Any]:
    """Return the document of /health/ready."""
    return requests.get(f"{system.base_url}/health/ready", timeout=20).json()


def wait_until_ready(system: System) -> None:
    """Wait until the web process has found Redis again."""
    wait_until(lambda: ready(system)["status"] == "ok", timeout_s=30, what="ready is ok")


def test_f8_a_flushed_redis_loses_no_order_and_they_are_swept_in_bounded_batches(system: System) -> None:
    system.start_web(LOG_FORMAT="text")
    workload = Workload(system, clients=6)
    assert emptied_redis_drains(system, workload, 200) > 10
    heal_drain_check(system, workload)


def break_redis(system: System, how: str) -> None:
    """Make Redis useless in one of four ways."""
    match how:
        case "refuses":
            system.broker_proxy.refuse()
        case "silent":
            system.broker_proxy.go_silent()
        case "full":
            system.redis.config_set("maxmemory-policy", "noeviction")
            system.redis.config_set("maxmemory", 1)
        case "read-only":
            system.redis.replicaof("127.0.0.1", 1)


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("refuses", id="f9-refuses"),
        pytest.param("silent", id="f9-silent"),
        pytest.param("full", id="f11-full"),
        pytest.param("read-only", id="f11-read-only"),
    ],
)
def test_f9_f11_without_redis_orders_are_accepted_and_executed_a_little_later(
    system: System, begin: Any, how: str
) -> None:
    workload = begin(clients=2)
    client = workload.clients[0]
    usual_s = min(client.place(side="BUY").seconds[-1] for _ in range(5))
    break_redis(system, how)
    placed = []
    for _ in range(8):
        request = client.place(side="BUY", quantity=1)
        placed.append(request)
        time.sleep(0.3)  # so that some come after the pause in which Redis is left alone
    assert answered(placed) == {202: 8}
    waits = sorted(request.seconds[-1] for request in placed)
    assert waits[3] < usual_s + 1  # the pause lets most go by
    assert waits[-1] < usual_s + 3  # a second, and this machine's noise
    assert ready(system)["status"] == "degraded"
    drain(system)
    assert times(system).longest < SWEPT_S
    system.heal()
    wait_until_ready(system)
    client.place(side="BUY", quantity=1)
    assert heal_drain_check(system, workload).longest < SWEPT_S


def test_f10_a_redis_that_restarts_empty_is_used_again_and_loses_nothing(system: System, begin: Any) -> None:
    workload = begin(clients=4)
    with workload.running(pause_s=0.02):
        for _ in range(2):
            time.sleep(1)
            system.valkey.stop()
            system.valkey.start()
            assert system.redis.dbsize() < 50  # nothing was kept, its scripts neither
    wait_until_ready(system)
    wait_until(lambda: is_sent_and_executed(system, workload), timeout_s=60, what="an order goes through Redis")
    heal_drain_check(system, workload)


def is_sent_and_executed(system: System, workload: Workload) -> bool:
    """Place an order, wait until it is executed, and return True if its message was sent."""
    order_id = workload.clients[0].place(side="BUY", quantity=1).document["orderId"]
    status = "SELECT status FROM trading_order WHERE id = %s"
    wait_until(lambda: system.sql(status, order_id) == [("EXECUTED",)], timeout_s=20, what="it is executed")
    lines = system.webs[0].log.splitlines()
    return not any(order_id in line for line in lines if "dispatch_left_to_sweeping" in line)


# A fetch that brings an order, an enqueue, an ack: (direction, pattern, action on the answer).
LOST = {
    "f12-fetch": ("to_client", rb'"actor_name":"execute_order"', "cut"),
    "f12-enqueue": ("to_server", rb"enqueue\r\n.*execute_order", "answer"),
    "f13-ack": ("to_server", rb"\r\nack\r\n", "answer"),
    "f13-ack-time-out": ("to_server", rb"\r\nack\r\n", "swallow"),
}


@pytest.mark.parametrize(
    "which", [pytest.param(name, marks=pytest.mark.long) if "time-out" in name else name for name in LOST]
)
def test_f12_f13_a_lost_answer_of_redis_costs_no_order_and_fills_none_twice(
    system: System, begin: Any, which: str
) -> None:
    workload = begin(clients=4)
    rule = system.broker_proxy.add_rule(*LOST[which], times=2)
    with workload.running(pause_s=0.05):
        wait_until(lambda: rule.fired == 2, timeout_s=30, what="answers are lost")
        if "time-out" in which:  # a worker waits 5 s for an answer
            gone = "due to a connection error"
            wait_until(lambda: gone in system.workers[0].log, timeout_s=30, what="the worker gives up waiting")
        before = len(workload.requests)
        wait_until(lambda: len(workload.requests) > before + 20, timeout_s=30, what="trading goes on")
    assert set(answered(workload.requests)) <= {200, 201, 202, 204, 404, 409, 422}
    drain(system)
    # What a lost answer has left behind comes back to the queue, although its worker lives on.
    heal_drain_check(system, workload)
