"""Under load orders are executed together; alone when there is nothing else to do."""

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from models.database import execute, session
from tests.actors.placing import place_quietly, status_of
from trading.execution import coalescing, executing
from trading.execution.sweeping import RETRY_PAUSE
from trading.upkeep.verify import verify


@pytest.fixture(autouse=True)
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without a turn just before."""
    monkeypatch.setattr(coalescing, "_pace", coalescing.Pace())


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many orders each transaction executes."""
    sizes: list[int] = []

    def note(batch: Any, watch: Any) -> None:
        sizes.append(len(batch.orders))

    monkeypatch.setattr(executing, "_log", note)
    return sizes


def test_an_order_with_nobody_beside_it_is_executed_alone(account: Any, batches: list[int]) -> None:
    coalescing.execute_promptly(place_quietly(account())["id"])
    assert batches == [1]


def test_what_waits_is_executed_together_and_its_messages_find_it_done(account: Any, batches: list[int]) -> None:
    orders = [place_quietly(account(), quantity=1) for _ in range(30)]
    for order in orders:
        coalescing.execute_promptly(order["id"])
    assert batches == [30]
    assert {status_of(order) for order in orders} == {"EXECUTED"}
    assert verify() == []


def test_messages_of_what_another_process_has_executed_take_no_turn(
    account: Any, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [place_quietly(account(), quantity=1) for _ in range(3)]
    executing.execute_orders([order["id"] for order in orders])
    monkeypatch.setattr(coalescing, "is_known_final", lambda _: False)  # as in a process that did not execute them
    monkeypatch.setattr(coalescing._pace, "is_busy", lambda _: pytest.fail("a turn was taken"))
    for order in orders:
        coalescing.execute_promptly(order["id"])
    assert batches == [3]


def test_an_order_behind_more_than_a_batch_is_executed_all_the_same(
    account: Any, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coalescing, "BATCH", 5)
    holder = account()
    orders = [place_quietly(holder, quantity=1) for _ in range(12)]
    coalescing.execute_promptly(orders[-1]["id"])
    assert batches == [5, 1]
    assert status_of(orders[-1]) == "EXECUTED"


def test_orders_that_come_faster_than_one_after_the_other_are_busy() -> None:
    pace = coalescing.Pace()
    assert not pace.is_busy(100.0)
    pace.record(began_at=100.0, ended_at=100.01)
    assert pace.is_busy(100.012)
    assert not pace.is_busy(100.016)


def test_a_busy_turn_waits_for_the_orders_behind_it(
    account: Any, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    trader, later = account(), list[Any]()
    first = place_quietly(trader)
    monkeypatch.setattr(coalescing._pace, "is_busy", lambda _: True)
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=lambda _: later.append(place_quietly(trader)))
    monkeypatch.setattr(coalescing, "time", clock)
    coalescing.execute_promptly(first["id"])
    assert batches == [2]
    assert status_of(later[0]) == "EXECUTED"


def test_a_turn_that_takes_long_does_not_hold_up_the_others(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalescing, "TURN_S", 0.05)
    stuck, other = place_quietly(account()), place_quietly(account())
    with session():
        execute("BEGIN")
        execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", (stuck["account_id"],))
        slow = threading.Thread(target=executing.execute_orders, args=([stuck["id"]],))
        coalescing._turn.acquire()
        try:
            slow.start()
            waiting = threading.Thread(target=coalescing.execute_promptly, args=(other["id"],))
            waiting.start()
            waiting.join(5)
            assert not waiting.is_alive()
        finally:
            coalescing._turn.release()
        execute("ROLLBACK")
    slow.join()
    assert status_of(other) == "EXECUTED"


def test_a_suspect_is_left_to_sweeping(account: Any) -> None:
    suspect, innocent = place_quietly(account()), place_quietly(account())
    with session():
        execute(
            "UPDATE trading_order SET retry_at = clock_timestamp() + %s WHERE id = %s", (RETRY_PAUSE, suspect["id"])
        )
    with structlog.testing.capture_logs():
        coalescing.execute_promptly(suspect["id"])
        coalescing.execute_promptly(innocent["id"])
    assert (status_of(suspect), status_of(innocent)) == ("PENDING", "EXECUTED")
