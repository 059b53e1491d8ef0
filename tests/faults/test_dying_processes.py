"""F1, F2 and F4 to F7: processes die at the worst moment, or are told to stop."""

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from tests.faults.checks import SWEPT_S, heal_drain_check
from tests.faults.series import series_of_stops
from tests.faults.system import System
from tests.support.processes import Running, wait_until
from tests.support.servers import path_to

pytestmark = pytest.mark.faults


def statuses_of(system: System) -> dict[str, str]:
    """Return the status of every order."""
    return dict(system.sql("SELECT id::text, status FROM trading_order"))


def wait_for_more_orders(system: System) -> None:
    """Wait until some orders have been executed from now on."""
    before = executed(system)
    wait_until(lambda: executed(system) > before + 5, timeout_s=30, what="orders are executed")


def executed(system: System) -> int:
    """Return how many orders are EXECUTED."""
    return sum(status == "EXECUTED" for status in statuses_of(system).values())


def executed_by(worker: Running) -> int:
    """Return how many orders a worker command's processes say that they have executed."""
    return worker.log.count(" executed ")


def executed_in_silence(system: System, commands: tuple[Running, ...]) -> int:
    """Return how many orders nobody says to have executed: orphans have lost their output with their main process."""
    return executed(system) - sum(map(executed_by, commands))


def test_f1_an_order_whose_web_process_dies_unsent_is_swept_and_its_key_replays(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    armed = system.arm("web_dies_before_send")
    request = workload.clients[0].place(side="BUY")
    assert not armed.exists()
    assert (request.answers[0], request.status) == (None, 202)
    assert len(statuses_of(system)) == 1
    assert heal_drain_check(system, workload).longest < SWEPT_S


def test_f2_a_web_process_killed_before_commit_leaves_nothing_and_a_retry_places(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    client = workload.clients[0]
    armed = system.arm("web_dies_before_commit")
    request = client.wish("market")  # one in steps: an order with a price is committed by its one statement
    client.requests.append(request)
    client._send(request)
    assert request.answers == [None]
    assert not armed.exists()
    assert statuses_of(system) == {}
    assert system.sql("SELECT count(*) FROM fund_transaction WHERE order_id IS NOT NULL") == [(0,)]
    client.requests.remove(request)
    assert client.settle(request).status == 202
    assert len(statuses_of(system)) == 1
    heal_drain_check(system, workload)


def test_f2_a_web_process_killed_during_its_statement_places_once_with_the_retry(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    client = workload.clients[0]
    holder = system.connect()
    holder.autocommit = False
    path = path_to(UUID(client.account_id))
    holder.cursor().execute(f"{path} SELECT 1 FROM account WHERE id = %s FOR UPDATE", (client.account_id,))
    with ThreadPoolExecutor(1) as pool:
        placing = pool.submit(client.place, side="BUY")
        wait_until(lambda: system.sql("SELECT 1 FROM pg_locks WHERE NOT granted"), what="the placement waits")
        for child in system.webs[0].children():
            child.kill()
        holder.rollback()
        holder.close()
        request = placing.result()
    assert (request.answers[0], request.status) == (None, 202)
    assert len(statuses_of(system)) == 1
    heal_drain_check(system, workload)


@pytest.mark.parametrize(
    "point",
    [
        pytest.param("worker_dies_before_ack", id="f4-between-fill-commit-and-ack", marks=pytest.mark.long),
        pytest.param("worker_dies_before_commit", id="f5-inside-the-fill-transaction"),
    ],
)
def test_f4_f5_a_worker_killed_around_the_commit_of_a_fill_fills_once(system: System, begin: Any, point: str) -> None:
    workload = begin(clients=4)
    with system.kept(), workload.running(pause_s=0.05):
        wait_for_more_orders(system)
        killed = system.workers[0]
        system.wait_for_hit(system.arm(point))
        wait_until(lambda: not killed.is_running, timeout_s=20)
    heal_drain_check(system, workload)


def test_f4_a_redelivered_message_of_an_executed_order_is_acked_and_does_nothing(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    armed = system.arm("worker_dies_before_ack")
    order_id = workload.clients[0].place(side="BUY").document["orderId"]
    system.wait_for_hit(armed)
    assert statuses_of(system) == {order_id: "EXECUTED"}
    wait_until(lambda: not system.workers[0].is_running)
    assert system.redis.hlen("tradepost:orders.msgs") == 1  # fetched, and never acked
    heal_drain_check(system, workload)  # waits for the redelivery, which empties the ack set


def test_f6_killed_workers_lose_nothing_and_orphans_beside_new_workers_fill_once(system: System, begin: Any) -> None:
    workload = begin(clients=4, WORKER_PROCESSES="2")
    with workload.running(pause_s=0.05):
        wait_for_more_orders(system)
        first = system.workers[0]
        system.worker_children()[-1].kill()  # Dramatiq's main process ends the others then
        wait_until(lambda: not first.is_running, timeout_s=30)
        system.revive()
        second = system.workers[0]
        orphans = system.worker_children()
        second.signal(signal.SIGKILL)  # its children go on beside those of the next
        wait_until(lambda: not second.is_running)
        system.revive()
        assert any(orphan.is_running() for orphan in orphans)
        wait_until(lambda: executed_by(system.workers[0]), timeout_s=30, what="the new set executes")
        commands = (first, second, system.workers[0])
        before = executed_in_silence(system, commands)
        wait_until(lambda: executed_in_silence(system, commands) > before + 10, timeout_s=30, what="orphans work")
    second.kill()
    heal_drain_check(system, workload)


def test_f7_a_dyno_stopped_under_load_exits_in_time_and_leaves_no_message(system: System, begin: Any) -> None:
    workload = begin(clients=6, WEB_CONCURRENCY="2", WORKER_PROCESSES="2")
    exits = series_of_stops(system, workload, 2)
    assert max(exits) < 25
    heal_drain_check(system, workload)
