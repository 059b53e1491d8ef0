"""Back-to-back orders are executed together as one batch; a single order is executed alone."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from models.database import execute, session
from tests.actors.placing import place_quietly, status_of
from trading.execution import executing
from trading.execution.coalescing import Coalescer, Pace
from trading.execution.sweeping import RETRY_PAUSE
from trading.upkeep.verify import verify

Batches = Callable[[], list[int]]


@pytest.fixture
def batches() -> Iterator[Batches]:
    """Return a function for the sizes of the batches so far, from the log line of each order."""
    with capture_logs() as entries:

        def sizes() -> list[int]:
            lines = [entry["batch"] for entry in entries if entry["event"] == "order_executed"]
            found = []
            while lines:
                found.append(lines[0])
                del lines[: lines[0]]
            return found

        yield sizes


def busy_pace() -> Pace:
    """Return a pace at which every order of the next minutes arrives back to back."""
    pace, now = Pace(), time.monotonic()
    pace.record(began_at=now - 3600.0, ended_at=now)
    return pace


def test_a_single_pending_order_is_executed_alone(account: Any, batches: Batches) -> None:
    Coalescer().execute(place_quietly(account())["id"])
    assert batches() == [1]


def test_pending_orders_are_executed_together_and_their_messages_do_nothing(account: Any, batches: Batches) -> None:
    orders, coalescer = [place_quietly(account(), quantity=1) for _ in range(30)], Coalescer()
    for order in orders:
        coalescer.execute(order["id"])
    assert batches() == [30]
    assert {status_of(order) for order in orders} == {"EXECUTED"}
    assert verify() == []


def test_messages_for_orders_that_another_process_has_executed_take_no_turn(account: Any, batches: Batches) -> None:
    orders = [place_quietly(account(), quantity=1) for _ in range(3)]
    executing.execute_orders([order["id"] for order in orders])
    executing.final_orders.discard([order["id"] for order in orders])  # as in a process that did not execute them
    other = place_quietly(account())
    coalescer = Coalescer(pace=busy_pace(), sleep=lambda _: pytest.fail("a turn was taken"))
    for order in orders:
        coalescer.execute(order["id"])
    assert batches() == [3]
    assert status_of(other) == "PENDING"  # a turn would have executed it


def test_an_order_behind_a_full_batch_is_still_executed(account: Any, batches: Batches) -> None:
    holder = account()
    orders = [place_quietly(holder, quantity=1) for _ in range(12)]
    Coalescer(max_batch=5).execute(orders[-1]["id"])
    assert batches() == [5, 1]
    assert status_of(orders[-1]) == "EXECUTED"


def test_the_pace_is_busy_for_half_the_duration_of_the_last_turn() -> None:
    pace = Pace()
    assert not pace.is_busy(100.0)
    pace.record(began_at=100.0, ended_at=100.01)
    assert pace.is_busy(100.012)
    assert not pace.is_busy(100.016)


def test_a_turn_at_a_busy_pace_waits_for_the_orders_behind_it(account: Any, batches: Batches) -> None:
    trader, later = account(), list[Any]()
    first = place_quietly(trader)
    Coalescer(pace=busy_pace(), sleep=lambda _: later.append(place_quietly(trader))).execute(first["id"])
    assert batches() == [2]
    assert status_of(later[0]) == "EXECUTED"


def test_an_order_that_waits_too_long_for_its_turn_is_executed_alone(account: Any, batches: Batches) -> None:
    stuck, other = place_quietly(account()), place_quietly(account())
    begun, may_end = threading.Event(), threading.Event()

    def wait(_: float) -> None:
        begun.set()
        assert may_end.wait(30)

    coalescer = Coalescer(pace=busy_pace(), turn_s=0.05, sleep=wait)
    turn = threading.Thread(target=coalescer.execute, args=(stuck["id"],))
    turn.start()
    try:
        assert begun.wait(30)
        coalescer.execute(other["id"])
        assert (status_of(stuck), status_of(other)) == ("PENDING", "EXECUTED")
    finally:
        may_end.set()
        turn.join(30)
    assert status_of(stuck) == "EXECUTED"
    assert batches() == [1, 1]


def test_a_suspect_is_left_to_sweeping(account: Any, batches: Batches) -> None:
    suspect, innocent = place_quietly(account()), place_quietly(account())
    with session():
        execute(
            "UPDATE trading_order SET retry_at = clock_timestamp() + %s WHERE id = %s", (RETRY_PAUSE, suspect["id"])
        )
    coalescer = Coalescer()
    coalescer.execute(suspect["id"])
    coalescer.execute(innocent["id"])
    assert (status_of(suspect), status_of(innocent)) == ("PENDING", "EXECUTED")
    assert batches() == [1]
