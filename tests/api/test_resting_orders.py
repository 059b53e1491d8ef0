"""Orders of an account that trades on quotes, over HTTP."""

import dataclasses

import pytest

from api import dispatching
from tests.conftest import CRON_SECRET
from tests.support.trading import one, run
from trading.accounts.idempotency import fingerprint_of

CRON = {"Authorization": f"Bearer {CRON_SECRET}"}
ORDERS = "/api/trading/orders"
STOP = {"orderType": "STOP_LIMIT", "triggerPrice": "105.00", "price": "106.00"}


@pytest.fixture
def trader(account, client, headers_for):
    """Return an account that trades on quotes."""
    trader = account()
    answer = client.patch(
        f"/api/admin/accounts/{trader.id}", json={"fillModel": "QUOTES"}, headers=headers_for("admin")
    )
    assert answer.status_code == 200
    return trader


@pytest.fixture
def feed(client, headers_for):
    """Return a function that sets the quote of a stock: feed("99.95", "100.00", "99.98")."""
    headers = headers_for("feed")

    def make(bid, ask, last):
        quote = {"exchange": "NSE", "symbol": "RELIANCE", "bidPrice": bid, "askPrice": ask, "lastPrice": last}
        assert client.put("/api/market/quotes", json={"quotes": [quote]}, headers=headers).status_code == 200

    make("99.95", "100.00", "99.98")
    return make


@pytest.fixture
def send(client, trader):
    """Return a function that sends a request in the name of the account: send("GET", path) -> response."""
    return lambda method, path, body=None, **headers: client.open(
        path, method=method, json=body, headers=trader.headers | headers
    )


@pytest.fixture
def work(client):
    """Return a function that executes what is due, as the cron endpoint does."""
    return lambda: client.get("/api/cron/order-worker", headers=CRON).get_json()


@pytest.fixture
def inline(app, settings, monkeypatch):
    """Let requests execute their orders themselves."""
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, order_dispatch="inline"))


@pytest.fixture
def dispatched(monkeypatch):
    """Return a list of the orders that requests send to the workers."""
    sent = []
    monkeypatch.setattr(dispatching, "dispatch", lambda ids, _: sent.append([str(order_id) for order_id in ids]))
    return sent


