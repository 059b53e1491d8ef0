"""F25 and F26: orders that cannot be executed, and Dramatiq's own exceptions around a commit."""

import re
import time
from typing import Any

import pytest

from tests.faults.checks import drain, heal_drain_check
from tests.faults.kinds_of_clients import REFUSE_POISON
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import wait_until
from trading.execution.sweeping import MAX_ATTEMPTS

pytestmark = pytest.mark.faults


def place_poison(workload: Workload) -> str:
    """Place the order that cannot be executed."""
    request = workload.add_client().place(side="BUY", clientOrderId="poison")
    assert request.status == 202
    return str(request.document["orderId"])


def assert_given_back(system: System, order_id: str) -> None:
    """Assert that the poison ended REJECTED, by attempts counted in the database, and cost nothing."""
    row = system.sql("SELECT status, rejection_reason, attempts FROM trading_order WHERE id = %s", order_id)[0]
    assert row[:2] == ("REJECTED", "execution_failed")
    assert row[2] == MAX_ATTEMPTS + 1  # the last is the one at which it was given up
    signs = {"MARGIN_BLOCK": -1, "CHARGES": -1, "MARGIN_RELEASE": 1, "CHARGES_REFUND": 1}
    rows = system.sql("SELECT kind, amount FROM fund_transaction WHERE order_id = %s", order_id)
    assert len(rows) == 4
    assert sum(signs[kind] * amount for kind, amount in rows) == 0


def innocents(system: System, order_id: str) -> tuple[int, float]:
    """Return the number of other orders, and the longest time of one in seconds."""
    rows = system.sql(
        "SELECT count(*), max(extract(epoch FROM updated_at - placed_at)) FROM trading_order"
        " WHERE id <> %s AND rejection_reason IS DISTINCT FROM 'insufficient_margin'",
        order_id,
    )
    return rows[0]


def innocents_in_time(system: System, order_id: str, longest_s: float) -> None:
    """Assert that all other orders were executed, also those next to the poison."""
    assert innocents(system, order_id)[1] < longest_s
    odd = "SELECT count(*) FROM trading_order WHERE id <> %s AND rejection_reason = 'execution_failed'"
    assert system.sql(odd, order_id) == [(0,)]


def test_f25_a_poison_that_raises_is_rejected_and_the_queue_behind_it_goes_on(system: System, begin: Any) -> None:
    workload = begin(clients=4)
    system.change(next(iter(workload.accounts)), REFUSE_POISON)
    order_id = place_poison(workload)
    with workload.running(pause_s=0.05):
        wait_until(lambda: is_over_among_innocents(system, order_id), timeout_s=60)
    assert_given_back(system, order_id)
    tries = re.findall(rf"order_failed .*order_id={order_id} attempts=(\d+)", system.workers[0].log)
    assert tries == [str(number + 1) for number in range(MAX_ATTEMPTS)]
    innocents_in_time(system, order_id, 10)  # a pause of 2 s, a sweep, and this machine's noise
    wait_until(lambda: no_delayed(system), timeout_s=40, what="the message has had its four tries")
    heal_drain_check(system, workload, poisons=[order_id])


@pytest.mark.long
@pytest.mark.timeout(400)
def test_f25_a_poison_that_kills_the_process_is_rejected_alone(system: System, begin: Any) -> None:
    workload = begin(clients=3)
    system.arm("poison_kills", always=True)
    with system.kept():
        order_id = place_poison(workload)
        with workload.running(pause_s=0.2):
            wait_until(lambda: is_over_among_innocents(system, order_id), timeout_s=240)
    assert_given_back(system, order_id)
    innocents_in_time(system, order_id, 60)
    heal_drain_check(system, workload)


def status_of(system: System, order_id: str) -> str:
    """Return an order's status."""
    return str(system.sql("SELECT status FROM trading_order WHERE id = %s", order_id)[0][0])


def is_over_among_innocents(system: System, order_id: str) -> bool:
    """Return True if the poison was rejected and enough other orders were executed at the same time."""
    return status_of(system, order_id) == "REJECTED" and innocents(system, order_id)[0] > 20


def no_delayed(system: System) -> bool:
    """Return True if no message waits for its next try."""
    return system.redis.hlen("tradepost:orders.DQ.msgs") == 0 and system.redis.hlen("tradepost:orders.msgs") == 0


@pytest.mark.parametrize(
    "point", ["time_limit_before_commit", "time_limit_after_commit", "shutdown_before_commit", "shutdown_after_commit"]
)
def test_f26_an_exception_of_dramatiq_just_around_the_commit_fills_once(system: System, begin: Any, point: str) -> None:
    workload = begin(clients=2)
    with workload.running(pause_s=0.05):
        for _ in range(5):
            system.wait_for_hit(system.arm(point))
    heal_drain_check(system, workload)


@pytest.mark.long
def test_f26_a_time_limit_that_strikes_anywhere_fills_once(system: System) -> None:
    system.start_web()
    workload = Workload(system, clients=4)
    worker = system.start_worker(TRADEPOST_TIME_LIMIT_MS="25", ORDER_WORKER_INTERVAL_MS="200")
    with workload.running():
        time.sleep(6)
    assert "TimeLimitExceeded" in worker.log
    worker.terminate()
    system.revive()
    drain(system)
    wait_until(lambda: no_delayed(system), timeout_s=40)
    # An order's message may have been struck four times; a sweep is only cut short.
    orders = [row[0] for row in system.sql("SELECT id::text FROM trading_order")]
    heal_drain_check(system, workload, poisons=orders)
