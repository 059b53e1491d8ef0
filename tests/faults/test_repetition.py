"""F17 to F20 and F22 to F24: many at once, again and again, in real processes; and a wrong clock."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.faults.checks import SWEPT_S, answered, drain, heal_drain_check, pending_orders, unbalanced
from tests.faults.system import CRON_SECRET, System
from tests.faults.workload import Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

CRON_CALLS = 10  # of each caller


def test_f17_one_order_with_a_hundred_messages_is_filled_once(system: System) -> None:
    system.start_web()
    workload = Workload(system, clients=1)
    order_ids = [workload.clients[0].place(side="BUY", quantity=7).document["orderId"] for _ in range(3)]
    for order_id in order_ids:
        system.enqueue(order_id, 99)
    for _ in range(2):
        system.start_worker(WORKER_PROCESSES="2")
    wait_until(lambda: system.redis.hlen("tradepost:orders.msgs") == 0, timeout_s=30)
    assert system.sql("SELECT sum(quantity) FROM position") == [(21,)]
    lines = "".join(worker.log for worker in system.workers)
    assert lines.count(" executed ") == 3
    heal_drain_check(system, workload)


def cron(system: System, limit: int = 50) -> dict[str, Any]:
    """Call the cron endpoint."""
    headers = {"Authorization": f"Bearer {CRON_SECRET}"}
    url = f"{system.base_url}/api/cron/order-worker?limit={limit}"
    answer = requests.get(url, headers=headers, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.long
def test_f18_two_workers_two_sweepers_and_the_cron_endpoint_share_the_orders(system: System) -> None:
    system.start_web(WEB_CONCURRENCY="2")
    workload = Workload(system, clients=6)
    workload.begin()
    wait_until(lambda: pending_orders(system) > 200, timeout_s=60)
    workload.finish()
    stopping = threading.Event()

    def call() -> int:
        executed = 0
        while not stopping.is_set():
            executed += cron(system)["executed"]
        return executed

    with ThreadPoolExecutor(4) as pool:
        calls = [pool.submit(call) for _ in range(2)]
        starts = [pool.submit(system.start_worker, ORDER_WORKER_INTERVAL_MS="100") for _ in range(2)]
        drain(system, timeout_s=60)
        stopping.set()
        by_cron = sum(call.result() for call in calls)
        [start.result() for start in starts]
    assert by_cron > 0
    heal_drain_check(system, workload)


def test_f19_an_order_whose_message_met_a_locked_row_is_swept_after_the_rollback(
    system: System,
) -> None:
    system.start_web()
    workload = Workload(system, clients=1)
    client = workload.clients[0]
    order_id = client.place(side="BUY").document["orderId"]
    holder = system.connect(client.account_id)
    holder.autocommit = False
    holder.cursor().execute("SELECT 1 FROM trading_order WHERE id = %s FOR UPDATE", (order_id,))
    system.start_worker()
    wait_until(lambda: system.redis.hlen("tradepost:orders.msgs") == 0, what="the message is acked")
    assert pending_orders(system) == 1
    holder.rollback()
    holder.close()
    drain(system, timeout_s=SWEPT_S)
    heal_drain_check(system, workload)


@pytest.mark.parametrize(
    "seconds", ["86400", *(pytest.param(off, marks=pytest.mark.long) for off in ("90", "-90", "-86400"))]
)
def test_f20_a_process_whose_clock_is_wrong_disturbs_nobody(system: System, begin: Any, seconds: str) -> None:
    workload = begin(clients=2)
    system.start_worker(TRADEPOST_CLOCK_OFF_S=seconds)
    with workload.running(pause_s=0.05):
        time.sleep(2)
        system.redis.flushdb()  # some are left to the sweepers, whose clocks differ
        time.sleep(2)
    assert heal_drain_check(system, workload).longest < SWEPT_S


def test_f20_a_web_process_whose_clock_is_wrong_places_orders_that_are_swept_in_time(system: System) -> None:
    system.start_web(TRADEPOST_CLOCK_OFF_S="-86400", REDIS_URL="redis://127.0.0.1:1/0")  # nothing is sent
    workload = Workload(system, clients=2)
    system.start_worker()
    with workload.running(pause_s=0.05):
        time.sleep(2)
    assert heal_drain_check(system, workload).longest < SWEPT_S
    off = "SELECT count(*) FROM trading_order WHERE abs(extract(epoch FROM placed_at - clock_timestamp())) > 600"
    assert system.sql(off) == [(0,)]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_f22_placements_and_executions_across_accounts_do_not_deadlock(system: System) -> None:
    system.start_web(WEB_CONCURRENCY="2")
    workload = Workload(system, clients=8)
    workload.begin()
    wait_until(lambda: pending_orders(system) > 300, timeout_s=180)

    def call() -> None:  # each batch holds several accounts
        for _ in range(CRON_CALLS):  # on a busy machine the clients place as much as is executed
            if cron(system, limit=15)["claimed"] <= 5:
                break

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call) for _ in range(6)]
        [done.result() for done in calls]
    workload.finish()
    assert 503 not in answered(workload.requests)
    assert system.sql("SELECT deadlocks FROM pg_stat_database WHERE datname = %s", system.name) == [(0,)]
    system.start_worker()
    heal_drain_check(system, workload, drain_s=60)


@pytest.mark.parametrize("repeat", [0, pytest.param(1, marks=pytest.mark.long)])
def test_f23_two_hundred_orders_at_once_with_margin_for_a_hundred_place_a_hundred(system: System, repeat: int) -> None:
    system.start_web(WEB_CONCURRENCY="2")
    workload = Workload(system, clients=1, opening=Decimal("100000000.00"))
    sample = workload.clients[0].place(side="BUY", quantity=10, price="100.00", symbol="TCS").document["order"]
    workload.opening = (Decimal(sample["blockedMargin"]) + Decimal(sample["charges"])) * 100
    account_id = workload.open_account("Just enough")
    clients = [workload.add_client(account_id) for _ in range(20)]

    def place_ten(client: Any) -> None:
        for _ in range(10):
            client.place(side="BUY", quantity=10, price="100.00", symbol="TCS")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(place_ten, clients))
    requests_made = [request for client in clients for request in client.requests]
    # A client may have been told to try again later: the final status of each request counts.
    assert Counter(request.status for request in requests_made) == {202: 100, 422: 100}
    assert system.sql("SELECT available_margin FROM account WHERE id = %s", account_id) == [(0,)]
    system.start_worker()
    drain(system)
    assert unbalanced(system) == []


@pytest.mark.parametrize("repeat", [0, pytest.param(1, marks=pytest.mark.long)])
def test_f24_fifty_requests_at_once_with_one_key_are_one_order(system: System, repeat: int) -> None:
    system.start_web(WEB_CONCURRENCY="2")
    workload = Workload(system, clients=50)
    first = workload.clients[0]
    wish = first.wish("place")
    barrier = threading.Barrier(50)

    def send(client: Any) -> Any:
        client._headers = first._headers
        same = type(wish)(wish.kind, wish.method, wish.path, wish.body, wish.key)
        barrier.wait(30)
        return client.settle(same)

    with ThreadPoolExecutor(50) as pool:
        settled = list(pool.map(send, workload.clients))
    assert {request.status for request in settled} == {202}
    assert len({request.document["orderId"] for request in settled}) == 1
    assert system.sql("SELECT count(*) FROM trading_order") == [(1,)]
    system.start_worker()
    heal_drain_check(system, workload)
