"""Placing orders: the answer, its timings, what is refused, and what follows."""

import dataclasses
import re
from datetime import datetime
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from models.database import db, fetch_one, session
from tests.support.sessions import close_market
from trading.accounts import administration

STEPS = {"parse", "session", "schema", "place", "dispatch", "stock", "margin", "reserve", "order", "ledger", "commit"}


def timings(response):
    """Return the steps of the Server-Timing header in milliseconds."""
    return {name: float(ms) for name, ms in re.findall(r"(\w+);dur=([0-9.]+)", response.headers["Server-Timing"])}


def count(table):
    """Return the number of rows of a table."""
    with session():
        return fetch_one(f"SELECT count(*) AS number FROM {table}")["number"]


def test_the_response_to_a_placement_holds_the_whole_order(account, place):
    trader = account()
    response = place(trader, symbol="reliance", quantity=10, price="2500.00", clientOrderId="my order #1")
    answer = response.get_json()
    order = answer["order"]
    assert response.status_code == 202
    assert set(answer) == {"orderId", "executionScheduled", "order"}
    assert answer["executionScheduled"] is True
    assert response.headers["Location"] == f"/api/trading/orders/{answer['orderId']}"
    assert UUID(answer["orderId"]).version == 7
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", order["placedAt"])
    assert order == {
        "orderId": answer["orderId"],
        "tradingAccountId": str(trader.id),
        "clientOrderId": "my order #1",
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "stockId": order["stockId"],
        "side": "BUY",
        "product": "INTRADAY",
        "orderType": "LIMIT",
        "quantity": 10,
        "price": "2500.00",
        "triggerPrice": None,
        "validity": "DAY",
        "validityMinutes": None,
        "marketProtection": None,
        "protectionPrice": None,
        "afterMarket": False,
        "tag": None,
        "fillModel": "IMMEDIATE",
        "origin": "CLIENT",
        "status": "PENDING",
        "waitingFor": None,
        "filledQuantity": 0,
        "averagePrice": None,
        "positionId": None,
        "blockedMargin": "5000.00",
        "charges": order["charges"],
        "rejectionReason": None,
        "endReason": None,
        "placedAt": order["placedAt"],
        "triggeredAt": None,
        "matchedAt": None,
        "expiresAt": None,
        "executedAt": None,
        "updatedAt": order["updatedAt"],
        "orderNumber": order["orderNumber"],
        "fill": None,
    }
    assert re.fullmatch(r"\d{15}", order["orderNumber"])


def test_omitted_fields_have_their_defaults(client, account, quote):
    quote("TCS", "100.00")
    body = {"exchange": "NSE", "symbol": "TCS", "side": "BUY", "quantity": 1}
    order = client.post("/api/trading/orders", json=body, headers=account().headers).get_json()["order"]
    assert (order["orderType"], order["product"], order["price"], order["clientOrderId"]) == (
        "MARKET",
        "INTRADAY",
        None,
        None,
    )


@pytest.mark.parametrize(("given", "answered"), [("MIS", "INTRADAY"), ("CNC", "DELIVERY"), ("DELIVERY", "DELIVERY")])
def test_a_product_may_have_the_name_that_brokers_use(account, place, given, answered):
    assert place(account(), product=given).get_json()["order"]["product"] == answered


def test_a_limit_order_needs_a_price_and_a_market_order_takes_none(account, place):
    trader = account()
    for body in ({"price": None}, {"orderType": "MARKET", "price": "1.00"}):
        response = place(trader, **body)
        assert response.status_code == 422
        assert set(response.get_json()["errors"]) == {"price"}


def test_every_response_to_a_placement_carries_all_steps(client, account, place):
    trader = account()
    accepted = timings(place(trader))
    assert set(accepted) == STEPS
    assert all(accepted[step] > 0 for step in STEPS - {"session"})
    assert accepted["place"] >= accepted["stock"]
    assert set(timings(place(trader, quantity=0))) == STEPS
    assert set(timings(client.post("/api/trading/orders"))) == STEPS
    assert "Server-Timing" not in client.get("/api/trading/orders", headers=trader.headers).headers


def test_each_placement_writes_one_log_line_with_its_timings_and_no_secret(account, place):
    trader = account()
    with capture_logs() as lines:
        response = place(trader, headers={"X-Request-Id": "my-request"})
    (line,) = [line for line in lines if line["event"].startswith("placement")]
    assert line["order_id"] == response.get_json()["orderId"]
    assert line["account_id"] == str(trader.id)
    assert STEPS - {"session"} <= set(line["steps"])
    assert [line[name] for name in ("side", "quantity", "exchange", "symbol")] == ["BUY", 10, "NSE", "RELIANCE"]
    assert trader.token not in str(lines)


def test_a_refused_placement_is_logged_with_its_code(account, place):
    with capture_logs() as lines:
        place(account("0.00"))
    (line,) = [line for line in lines if line["event"].startswith("placement")]
    assert (line["event"], line["code"], line["order_id"]) == ("placement_refused", "insufficient_margin", None)
    assert [line[name] for name in ("side", "quantity", "symbol")] == ["BUY", 10, "RELIANCE"]


