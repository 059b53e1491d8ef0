"""The execute_order actor and its dispatch, on a stub and on a real broker."""

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import dramatiq
import pytest
import structlog

from actors import orders
from actors.broker import client
from actors.dispatch import dispatch
from models.database import DatabaseUnavailable, execute, fetch_one, session
from runtime import metrics, redis_link
from runtime.sender import sender
from tests.actors.placing import place_quietly, status_of
from tests.support.processes import free_port, wait_until
from trading.upkeep.verify import verify


def filled_quantity(account: Any) -> int:
    with session():
        row = fetch_one("SELECT coalesce(sum(quantity), 0) AS held FROM position WHERE account_id = %s", (account.id,))
    assert row is not None
    return int(row["held"])


def by_account(*orders: Any) -> dict[uuid.UUID, uuid.UUID]:
    return {order["id"]: order["account_id"] for order in orders}


def test_a_dispatched_order_is_executed(worker: dramatiq.Worker, account: Any) -> None:
    order = place_quietly(account())
    dispatch(by_account(order), "request-1")
    wait_until(lambda: status_of(order) == "EXECUTED")
    assert verify() == []


def test_orders_that_are_dispatched_together_are_executed(worker: dramatiq.Worker, account: Any) -> None:
    holder = account()
    placed = [place_quietly(holder) for _ in range(5)]
    dispatch(by_account(*placed), "request-1")
    wait_until(lambda: {status_of(order) for order in placed} == {"EXECUTED"})
    assert filled_quantity(holder) == 50
    assert verify() == []


def test_messages_sent_together_take_one_round_trip_and_reach_a_new_redis(clean: None, configured: None) -> None:
    def reads_of(work: Callable[[], object]) -> int:
        before = client.info("stats")["total_reads_processed"]
        work()
        return int(client.info("stats")["total_reads_processed"]) - before

    def dispatch_twenty() -> None:
        with sender._sending:  # the thread waits until all have gathered
            dispatch({uuid.uuid4(): uuid.uuid4() for _ in range(20)}, None)
        sender.send_all()

    queue = f"{orders.execute_order.broker.namespace}:orders"
    dispatch_twenty()  # connects
    assert client.llen(queue) == 20
    assert reads_of(dispatch_twenty) < 5
    client.script_flush()  # a new Redis knows none of Dramatiq's scripts
    dispatch_twenty()
    assert client.llen(queue) == 60


def test_one_message_delivered_a_hundred_times_fills_once(worker: dramatiq.Worker, account: Any) -> None:
    holder = account()
    order = place_quietly(holder)
    for _ in range(100):
        orders.execute_order.send(str(order["id"]))
    worker.broker.join("orders", timeout=20_000)
    worker.join()
    assert status_of(order) == "EXECUTED"
    assert filled_quantity(holder) == 10
    assert verify() == []


def test_a_message_for_an_order_that_does_not_exist_is_done_at_once(worker: dramatiq.Worker, clean: None) -> None:
    orders.execute_order.send(str(uuid.uuid4()))
    worker.broker.join("orders", timeout=5_000)


def test_the_request_id_travels_with_the_message(
    worker: dramatiq.Worker, account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def look(*_: Any, **__: Any) -> None:
        seen.update(structlog.contextvars.get_contextvars())

    monkeypatch.setattr(orders, "execute_promptly", look)
    dispatch(by_account(place_quietly(account())), "request-77")
    wait_until(lambda: seen)
    assert seen["request_id"] == "request-77"


def test_the_account_travels_with_the_message(
    worker: dramatiq.Worker, account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(orders, "execute_promptly", lambda *given: seen.append(given))
    order = place_quietly(account())
    dispatch(by_account(order), None)
    orders.execute_order.send(str(order["id"]))  # as an earlier release sends it
    wait_until(lambda: len(seen) == 2)
    assert sorted(seen, key=str) == sorted([(order["id"], order["account_id"]), (order["id"], None)], key=str)


def test_a_message_that_names_another_account_executes_nothing(worker: dramatiq.Worker, account: Any) -> None:
    order = place_quietly(account())
    dispatch({order["id"]: uuid.uuid4()}, None)
    sender.send_all()
    worker.broker.join("orders", timeout=5_000)
    worker.join()
    assert status_of(order) == "PENDING"


def test_an_order_whose_row_is_locked_is_acked_and_left_to_sweeping(worker: dramatiq.Worker, account: Any) -> None:
    order = place_quietly(account())
    with session():
        execute("BEGIN")
        execute("SELECT 1 FROM trading_order WHERE id = %s FOR UPDATE", (order["id"],))
        dispatch(by_account(order), None)
        sender.send_all()
        worker.broker.join("orders", timeout=5_000)
        worker.join()
        execute("ROLLBACK")
    assert status_of(order) == "PENDING"


def test_without_a_database_the_message_is_left_to_sweeping(
    monkeypatch: pytest.MonkeyPatch, account: Any, configured: None
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(orders, "execute_promptly", fail)
    orders.execute_order(str(uuid.uuid4()))  # raises nothing, so that no innocent becomes a dead letter


@pytest.fixture
def away_redis(configured: None, settings: Any) -> Any:
    """Point the link at a port, and back afterwards."""
    from actors import broker as broker_module

    def point(port: int) -> None:
        redis_link.configure(f"redis://127.0.0.1:{port}")
        broker_module.client.connection_pool = redis_link.client.connection_pool

    yield point
    broker_module.configure(settings, role="web")


def test_dispatch_to_a_redis_that_is_down_says_so_and_raises_nothing(account: Any, away_redis: Any) -> None:
    order = place_quietly(account())
    away_redis(free_port())
    assert failures_of(lambda: dispatch(by_account(order), None)) == 1
    assert status_of(order) == "PENDING"


def test_dispatch_to_a_silent_redis_ends_soon_and_the_next_is_skipped(
    account: Any, away_redis: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = place_quietly(account())
    monkeypatch.setattr(redis_link, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)
        away_redis(silent.getsockname()[1])
        start = time.monotonic()
        # Redis is left alone for a second, and that second does not pass while the clock stands still.
        monkeypatch.setattr(redis_link, "time", SimpleNamespace(monotonic=lambda: start))
        assert failures_of(lambda: dispatch(by_account(order), None)) == 1
        assert time.monotonic() - start < 15  # without a time-out it would never end
        assert connections_waiting(silent) > 0
        assert failures_of(lambda: dispatch(by_account(order), None)) == 1
        assert connections_waiting(silent) == 0


def failures_of(work: Callable[[], object]) -> int:
    """Return the number of messages that were not sent for some work."""

    def failed() -> int:
        return int(metrics.of(metrics.DISPATCHES, "failed")._value.get())

    before = failed()
    work()
    sender.send_all()
    return failed() - before


def connections_waiting(server: socket.socket) -> int:
    """Take the connections that wait for a server, and return how many there were."""
    count = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            server.accept()[0].close()
            count += 1
    return count


def test_two_threads_with_the_same_order_fill_it_once(account: Any, configured: None) -> None:
    for _ in range(20):
        holder = account()
        order = place_quietly(holder)
        gate = threading.Barrier(2)

        def run(order_id: str = str(order["id"]), gate: threading.Barrier = gate) -> None:
            gate.wait()
            orders.execute_order(order_id)

        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert filled_quantity(holder) == 10
