"""`Prefer: wait=N` waits until an order is final."""

import threading
import time
from typing import Any

import pytest

from api.stream import waiting
from api.stream.listeners import QueueListener
from models.database import db, fetch_all, session
from tests.actors.placing import place_quietly
from tests.support.processes import wait_until
from tests.support.trading import execute_orders
from trading.orders.cancellation import cancel_order


def pending_ids(account: Any) -> list[Any]:
    with session():
        rows = fetch_all("SELECT id FROM trading_order WHERE account_id = %s AND status = 'PENDING'", (account.id,))
    return [row["id"] for row in rows]


@pytest.fixture
def when_placed(account: Any) -> Any:
    """Return a function that starts a thread, which runs an action on a trader's order once it is placed."""
    threads: list[threading.Thread] = []

    def run(trader: Any, action: Any) -> None:
        def act() -> None:
            action(wait_until(lambda: pending_ids(trader))[0])

        threads.append(threading.Thread(target=act))
        threads[-1].start()

    yield run
    for thread in threads:
        thread.join()


def test_the_answer_is_the_final_order_when_it_ends_in_time(account: Any, place: Any, when_placed: Any) -> None:
    trader = account()
    when_placed(trader, lambda order_id: execute_orders([order_id]))
    answer = place(trader, headers={"Prefer": "wait=10"})
    assert answer.status_code == 200
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.get_json()["executionScheduled"] is False
    assert answer.get_json()["order"]["status"] == "EXECUTED"


def test_a_cancelled_order_has_ended_too(account: Any, place: Any, when_placed: Any) -> None:
    trader = account()
    when_placed(trader, lambda order_id: cancel_order(trader.id, order_id))
    answer = place(trader, headers={"Prefer": "respond-async, wait=10"})
    assert (answer.status_code, answer.get_json()["order"]["status"]) == (200, "CANCELLED")


def test_an_order_that_does_not_end_in_time_is_a_202(account: Any, place: Any) -> None:
    start = time.monotonic()
    answer = place(account(), headers={"Prefer": "wait=1"})
    assert time.monotonic() - start >= 1
    assert answer.status_code == 202
    assert answer.get_json()["executionScheduled"] is True


@pytest.mark.parametrize(
    "preference", ["wait", "wait=", "wait=-1", "wait=1.5", "return=minimal", "wait=x", 'wait="1', 'wait=1"', "wait=1 2"]
)
def test_an_invalid_preference_is_ignored(account: Any, place: Any, preference: str) -> None:
    answer = place(account(), headers={"Prefer": preference})
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers


def test_a_replay_waits_again(account: Any, place: Any, when_placed: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "k"}
    first = place(trader, headers=key)
    when_placed(trader, lambda order_id: execute_orders([order_id]))
    again = place(trader, headers=key | {"Prefer": "wait=10"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.get_json()["orderId"] == first.get_json()["orderId"]


def test_a_client_that_waits_holds_no_connection(app: Any, account: Any, place: Any, when_placed: Any) -> None:
    trader = account()

    def waits_without_a_connection() -> bool:
        return trader.id in app.extensions["hub"].accounts and db.pool.in_use == 0

    def look(order_id: Any) -> None:
        wait_until(waits_without_a_connection)
        execute_orders([order_id])

    when_placed(trader, look)
    assert place(trader, headers={"Prefer": "wait=10"}).status_code == 200


def test_an_event_of_another_order_that_names_the_awaited_order_causes_no_read(
    app: Any, account: Any, place: Any, when_placed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader, hub, find, reads = account(), app.extensions["hub"], waiting.find_judged_orders, []
    monkeypatch.setattr(waiting, "find_judged_orders", lambda *asked: reads.append(asked) or find(*asked))

    def name_it_and_execute(order_id: Any) -> None:
        wait_until(lambda: trader.id in hub.followed)
        witness = QueueListener(trader.id, None)
        hub.add(witness)
        wait_until(lambda: hub.go_live(witness, hub.look_up(trader.id).newest.id))
        other = str(place_quietly(trader, client_order_id=str(order_id))["id"])
        wait_until(lambda: (message := witness.take(1)) and message.subject_id == other)
        hub.remove(witness)
        execute_orders([order_id])

    when_placed(trader, name_it_and_execute)
    assert place(trader, headers={"Prefer": "wait=10"}).status_code == 200
    assert len(reads) <= 3  # before the wait, at its start, and after the execution


@pytest.mark.parametrize(
    "preference", ["wait=60", "wait=11", "wait=99999999999", "wait=0" + "9" * 6_000, "wait=0010", 'wait="99999999999"']
)
def test_a_wait_is_limited_to_ten_seconds_and_the_answer_says_so(
    account: Any, place: Any, when_placed: Any, preference: str
) -> None:
    trader = account()
    when_placed(trader, lambda order_id: execute_orders([order_id]))
    answer = place(trader, headers={"Prefer": preference})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=10")


@pytest.mark.parametrize(("preference", "wait_s"), [("wait=0", 0), ("wait=000", 0), ("wait=007", 7), ("WAIT = 5;x", 5)])
def test_a_valid_preference_is_read_as_seconds(app: Any, preference: str, wait_s: int) -> None:
    with app.test_request_context(headers={"Prefer": preference}):
        assert waiting.preferred_wait() == wait_s


def test_a_preference_of_any_length_is_read_quickly(app: Any) -> None:
    for odd in ("0" * 8_000 + "x", "9" * 8_000 + "x", " " * 8_000, '"' + "0" * 8_000):
        with app.test_request_context(headers={"Prefer": f"wait={odd}"}):
            started = time.process_time()
            assert waiting.preferred_wait() is None
            assert time.process_time() - started < 1


def test_a_request_beyond_the_limit_of_waiters_is_a_202_at_once(
    account: Any, place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = threading.BoundedSemaphore(1)
    monkeypatch.setattr(waiting, "_waiters", places)
    with places:
        start = time.monotonic()
        assert place(account(), headers={"Prefer": "wait=10"}).status_code == 202
        assert time.monotonic() - start < 8
    start = time.monotonic()
    assert place(account(), headers={"Prefer": "wait=1"}).status_code == 202
    assert time.monotonic() - start >= 1  # a place is free again