@pytest.fixture
def resting(place, trader, feed, work):
    """Return a function that places an order that rests, and returns its id."""

    def make(**body):
        order_id = place(trader, **({"price": "95.00"} | body)).get_json()["orderId"]
        assert work()["opened"] == 1
        return order_id

    return make


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"orderType": "LIMIT", "triggerPrice": "1.00", "price": "1.00"}, {"triggerPrice"}),
        ({"orderType": "STOP_LIMIT", "price": "1.00"}, {"triggerPrice"}),
        ({"orderType": "STOP_LIMIT", "triggerPrice": "1.00"}, {"price"}),
        ({"orderType": "STOP_MARKET", "triggerPrice": "1.00", "price": "1.00"}, {"price"}),
        ({"orderType": "SL-M", "price": "1.00"}, {"price", "triggerPrice"}),
        ({"orderType": "LIMIT", "price": "1.00", "triggerPrice": "0"}, {"triggerPrice"}),
        ({"orderType": "MARKET", "validity": "GTC"}, {"validity"}),
        ({"orderType": "MARKET", "validity": "TTL", "validityMinutes": 5}, {"validity"}),
        ({"validity": "FOREVER"}, {"validity"}),
        ({"validity": None}, {"validity"}),
        ({"validity": "TTL"}, {"validityMinutes"}),
        ({"validity": "DAY", "validityMinutes": 5}, {"validityMinutes"}),
        ({"validity": "TTL", "validityMinutes": 0}, {"validityMinutes"}),
        ({"validity": "TTL", "validityMinutes": 1441}, {"validityMinutes"}),
        (STOP | {"validity": "IOC"}, {"validity"}),
        ({"validity": "IOC", "afterMarket": True}, {"validity"}),
        ({"afterMarket": 1}, {"afterMarket"}),
        ({"afterMarket": "true"}, {"afterMarket"}),
        ({"marketProtection": "5.00"}, {"marketProtection"}),
        ({"orderType": "MARKET", "marketProtection": "0"}, {"marketProtection"}),
        ({"orderType": "MARKET", "marketProtection": "100.01"}, {"marketProtection"}),
        ({"orderType": "MARKET", "marketProtection": "1.001"}, {"marketProtection"}),
        ({"orderType": "MARKET", "side": "SELL", "marketProtection": "100"}, {"marketProtection"}),
        ({"tag": ""}, {"tag"}),
        ({"tag": "x" * 21}, {"tag"}),
        ({"tag": "é"}, {"tag"}),
        ({"clientOrderId": "squareoff-2026-11-27-1"}, {"clientOrderId"}),
    ],
)
def test_terms_that_do_not_go_together_are_refused_by_their_names(place, trader, body, fields):
    answer = place(trader, **body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation_failed")
    assert set(answer.get_json()["errors"]) == fields


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (STOP | {"orderType": "SL"}, STOP),
        ({"orderType": "SL-M", "triggerPrice": 105}, {"orderType": "STOP_MARKET", "triggerPrice": "105.00"}),
        ({"orderType": "MARKET", "validity": "IOC"}, {"orderType": "MARKET", "validity": "IOC", "expiresAt": None}),
        ({"validity": "TTL", "validityMinutes": 1440}, {"validity": "TTL", "validityMinutes": 1440}),
        ({"orderType": "MARKET", "marketProtection": 2.5}, {"marketProtection": "2.50", "protectionPrice": None}),
        ({"orderType": "MARKET", "marketProtection": "100"}, {"marketProtection": "100.00"}),
        ({"tag": "~ scalper 1"}, {"tag": "~ scalper 1"}),
        ({"triggerPrice": None, "validityMinutes": None, "marketProtection": None, "tag": None}, {"tag": None}),
    ],
)
def test_an_order_shows_its_terms(place, trader, feed, body, shown):
    answer = place(trader, **body)
    assert answer.status_code == 202, answer.get_json()
    order = answer.get_json()["order"]
    assert {name: order[name] for name in shown} == shown
    assert (order["fillModel"], order["status"], order["waitingFor"]) == ("QUOTES", "PENDING", None)


def test_a_resting_order_shows_what_it_waits_for_and_then_what_filled_it(send, resting, feed, work):
    order_id = resting()
    order = send("GET", f"{ORDERS}/{order_id}").get_json()
    assert (order["status"], order["waitingFor"], order["matchedAt"], order["fill"]) == ("OPEN", "price", None, None)
    feed("94.90", "94.95", "94.95")
    matched = send("GET", f"{ORDERS}/{order_id}")
    assert matched.get_json()["matchedAt"] is not None
    for method, path, body in (("DELETE", order_id, None), ("PATCH", order_id, {"quantity": 1})):
        answer = send(method, f"{ORDERS}/{path}", body, **{"If-Match": "*"})
        problem = answer.get_json()
        assert (answer.status_code, problem["code"], problem["orderStatus"]) == (409, "order_not_open", "OPEN")
        assert problem["matchedAt"] == matched.get_json()["matchedAt"]
    work()
    order = send("GET", f"{ORDERS}/{order_id}").get_json()
    assert (order["status"], order["averagePrice"], order["waitingFor"]) == ("EXECUTED", "95.00", None)
    assert order["fill"] == {
        "quoteNumber": 2,
        "bid": "94.90",
        "ask": "94.95",
        "last": "94.95",
        "quotedAt": order["fill"]["quotedAt"],
        "rule": "book",
    }
    assert matched.headers["ETag"] != send("GET", f"{ORDERS}/{order_id}").headers["ETag"]


