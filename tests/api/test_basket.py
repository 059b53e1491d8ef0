"""Placing several orders in one request."""

import dataclasses
import re
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from api import create_app
from config import RateLimit
from models.database import DatabaseUnavailable
from runtime import redis_link
from tests.support.trading import at_once, execute_orders, one, rows
from trading.orders import placement
from trading.upkeep.verify import verify

PATH = "/api/trading/orders/batch"
ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}
KEY = {"Idempotency-Key": "one"}


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify() == []


@pytest.fixture
def trader(account):
    """Return an account with a token."""
    return account()


@pytest.fixture
def send(client, trader):
    """Return a function that places a basket: send({"quantity": 2}, {}) -> response."""

    def make(*changes, headers=None, by=None, more=None):
        body = {"orders": [change if change is None else ORDER | change for change in changes]} | (more or {})
        return (by or client).post(PATH, json=body, headers=trader.headers | (headers or {}))

    return make


def results(response):
    assert response.status_code == 200, response.text
    return response.get_json()["results"]


def statuses(response):
    return [result["status"] for result in results(response)]


def order_ids(response):
    return [result.get("orderId") for result in results(response)]


def orders():
    return one("SELECT count(*) FROM trading_order")


def test_each_order_is_accepted_or_refused_by_itself_in_the_order_of_the_request(send, client, trader, quote):
    answer = send(
        {"quantity": 3, "clientOrderId": "a"},
        {"quantity": 1_000_000},
        {"orderType": "MARKET", "price": None, "symbol": "UNKNOWN"},
        {"clientOrderId": "a"},
        {"quantity": "4", "colour": "red"},
        {"side": "SELL", "product": "CNC"},
        {"side": "SELL"},
    )
    found = results(answer)
    codes = [result.get("problem", {}).get("code") for result in found]
    assert codes == [
        None,
        "insufficient_margin",
        "no_price",
        "duplicate_client_order_id",
        "validation_failed",
        "insufficient_holdings",
        None,
    ]
    assert statuses(answer) == [202, 422, 422, 409, 422, 422, 202]
    assert set(found[0]) == {"status", "orderId", "executionScheduled", "order"}
    assert set(found[1]) == {"status", "problem"}
    assert found[1]["problem"]["available"] != ""
    assert found[3]["problem"]["orderId"] == found[0]["orderId"]
    assert set(found[4]["problem"]["errors"]) == {"quantity", "colour"}
    kept = client.get(f"/api/trading/orders/{found[0]['orderId']}", headers=trader.headers).get_json()
    assert {name: kept[name] for name in found[0]["order"]} == found[0]["order"]
    assert orders() == 2


def test_an_order_of_a_basket_has_the_same_problem_as_alone(send, client, trader):
    alone = client.post("/api/trading/orders", json=ORDER | {"quantity": 1_000_000}, headers=trader.headers).get_json()
    (result,) = results(send({"quantity": 1_000_000}))
    assert result["problem"] == alone | {"instance": PATH}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [ORDER],
        {"orders": []},
        {"orders": [ORDER] * 21},
        {"orders": ORDER},
        {"orders": None},
        {"orders": "[]"},
        {"orders": [ORDER], "colour": "red"},
        {"orders": [ORDER], "tradingAccountId": "x"},
    ],
)
def test_an_invalid_basket_is_refused_as_a_whole(client, trader, body):
    answer = client.post(PATH, json=body, headers=trader.headers)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation_failed")
    assert orders() == 0


def test_a_malformed_body_is_refused_as_a_whole(client, trader):
    for data, status in (('{"orders": [', 400), ('{"orders": [{"side": 1, "side": 2}]}', 422), ("x" * 66_000, 413)):
        answer = client.post(PATH, data=data, headers=trader.headers | {"Content-Type": "application/json"})
        assert answer.status_code == status


@pytest.mark.parametrize("item", [None, 1, "order", [], [ORDER], True])
def test_an_invalid_order_is_refused_by_itself(client, trader, item):
    answer = client.post(PATH, json={"orders": [item, ORDER]}, headers=trader.headers)
    assert statuses(answer) == [422, 202]


