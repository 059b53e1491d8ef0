"""A request that is sent again with its key gets the first answer again."""

import threading
import time
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from models.database import fetch_one, session
from tests.support.trading import execute_orders
from trading.accounts.administration import set_status
from trading.upkeep.verify import verify


def count(table: str) -> int:
    with session():
        row = fetch_one(f"SELECT count(*) AS rows FROM {table}")
    assert row is not None
    return int(row["rows"])


@pytest.fixture
def funds(client: Any, headers_for: Any) -> Any:
    admin = headers_for("admin")

    def move(account: Any, key: str, **body: Any) -> Any:
        values = {"kind": "DEPOSIT", "amount": "10.00"} | body
        return client.post(
            f"/api/admin/accounts/{account.id}/funds", json=values, headers=admin | {"Idempotency-Key": key}
        )

    return move


def test_the_same_key_and_body_get_the_first_response_again(account: Any, place: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    first = place(trader, headers=key)
    execute_orders([first.get_json()["orderId"]])
    second = place(trader, headers=key)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.data == first.data
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert count("trading_order") == 1


def test_a_quoted_key_is_the_same_as_a_bare_one(account: Any, place: Any) -> None:
    trader = account()
    first = place(trader, headers={"Idempotency-Key": "abc"})
    assert place(trader, headers={"Idempotency-Key": '"abc"'}).data == first.data


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "snow☃".encode().decode("latin-1"), '""'])
def test_a_bad_key_is_refused(account: Any, place: Any, key: str) -> None:
    answer = place(account(), headers={"Idempotency-Key": key})
    assert answer.status_code == 422
    assert list(answer.get_json()["errors"]) == ["Idempotency-Key"]


def test_the_same_key_with_another_body_is_a_conflict(account: Any, place: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    place(trader, headers=key)
    answer = place(trader, headers=key, quantity=11)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_conflict")
    assert count("trading_order") == 1


def test_equivalent_bodies_have_the_same_fingerprint(account: Any, place: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    first = place(trader, headers=key, price="100.00", symbol="RELIANCE", product="MIS")
    again = place(trader, headers=key, price=100, symbol="reliance", product="INTRADAY")
    assert again.data == first.data


def test_a_key_belongs_to_its_account_and_to_its_path(account: Any, place: Any, funds: Any) -> None:
    one, other = account(), account()
    answers = [place(one, headers={"Idempotency-Key": "k"}), place(other, headers={"Idempotency-Key": "k"})]
    answers += [funds(one, "k"), funds(other, "k")]
    assert all("Idempotent-Replayed" not in answer.headers for answer in answers)
    assert count("trading_order") == 2


def test_a_refused_request_stores_nothing_and_is_judged_anew(account: Any, place: Any, quote: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    assert place(trader, headers=key, orderType="MARKET").get_json()["code"] == "no_price"
    assert count("idempotency_key") == 0
    quote()
    assert place(trader, headers=key, orderType="MARKET").status_code == 202


def test_a_replay_works_even_if_the_account_is_suspended(account: Any, place: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    first = place(trader, headers=key, clientOrderId="mine")
    set_status(trader.id, "SUSPENDED")
    assert place(trader, headers=key, clientOrderId="mine").data == first.data


def test_an_expired_key_cannot_place_a_client_order_id_twice(account: Any, place: Any, cleaner: Any) -> None:
    trader, key = account(), {"Idempotency-Key": "key-1"}
    first = place(trader, headers=key, clientOrderId="mine").get_json()["orderId"]
    with cleaner.cursor() as cursor:
        cursor.execute("DELETE FROM idempotency_key")
    answer = place(trader, headers=key, clientOrderId="mine")
    assert answer.status_code == 409
    assert answer.get_json()["orderId"] == first


def test_fifty_concurrent_requests_with_one_key_place_one_order(account: Any, app: Any) -> None:
    trader, answers = account(), []
    body = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}
    gate = threading.Barrier(50)

    def place_once() -> None:
        gate.wait()
        headers, client = trader.headers | {"Idempotency-Key": "one"}, app.test_client()
        # As a client does: on a slow machine the first try, or a connection, may not be done in time.
        while (answer := client.post("/api/trading/orders", json=body, headers=headers)).status_code in (409, 503):
            time.sleep(0.05)
        answers.append(answer)

    threads = [threading.Thread(target=place_once) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert count("trading_order") == 1
    assert verify() == []


def test_a_retry_before_the_first_request_has_finished_is_refused(
    account: Any, place: Any, cleaner: Any, database_url: str
) -> None:
    trader = account()
    lock = "SELECT pg_advisory_lock(hashtextextended(concat_ws(' ', %s, 'POST /api/trading/orders', 'k'), 0))"
    with cleaner.cursor() as cursor:
        cursor.execute(lock, (str(trader.id),))
        answer = place(trader, headers={"Idempotency-Key": "k"})
        cursor.execute("SELECT pg_advisory_unlock_all()")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "idempotency_in_progress")
    assert place(trader, headers={"Idempotency-Key": "k"}).status_code == 202


def test_funds_are_moved_once_for_one_key(account: Any, funds: Any) -> None:
    trader = account("100.00")
    first, second = funds(trader, "d1"), funds(trader, "d1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.data == first.data
    assert second.headers["Idempotent-Replayed"] == "true"
    assert funds(trader, "d1", amount="11.00").get_json()["code"] == "idempotency_conflict"
    assert funds(trader, "w1", kind="WITHDRAWAL", amount="1000.00").get_json()["code"] == "insufficient_margin"
    with session():
        row = fetch_one("SELECT balance FROM account WHERE id = %s", (trader.id,))
    assert row == {"balance": Decimal("110.00")}


def test_a_position_is_closed_once_for_one_key(account: Any, place: Any, client: Any, quote: Any) -> None:
    trader = account()
    execute_orders([place(trader).get_json()["orderId"]])
    quote()
    position_id = client.get("/api/trading/positions", headers=trader.headers).get_json()["data"][0]["positionId"]
    path, headers = f"/api/trading/positions/{position_id}/close", trader.headers | {"Idempotency-Key": "c"}
    first = client.post(path, headers=headers)
    execute_orders([first.get_json()["orderId"]])
    second = client.post(path, headers=headers)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.data == first.data
    assert client.post(path, headers=trader.headers).get_json()["code"] == "nothing_to_close"


def test_a_key_for_an_unknown_account_is_not_found(client: Any, headers_for: Any) -> None:
    headers = headers_for("admin") | {"Idempotency-Key": "k"}
    body = {"kind": "DEPOSIT", "amount": "1.00"}
    assert client.post(f"/api/admin/accounts/{uuid4()}/funds", json=body, headers=headers).status_code == 404