def test_the_history_of_an_order_names_the_quote_that_filled_it(send, resting, feed, work, cleaner):
    order_id = resting()
    feed("94.90", "94.95", "94.95")
    work()
    order = send("GET", f"{ORDERS}/{order_id}").get_json()
    evidence = {name: order[name] for name in ("fill", "matchedAt", "averagePrice", "executedAt")}
    assert evidence["fill"]["ask"] == "94.95" <= order["price"]
    *before, filled = send("GET", f"{ORDERS}/{order_id}/history").get_json()["data"]
    assert [moment["type"] for moment in before] == ["order.pending", "order.open"]
    assert all({"fill", "matchedAt"}.isdisjoint(moment["changes"]) for moment in before)
    assert filled["type"] == "order.executed"
    assert {name: filled["changes"][name] for name in evidence} == evidence
    with cleaner.cursor() as cursor:  # as retention does after 7 days
        cursor.execute("DELETE FROM event")
    assert send("GET", f"{ORDERS}/{order_id}/history").get_json()["data"][-1]["changes"]["fill"] == evidence["fill"]


def test_each_refusal_is_a_problem_with_its_facts(place, account, trader, feed):
    run(
        "UPDATE stock SET tick_size = 0.05, lot_size = 10, lower_circuit = 90, upper_circuit = 110,"
        " circuit_day = (market_now() AT TIME ZONE 'Asia/Kolkata')::date"
    )

    def problem(owner=trader, **body):
        answer = place(owner, **body)
        assert answer.status_code == 422
        return answer.get_json()

    assert problem(account(), **STOP)["fields"] == ["orderType", "triggerPrice"]
    assert problem(quantity=15)["lotSize"] == 10
    off_tick = problem(price="100.02")
    assert (off_tick["code"], off_tick["lowerPrice"], off_tick["upperPrice"]) == ("price_off_tick", "100.00", "100.05")
    assert problem(**STOP | {"price": "104.00"})["code"] == "trigger_beyond_price"
    assert problem(**STOP | {"triggerPrice": "95.00"})["lastPrice"] == "99.98"
    assert problem(price="110.05")["upperCircuit"] == "110.00"
    run("UPDATE stock SET allows_intraday = false")
    assert problem()["code"] == "intraday_not_allowed"


def test_a_client_that_prefers_to_wait_gets_the_order_as_it_rests(place, trader, feed, inline):
    answer = place(trader, headers={"Prefer": "wait=5"}, price="95.00")
    filled = place(trader, headers={"Prefer": "wait=5"}, price="101.00")
    document = answer.get_json()
    assert (answer.status_code, document["executionScheduled"]) == (202, True)
    assert (document["order"]["status"], document["order"]["waitingFor"]) == ("OPEN", "price")
    assert answer.headers["Preference-Applied"] == "wait=5"
    assert (filled.status_code, filled.get_json()["executionScheduled"]) == (200, False)
    assert filled.get_json()["order"]["averagePrice"] == "100.00"


def test_a_basket_waits_for_orders_that_rest(send, feed, inline):
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT"}
    basket = {"orders": [order | {"price": "95.00", "tag": "one"}, order | {"price": "101.00"}, order | STOP]}
    results = send("POST", f"{ORDERS}/batch", basket, Prefer="wait=5").get_json()["results"]
    assert [each["status"] for each in results] == [202, 200, 202]
    assert [each["executionScheduled"] for each in results] == [True, False, True]
    assert [each["order"]["status"] for each in results] == ["OPEN", "EXECUTED", "OPEN"]
    assert results[2]["order"]["waitingFor"] == "trigger"


def test_orders_are_listed_by_status_and_by_tag(send, place, trader, resting):
    first = resting(tag="one")
    second = place(trader, tag="two", price="94.00").get_json()["orderId"]

    def listed(query):
        return [order["orderId"] for order in send("GET", f"{ORDERS}?{query}").get_json()["data"]]

    assert listed("status=OPEN") == listed("tag=one") == [first]
    assert listed("status=PENDING") == listed("tag=two") == [second]
    assert (listed("status=EXPIRED"), listed("tag=three")) == ([], [])


def test_a_changed_resting_order_is_looked_at_again_at_once(send, resting, dispatched):
    order_id = resting()
    assert dispatched == [[order_id]]
    answer = send("PATCH", f"{ORDERS}/{order_id}", {"price": "96.00"}, **{"If-Match": "*"})
    assert (answer.status_code, answer.get_json()["status"], answer.get_json()["waitingFor"]) == (200, "OPEN", None)
    assert dispatched == [[order_id]] * 2
    answer = send("PATCH", f"{ORDERS}/{order_id}", {"orderType": "MARKET"}, **{"If-Match": "*"})
    assert (answer.get_json()["orderType"], answer.get_json()["price"]) == ("MARKET", None)