def test_twenty_orders_fit(send):
    assert statuses(send(*[{"quantity": number} for number in range(1, 21)])) == [202] * 20
    quantities = [row["quantity"] for row in rows("SELECT quantity FROM trading_order ORDER BY placed_at, id")]
    assert quantities == list(range(1, 21))


def test_an_administrator_names_the_account_once(client, headers_for, trader):
    admin = headers_for("admin")
    assert client.post(PATH, json={"orders": [ORDER]}, headers=admin).status_code == 422
    body = {"orders": [ORDER], "tradingAccountId": str(trader.id)}
    assert statuses(client.post(PATH, json=body, headers=admin)) == [202]
    unknown = body | {"tradingAccountId": "00000000-0000-7000-8000-000000000000"}
    assert client.post(PATH, json=unknown, headers=admin).status_code == 404


def test_every_order_of_a_basket_is_sent_to_the_workers_and_logged(send, monkeypatch):
    sent = []
    monkeypatch.setattr("api.dispatching.dispatch", lambda *message: sent.append(message))
    with capture_logs() as lines:
        answer = send({}, {"quantity": 1_000_000}, {}, headers={"X-Request-Id": "mine"})
    accepted = [order_id for order_id in order_ids(answer) if order_id]
    assert [([str(each) for each in together], request_id) for together, request_id in sent] == [(accepted, "mine")]
    lines = [line for line in lines if line["event"].startswith("placement")]
    assert [line["order_id"] for line in lines] == order_ids(answer)
    assert [line["code"] for line in lines] == [None, "insufficient_margin", None]
    assert all(line["steps"]["place"] > 0 for line in lines)
    steps = dict(re.findall(r"(\w+);dur=([0-9.]+)", answer.headers["Server-Timing"]))
    assert float(steps["place"]) >= sum(line["steps"]["place"] for line in lines) - 0.01


def test_inline_dispatch_executes_the_basket_after_the_answer_has_been_sent(app, send, settings, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, order_dispatch="inline"))
    answer = send({}, {"quantity": 1_000_000}, {"symbol": "TCS"})
    assert one("SELECT count(*) FROM trading_order WHERE status = 'PENDING'") == 2
    answer.close()
    assert one("SELECT count(*) FROM trading_order WHERE status = 'EXECUTED'") == 2


def test_the_same_key_and_orders_place_no_order_twice(send):
    changes = {"quantity": 1}, {"quantity": 0}, {"quantity": 3}
    first = send(*changes, headers=KEY)
    execute_orders(order_ids(first)[::2])
    second = send(*changes, headers=KEY)
    assert results(second) == results(first)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert orders() == 2


def test_a_refused_order_of_a_retry_is_judged_anew(send, quote):
    market = {"orderType": "MARKET", "price": None}
    first = send({}, market, headers=KEY)
    assert statuses(first) == [202, 422]
    quote()
    second = send({}, market, headers=KEY)
    assert statuses(second) == [202, 202]
    assert order_ids(second)[0] == order_ids(first)[0]
    assert "Idempotent-Replayed" not in second.headers
    assert orders() == 2


@pytest.mark.parametrize("changed", [[{}, {}], [{}], [{"quantity": 0}, {}, {}], [{"quantity": 0}, None]])
def test_the_same_key_with_other_orders_is_a_conflict_and_places_nothing(send, changed):
    assert statuses(send({"quantity": 0}, {}, headers=KEY)) == [422, 202]
    answer = send(*changed, headers=KEY)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency_conflict")
    assert orders() == 1


def test_a_basket_and_a_single_order_may_have_the_same_key(send, client, trader):
    send({}, headers=KEY)
    alone = client.post("/api/trading/orders", json=ORDER, headers=trader.headers | KEY)
    assert alone.status_code == 202
    assert "Idempotent-Replayed" not in alone.headers
    assert statuses(send({}, headers={"Idempotency-Key": "x" * 255})) == [202]
    assert set(send({}, headers={"Idempotency-Key": "x" * 256}).get_json()["errors"]) == {"Idempotency-Key"}


def test_a_replay_sends_no_message(send, monkeypatch):
    first = send({}, headers=KEY)
    sent = []
    monkeypatch.setattr("api.dispatching.dispatch", lambda *message: sent.append(message))
    assert order_ids(send({}, headers=KEY)) == order_ids(first)
    assert sent == []


