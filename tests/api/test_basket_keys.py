"""Baskets that are sent again, with others of the same key, beyond the limit, or by a client that waits."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from models.database import DatabaseUnavailable
from tests.support.processes import wait_until
from tests.support.servers import path_to
from tests.support.trading import at_once, execute_orders, one, rows
from trading.upkeep.verify import verify

PATH = "/api/trading/orders/batch"
ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with a token."""
    yield account()
    assert verify() == []


@pytest.fixture
def send(app: Any, trader: Any) -> Any:
    """Return a function that sends a basket from a client of its own: send("A", 3) has three orders for A."""

    def make(symbol: str, count: int = 5, *, by: Any = None, headers: Any = KEY, **changes: Any) -> Any:
        orders = [ORDER | {"symbol": symbol, "quantity": number + 1} | changes for number in range(count)]
        headers = trader.headers | headers
        return (by or app.test_client()).post(PATH, json={"orders": orders}, headers=headers)

    return make


def symbols() -> list[str]:
    return [row["symbol"] for row in rows("SELECT symbol FROM trading_order ORDER BY symbol")]


def results(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.get_json()["results"]
    return found


def statuses(answer: Any) -> list[int]:
    return [result["status"] for result in results(answer)]


def order_ids(answer: Any) -> list[str]:
    return [result.get("orderId") for result in results(answer)]


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


CONFLICT = (422, "idempotency_conflict")


@pytest.mark.one_bucket("of the smaller pool of a bucket, one connection is an account's share: the other basket waits")
def test_a_basket_claims_its_key_before_its_first_order(send: Any, trader: Any, connect: Any) -> None:
    holder = connect()
    with ThreadPoolExecutor(1) as pool:
        lock = "SELECT 1 FROM account WHERE id = %s FOR NO KEY UPDATE"
        holder.cursor().execute(path_to(trader.id) + lock, (str(trader.id),))
        first = pool.submit(send, "A")
        wait_until(lambda: one("SELECT count(*) FROM pg_locks WHERE NOT granted"), what="the first order waits")
        other = send("B")
        holder.rollback()
    assert code(other) == CONFLICT
    assert statuses(first.result()) == [202] * 5
    assert symbols() == ["A"] * 5
    assert order_ids(send("A")) == order_ids(first.result())


def test_of_concurrent_different_baskets_with_one_key_one_is_placed(send: Any) -> None:
    for number in range(5):
        headers = {"Idempotency-Key": f"key {number}"}
        before = symbols()
        answers = at_once([lambda symbol=symbol: send(symbol, headers=headers) for symbol in "ABC"])  # noqa: B023
        placed = [answer for answer in answers if answer.status_code == 200]
        assert [statuses(answer) for answer in placed] == [[202] * 5]
        assert [code(answer) for answer in answers if answer.status_code != 200] == [CONFLICT] * 2
        new = symbols()
        for symbol in before:
            new.remove(symbol)
        assert len(new) == 5
        assert len(set(new)) == 1


def test_fifty_equal_concurrent_baskets_are_placed_once(send: Any) -> None:
    answers = at_once([lambda: send("A")] * 50)
    assert len({tuple(order_ids(answer)) for answer in answers}) == 1
    replayed = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert 1 <= replayed.count(None) <= 5  # each of these has placed at least one of the five orders
    assert replayed.count("true") == 50 - replayed.count(None)
    assert symbols() == ["A"] * 5


class Killed(BaseException):
    """As by a signal."""


@pytest.mark.parametrize("end", [Killed, DatabaseUnavailable("gone"), RuntimeError("no luck")], ids=repr)
def test_an_interrupted_basket_keeps_its_key_and_a_retry_completes_it(
    send: Any, monkeypatch: pytest.MonkeyPatch, end: Any
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise end

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr("api.basket.place_order", fail)
        assert send("A").status_code in (200, 503)
    assert code(send("B")) == CONFLICT
    assert statuses(send("A")) == [202] * 5
    assert symbols() == ["A"] * 5


def test_a_basket_without_an_accepted_order_releases_its_key(send: Any) -> None:
    assert statuses(send("A", 2, side="SELL", product="DELIVERY")) == [422, 422]
    assert one("SELECT count(*) FROM idempotency_key") == 0
    assert statuses(send("B", 2)) == [202, 202]
    assert code(send("A", 2, side="SELL", product="DELIVERY")) == CONFLICT


def test_a_basket_for_an_unknown_account_is_not_found(client: Any, headers_for: Any) -> None:
    body = {"orders": [ORDER], "tradingAccountId": "00000000-0000-7000-8000-000000000000"}
    assert code(client.post(PATH, json=body, headers=headers_for("admin") | KEY)) == (404, "not_found")


def test_a_replay_of_a_basket_is_not_counted_and_works_beyond_the_limit(send: Any, limited_client: Any) -> None:
    by = limited_client(5)
    first = send("A", 3, by=by)
    assert order_ids(send("A", 3, by=by)) == order_ids(first)
    assert statuses(send("B", 4, by=by, headers={})) == [202, 202, 429, 429]
    for _ in range(3):
        again = send("A", 3, by=by)
        assert (order_ids(again), again.headers["Idempotent-Replayed"]) == (order_ids(first), "true")
    assert code(send("B", 1, by=by, headers={"Idempotency-Key": "new"})) == (429, "rate_limited")
    assert code(send("B", 3, by=by)) == CONFLICT
    assert symbols() == ["A"] * 3 + ["B"] * 2


def test_a_basket_beyond_the_rate_limit_releases_its_key(send: Any, limited_client: Any) -> None:
    by = limited_client(1)
    assert statuses(send("A", 1, by=by, headers={})) == [202]
    assert send("A", by=by).status_code == 429
    assert statuses(send("B")) == [202] * 5


def test_equal_concurrent_baskets_beyond_the_limit_place_no_order_twice(send: Any, limited_client: Any) -> None:
    by = limited_client(5)
    answers = at_once([lambda: send("A", by=by.application.test_client())] * 8)
    assert symbols() == ["A"] * 5
    whole = order_ids(send("A", by=by))
    assert None not in whole
    for answer in answers:
        if answer.status_code != 429:  # some of its orders may have been refused for the rate before they were placed
            assert all(given in (order, None) for given, order in zip(order_ids(answer), whole, strict=True))


def test_a_client_waits_for_all_orders_of_a_basket_together(send: Any) -> None:
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(send, "A", 3, headers=KEY | {"Prefer": "wait=10"})
        wait_until(lambda: len(symbols()) == 3)
        for row in rows("SELECT id FROM trading_order"):
            assert not asking.done()
            execute_orders([row["id"]])
        answer = asking.result()
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert statuses(answer) == [200] * 3
    assert [result["executionScheduled"] for result in results(answer)] == [False] * 3
    assert {result["order"]["status"] for result in results(answer)} == {"EXECUTED"}
    again = send("A", 3, headers=KEY | {"Prefer": "wait=10"})
    assert (statuses(again), again.headers["Idempotent-Replayed"]) == ([200] * 3, "true")


def test_orders_that_are_not_final_in_time_are_scheduled(send: Any) -> None:
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(send, "A", 2, headers={"Prefer": "wait=2"})
        wait_until(lambda: len(symbols()) == 2)
        execute_orders([one("SELECT id FROM trading_order WHERE quantity = 2")])
        answer = asking.result()
    assert time.monotonic() - started >= 2
    assert (statuses(answer), answer.headers["Preference-Applied"]) == ([202, 200], "wait=2")
    assert [result["order"]["status"] for result in results(answer)] == ["PENDING", "EXECUTED"]
    refused = send("A", 1, headers={"Prefer": "wait=10"}, side="SELL", product="DELIVERY")
    assert statuses(refused) == [422]