def test_a_refused_placement_is_logged_with_its_invalid_fields(account, place):
    many = {f"more{number}": 1 for number in range(6)} | {"wrong name\n": 1}
    with capture_logs() as lines:
        place(account(), quantity=0, side="HOLD")
        place(account(), **many)
    first, second = (line for line in lines if line["event"].startswith("placement"))
    assert (first["code"], first["path"]) == ("validation_failed", "/api/trading/orders")
    assert sorted(first["fields"].split(", ")) == ["quantity", "side"]
    assert second["fields"].endswith(", and 2 more")
    assert "\n" not in second["fields"]


def test_insufficient_margin_is_refused_with_the_amounts(account, place):
    response = place(account("100.00"), quantity=10, price="2500.00")
    document = response.get_json()
    assert (response.status_code, document["code"]) == (422, "insufficient_margin")
    assert document["available"] == "100.00"
    assert float(document["required"]) > 5000


def test_a_market_order_without_a_price_is_refused(account, place):
    assert place(account(), orderType="MARKET").get_json()["code"] == "no_price"


def test_a_delivery_sell_beyond_the_holdings_is_refused(account, place):
    assert place(account(), side="SELL", product="DELIVERY").get_json()["code"] == "insufficient_holdings"


def test_a_suspended_account_may_not_place_but_may_cancel(client, account, place):
    trader = account()
    order_id = place(trader).get_json()["orderId"]
    administration.set_status(trader.id, "SUSPENDED")
    response = place(trader)
    assert (response.status_code, response.get_json()["code"]) == (422, "account_suspended")
    assert client.delete(f"/api/trading/orders/{order_id}", headers=trader.headers).status_code == 200


def test_a_placement_in_a_closed_market_is_refused_with_the_next_open(app, account, place, settings, monkeypatch):
    opens_at = close_market()
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))
    document = place(account()).get_json()
    assert document["code"] == "market_closed"
    assert datetime.fromisoformat(document["nextOpen"]) == opens_at
    assert document["nextOpen"].endswith("03:45:00.000000Z")


def test_a_repeated_client_order_id_is_refused_with_the_first_orders_id(account, place):
    trader, other = account(), account()
    first = place(trader, clientOrderId="once").get_json()["orderId"]
    response = place(trader, clientOrderId="once", quantity=1)
    assert (response.status_code, response.get_json()["code"]) == (409, "duplicate_client_order_id")
    assert response.get_json()["orderId"] == first
    assert place(other, clientOrderId="once").status_code == 202


def test_a_refused_placement_writes_no_row(account, place):
    trader = account("10.00")
    before = {table: count(table) for table in ("trading_order", "fund_transaction", "event")}
    place(trader)
    place(trader, side="SELL", product="DELIVERY")
    place(trader, quantity=0)
    assert {table: count(table) for table in before} == before


def test_an_accepted_order_is_sent_to_the_workers_with_its_request_id(account, place, monkeypatch):
    sent = []
    monkeypatch.setattr("api.dispatching.dispatch", lambda *message: sent.append(message))
    trader = account()
    order_id = place(trader, headers={"X-Request-Id": "trace-me"}).get_json()["orderId"]
    assert sent == [({UUID(order_id): trader.id}, "trace-me")]


def test_an_order_is_accepted_and_scheduled_when_no_message_can_be_sent(account, place, monkeypatch):
    monkeypatch.setattr("api.dispatching.dispatch", lambda *_: False)
    response = place(account())
    assert response.status_code == 202
    assert response.get_json()["executionScheduled"] is True


def test_no_connection_is_held_while_a_message_is_sent(account, place, monkeypatch):
    held = []
    monkeypatch.setattr("api.dispatching.dispatch", lambda *_: held.append(not db.is_closed()))
    place(account())
    assert held == [False]


@pytest.fixture
def inline(app, settings, monkeypatch):
    """Let the web process execute orders itself."""
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, order_dispatch="inline"))


def test_inline_dispatch_executes_after_the_answer_has_been_sent(inline, client, account, monkeypatch):
    trader, sent = account(), []
    monkeypatch.setattr("api.dispatching.dispatch", lambda *message: sent.append(message))
    body = {"exchange": "NSE", "symbol": "A", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}
    response = client.post("/api/trading/orders", json=body, headers=trader.headers)
    path = response.headers["Location"]
    assert client.get(path, headers=trader.headers).get_json()["status"] == "PENDING"
    response.close()  # what a server does once the bytes are out
    assert client.get(path, headers=trader.headers).get_json()["status"] == "EXECUTED"
    assert sent == []


def test_an_inline_execution_that_fails_is_only_logged(inline, client, account, monkeypatch):
    def fail(_):
        raise RuntimeError("no luck")

    monkeypatch.setattr("api.dispatching.execute_orders", fail)
    body = {"exchange": "NSE", "symbol": "A", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}
    with capture_logs() as lines:
        response = client.post("/api/trading/orders", json=body, headers=account().headers)
        response.close()
    assert response.status_code == 202
    assert "inline_execution_failed" in [line["event"] for line in lines]