def test_concurrent_baskets_with_one_key_place_each_order_once(app, send):
    changes = [{"quantity": number} for number in range(1, 6)]
    ask = lambda: order_ids(send(*changes, headers=KEY, by=app.test_client()))  # noqa: E731
    found = at_once([ask] * 6)
    assert len({tuple(ids) for ids in found}) == 1
    assert None not in found[0]
    assert orders() == 5


def test_a_database_failure_midway_keeps_the_accepted_results(send, monkeypatch):
    real, asked = placement.place_order, []

    def fail(*args, **options):
        asked.append(args)
        if len(asked) == 3:
            raise DatabaseUnavailable("gone")
        return real(*args, **options)

    monkeypatch.setattr("api.basket.place_order", fail)
    answer = send({}, {}, {}, {}, {}, headers=KEY)
    assert statuses(answer) == [202, 202, 503, 503, 503]
    assert len(asked) == 3
    assert results(answer)[4]["problem"]["code"] == "service_unavailable"
    again = send({}, {}, {}, {}, {}, headers=KEY)
    assert statuses(again) == [202] * 5
    assert order_ids(again)[:2] == order_ids(answer)[:2]
    assert orders() == 5


def test_a_database_failure_before_the_first_acceptance_refuses_the_basket(send, monkeypatch):
    def fail(*_, **__):
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr("api.basket.place_order", fail)
    answer = send({"quantity": 0}, {}, {})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")


def test_an_unexpected_error_of_one_order_keeps_the_results_of_the_others(send, monkeypatch):
    real = placement.place_order

    def fail(account_id, request, **options):
        if request.quantity == 2:
            raise RuntimeError("no luck")
        return real(account_id, request, **options)

    monkeypatch.setattr("api.basket.place_order", fail)
    answer = send({}, {"quantity": 2}, {})
    assert statuses(answer) == [202, 500, 202]
    assert "no luck" not in answer.text


@pytest.fixture
def limited(configured, clean, settings):
    """Return a function that makes a client with a limit of placements in an hour."""

    def make(count):
        changed = dataclasses.replace(settings, rate_limit_orders=RateLimit(count, 3600))
        return create_app(changed).test_client()

    yield make
    redis_link.configure(settings.redis_url)


def test_each_order_counts_toward_the_rate_limit_and_is_refused_beyond_it(send, limited):
    by = limited(5)
    answer = send({}, {"quantity": 0}, {}, by=by)
    assert statuses(answer) == [202, 422, 202]
    assert answer.headers["RateLimit"].split(";")[1] == "r=2"
    with capture_logs() as lines:
        answer = send({}, {}, {}, by=by)
    assert statuses(answer) == [202, 202, 429]
    codes = [line["code"] for line in lines if line["event"].startswith("placement")]
    assert codes == [None, None, "rate_limited"]
    assert results(answer)[2]["problem"]["code"] == "rate_limited"
    answer = send({}, by=by)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) >= 1
    assert orders() == 4


def test_a_retry_counts_only_what_was_not_accepted(send, limited):
    changes = [{"quantity": number} for number in range(1, 5)]
    by = limited(3)
    first = send(*changes, headers=KEY, by=by)
    assert statuses(first) == [202, 202, 202, 429]
    second = send(*changes, headers=KEY, by=by)
    assert results(second)[:3] == results(first)[:3]
    assert statuses(second) == [202, 202, 202, 429]
    assert statuses(send(*changes, headers=KEY, by=limited(10))) == [202] * 4
    assert orders() == 4


def test_money_is_exact_as_a_string_and_as_a_number(client, trader):
    text = '{"orders": [{"exchange": "NSE", "symbol": "A", "side": "BUY", "quantity": 1, "orderType": "LIMIT",'
    text += ' "price": 1000000.07}]}'
    answer = client.post(PATH, data=text, headers=trader.headers | {"Content-Type": "application/json"})
    assert results(answer)[0]["order"]["price"] == "1000000.07"
    assert one("SELECT price FROM trading_order") == Decimal("1000000.07")
