"""G3 and G3b: an operator's session holds one row; its account waits, and no other."""

import contextlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.faults.checks import answered, execution_times, heal_drain_check, pending_orders
from tests.faults.system import System
from tests.faults.test_repetition import cron
from tests.faults.workload import Client, Request, Workload
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

TRADERS = 10
PROMPT_S = 2.5  # p99 to EXECUTED of all other orders; a wait for a held row takes 3 s
FREED_S = 5.0
# 2 s until a connection is free, 3 s until the lock is given up; and this machine may be busy.
BOUND_S = 10.0
ROWS = {
    "account": "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE",
    "order": "SELECT FROM trading_order WHERE account_id = %s AND status = 'PENDING' LIMIT 1 FOR NO KEY UPDATE",
    "position": "SELECT FROM position WHERE account_id = %s FOR NO KEY UPDATE",
}


@contextlib.contextmanager
def held(system: System, row: str, account_id: str) -> Iterator[None]:
    """Hold a row of an account as an operator's open transaction does."""
    session = system.connect(account_id)
    session.autocommit = False
    try:
        session.cursor().execute(ROWS[row], (account_id,))
        yield
    finally:
        session.close()


def trade(workload: Workload, seconds: float) -> None:
    """Let the clients that are not idle trade for a while."""
    with workload.running(pause_s=0.2):
        time.sleep(seconds)


@pytest.mark.parametrize("seconds", [5.0, pytest.param(40.0, marks=pytest.mark.long)])
@pytest.mark.parametrize("row", ROWS)
def test_g3_an_account_whose_row_is_held_waits_alone(system: System, row: str, seconds: float) -> None:
    system.start_web()
    workload = Workload(system, clients=2 * TRADERS)
    stuck = workload.open_account("Stuck")
    client = workload.add_client(stuck)
    client.place(side="BUY", symbol="TCS")
    assert cron(system)["executed"] == 1
    for _ in range(5):
        client.place(side="BUY", symbol="TCS")
    own = "SELECT count(*) FROM trading_order WHERE status = 'PENDING' AND account_id "
    with held(system, row, stuck):
        system.start_worker()
        [(since,)] = system.sql("SELECT clock_timestamp()::text")
        trade(workload, seconds)
        others = lambda: system.sql(f"{own} <> %s", stuck)[0][0]  # noqa: E731
        wait_until(lambda: others() == 0, what="all other orders are executed while the row is held")
        left = system.sql(f"{own} = %s", stuck)
        times = execution_times(system, since)
        answers = answered([request for each in workload.clients if each is not client for request in each.requests])
        print(f"\n{row}: {times}, its own PENDING {left}, answers {answers}")
    wait_until(lambda: pending_orders(system) == 0, timeout_s=FREED_S, what="the held orders are executed")
    heal_drain_check(system, workload)
    assert left == ([(1,)] if row == "order" else [(5,)])
    assert 503 not in answers
    assert times.p99 <= max(PROMPT_S, 5 * times.p50)  # on a slow machine all orders are slow


def test_g3b_forty_requests_to_a_held_account_leave_connections_to_the_others(system: System) -> None:
    system.start_web(DATABASE_POOL_SIZE="8")
    workload = Workload(system, clients=12)
    others = workload.clients[:6]
    stuck = workload.open_account("Stuck")
    first = workload.add_client(stuck)
    order_id = first.place(side="BUY", symbol="TCS").document["orderId"]
    wishes = ("/api/trading/orders", "/api/trading/orders/batch", "cancel", "modify", "funds")
    begun = threading.Barrier(40)

    def ask(number: int) -> tuple[int, float, bool]:
        request = wish_of(wishes[number % len(wishes)], first, order_id)
        begun.wait(30)
        return send(system, request, first if request.kind != "funds" else None)

    def place_meanwhile(client: Client) -> None:
        while not all(each.done() for each in asked):
            client.place(side="BUY")

    with held(system, "account", stuck), ThreadPoolExecutor(46) as pool:
        asked = [pool.submit(ask, number) for number in range(40)]
        for done in [pool.submit(place_meanwhile, client) for client in others]:
            done.result()
        answers = [each.result() for each in asked]
    placed = [request for client in others for request in client.requests if request.kind == "place"]
    print(f"\n{len(placed)} placements of other accounts: {answered(placed)}")
    assert {(status, has_retry_after) for status, _, has_retry_after in answers} == {(503, True)}
    assert max(seconds for _, seconds, _ in answers) < BOUND_S
    assert len(placed) > len(others)
    assert set(answered(placed)) == {202}
    assert first.place(side="BUY", symbol="TCS").status == 202
    system.start_worker()
    heal_drain_check(system, workload)


def wish_of(name: str, client: Client, order_id: str) -> Request:
    """Return a request that locks the client's account, without an idempotency key."""
    order = {"exchange": "NSE", "symbol": "TCS", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}
    if name == "cancel":
        return Request(name, "DELETE", f"/api/trading/orders/{order_id}", None, None)
    if name == "modify":
        return Request(name, "PATCH", f"/api/trading/orders/{order_id}", {"quantity": 2}, None)
    if name == "funds":
        path = f"/api/admin/accounts/{client.account_id}/funds"
        return Request(name, "POST", path, {"kind": "DEPOSIT", "amount": "1.00"}, None)
    return Request(name, "POST", name, {"orders": [order]} if name.endswith("batch") else order, None)


def send(system: System, request: Request, client: Client | None) -> tuple[int, float, bool]:
    """Send a request once; return its status, how many seconds it took, and whether it has Retry-After."""
    token = {"Authorization": f"Bearer {system.admin_token}"} if client is None else client._headers
    if request.kind == "modify":
        token = {**token, "If-Match": "*"}
    start = time.monotonic()
    url = f"{system.base_url}{request.path}"
    answer = requests.request(request.method, url, json=request.body, headers=token, timeout=30)
    return answer.status_code, time.monotonic() - start, "Retry-After" in answer.headers