def test_a_changed_pending_order_is_not_sent_again(send, place, trader, feed, dispatched):
    order_id = place(trader, price="95.00").get_json()["orderId"]
    sent = len(dispatched)
    assert send("PATCH", f"{ORDERS}/{order_id}", {"price": "96.00"}, **{"If-Match": "*"}).status_code == 200
    assert len(dispatched) == sent


@pytest.mark.parametrize(
    ("body", "look"),
    [
        ({"price": "101.00"}, (True, "100.00", None)),
        ({"price": "95.00"}, (False, None, "price")),
        (STOP, (False, None, "trigger")),
        ({"price": "95.00", "validity": "IOC"}, (False, None, None)),
    ],
)
def test_a_preview_says_whether_the_order_would_fill(send, feed, body, look):
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT"} | body
    document = send("POST", f"{ORDERS}/preview", order).get_json()
    assert (document["wouldFill"], document["fillPrice"], document["wouldWaitFor"]) == look


def test_a_close_cancels_the_orders_that_promise_the_position_if_asked(send, place, trader, resting, work):
    place(trader, price="100.00")
    work()
    (position,) = send("GET", "/api/trading/positions").get_json()["data"]
    target = resting(side="SELL", price="110.00")
    path = f"/api/trading/positions/{position['positionId']}/close"
    assert send("POST", path).get_json()["code"] == "nothing_to_close"
    assert send("POST", path, {"cancelOpenOrders": False}).get_json()["code"] == "nothing_to_close"
    first = send("POST", path, {"cancelOpenOrders": True}, **{"Idempotency-Key": "one"})
    assert (first.status_code, first.get_json()["order"]["quantity"]) == (202, 10)
    assert send("GET", f"{ORDERS}/{target}").get_json()["endReason"] == "client"
    again = send("POST", path, {"cancelOpenOrders": True}, **{"Idempotency-Key": "one"})
    assert again.get_json()["orderId"] == first.get_json()["orderId"]
    assert send("POST", path, **{"Idempotency-Key": "one"}).get_json()["code"] == "idempotency_conflict"


@pytest.mark.parametrize(("body", "field"), [({"cancelOpenOrders": 1}, "cancelOpenOrders"), ({"all": True}, "all")])
def test_a_close_refuses_other_bodies(send, place, trader, feed, work, body, field):
    place(trader, price="100.00")
    work()
    (position,) = send("GET", "/api/trading/positions").get_json()["data"]
    answer = send("POST", f"/api/trading/positions/{position['positionId']}/close", body)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, {field})
    unknown = send("POST", f"/api/trading/positions/{position['positionId']}/close?all=1", {"cancelOpenOrders": True})
    assert set(unknown.get_json()["errors"]) == {"all"}


def test_the_history_of_a_triggered_order_tells_each_step(send, resting, feed, work):
    order_id = resting(**STOP)
    feed("106.50", "107.00", "105.50")
    work()
    feed("104.00", "104.10", "104.00")
    work()
    moments = send("GET", f"{ORDERS}/{order_id}/history").get_json()["data"]
    assert [moment["type"] for moment in moments] == [
        "order.pending",
        "order.open",
        "order.triggered",
        "order.executed",
    ]
    assert moments[1]["changes"] == {"waitingFor": "trigger"}
    assert moments[2]["changes"]["triggeredAt"] is not None
    assert [len(moment["transactions"]) for moment in moments] == [2, 0, 0, 0]


def test_a_request_without_the_new_terms_has_the_fingerprint_of_the_previous_release(place, trader, feed):
    """An Idempotency-Key that the previous release has stored is still answered."""
    place(trader, headers={"Idempotency-Key": "one"}, price="95.00")
    stored = one("SELECT fingerprint FROM idempotency_key")
    body = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10, "order_type": "LIMIT"}
    body |= {"price": "95.00", "product": "INTRADAY", "client_order_id": None}
    assert bytes(stored) == fingerprint_of(body)
