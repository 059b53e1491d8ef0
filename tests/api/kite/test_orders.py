"""Orders of Kite's clients: placed, modified, cancelled and read, in Kite's words and shapes."""

import dataclasses
import functools
import json
from datetime import timedelta

import pytest
import structlog

from schemas.kite.words import OUR_NAMES
from tests.conftest import CRON_SECRET
from tests.support.kite import kite_headers
from tests.support.trading import at_once, one, rows, run

CRON = {"Authorization": f"Bearer {CRON_SECRET}"}
LIMIT = {
    "exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY", "quantity": "10", "product": "MIS",
    "order_type": "LIMIT", "price": "100", "validity": "DAY",
}  # fmt: skip
MARKET = {**LIMIT, "order_type": "MARKET", "price": "0"}
STOP = {**LIMIT, "order_type": "SL", "price": "106", "trigger_price": "105"}
STOP_MARKET = {**MARKET, "order_type": "SL-M", "trigger_price": "105"}
KEYS = {
    "account_id", "placed_by", "order_id", "exchange_order_id", "parent_order_id", "status", "status_message",
    "status_message_raw", "order_timestamp", "exchange_update_timestamp", "exchange_timestamp", "variety", "modified",
    "exchange", "tradingsymbol", "instrument_token", "order_type", "transaction_type", "validity", "validity_ttl",
    "product", "quantity", "disclosed_quantity", "price", "trigger_price", "auction_number", "average_price",
    "filled_quantity", "pending_quantity", "cancelled_quantity", "market_protection", "meta", "tag", "guid",
}  # fmt: skip
BEING_MODIFIED = "Order cannot be modified as it is being processed. Try later."
NOT_FOUND = (404, "GeneralException", "Couldn't find that `order_id`.")


@pytest.fixture
def trader(account):
    """Return an account that trades on quotes."""
    return account(fill_model="QUOTES")


@pytest.fixture
def feed(client, headers_for):
    """Return a function that sets the quote of RELIANCE: feed("99.95", "100.00", "99.98")."""
    headers = headers_for("feed")

    def make(bid, ask, last, **more):
        quote = {"exchange": "NSE", "symbol": "RELIANCE", "bidPrice": bid, "askPrice": ask, "lastPrice": last} | more
        assert client.put("/api/market/quotes", json={"quotes": [quote]}, headers=headers).status_code == 200

    make("100.95", "101.00", "100.98")
    return make


@pytest.fixture
def send(client, trader):
    """Return a function that sends a request as a client of Kite does."""

    def make(method, path, form=None, *, of=trader, **query):
        return client.open(path, method=method, data=form, query_string=query, headers=kite_headers(of.token))

    return make


@pytest.fixture
def work(client):
    """Return a function that executes what is due."""
    return lambda: client.get("/api/cron/order-worker", headers=CRON).get_json()


@pytest.fixture
def placed(send, feed):
    """Return a function that places an order and returns its id."""

    def make(form=LIMIT, variety="regular", **changes):
        answer = send("POST", f"/orders/{variety}", form | changes)
        assert answer.status_code == 200, answer.text
        return answer.get_json()["data"]["order_id"]

    return make


@pytest.fixture
def setting(app, settings, monkeypatch):
    """Return a function that changes settings of the application."""
    return lambda **changes: monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, **changes))


def data(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    return answer.get_json()["data"]


def refusal(answer):
    body = answer.get_json()
    assert body["status"] == "error"
    return answer.status_code, body["error_type"], body["message"]


def test_a_placement_answers_with_the_number_of_the_order(send, feed):
    answer = send("POST", "/orders/regular", LIMIT)
    number = str(one("SELECT order_number FROM trading_order"))
    assert data(answer) == {"order_id": number}
    assert number.isdigit()
    assert len(number) == 15


def test_an_order_is_in_the_book_at_once_and_complete(send, placed, trader):
    number = placed(tag="bot1")
    (order,) = data(send("GET", "/orders"))
    token = one("SELECT instrument_token FROM stock")
    assert order.keys() == KEYS | {"tags"}
    assert order == order | {
        "order_id": number, "exchange_order_id": f"1{number}", "status": "OPEN", "status_message": None,
        "variety": "regular", "modified": False, "exchange": "NSE", "tradingsymbol": "RELIANCE",
        "instrument_token": token, "order_type": "LIMIT", "transaction_type": "BUY", "validity": "DAY",
        "validity_ttl": 0, "product": "MIS", "quantity": 10, "disclosed_quantity": 0, "price": 100.0,
        "trigger_price": 0.0, "average_price": 0.0, "filled_quantity": 0, "pending_quantity": 10,
        "cancelled_quantity": 0, "market_protection": 0.0, "meta": {}, "tag": "bot1", "tags": ["bot1"], "guid": None,
    }  # fmt: skip
    placed_at = one("SELECT to_char(placed_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24:MI:SS') FROM trading_order")
    assert (order["order_timestamp"], order["exchange_timestamp"]) == (placed_at, placed_at)
    assert order["account_id"] == order["placed_by"]
    assert order["account_id"].startswith("TP")


def test_an_order_without_a_tag_has_no_tags(send, placed):
    placed()
    (order,) = data(send("GET", "/orders"))
    assert order.keys() == KEYS
    assert order["tag"] is None


def test_the_first_door_shows_the_same_number(client, placed, trader):
    number = placed()
    (order,) = client.get("/api/trading/orders", headers=trader.headers).get_json()["data"]
    assert (order["orderNumber"], order["status"]) == (number, "PENDING")


def test_a_market_order_fills_and_has_a_trade(send, placed, work):
    number = placed(MARKET)
    assert data(send("GET", f"/orders/{number}/trades")) == data(send("GET", "/trades")) == []
    work()
    (order,) = data(send("GET", "/orders"))
    assert (order["status"], order["average_price"], order["price"]) == ("COMPLETE", 101.0, 0.0)
    assert (order["filled_quantity"], order["pending_quantity"], order["cancelled_quantity"]) == (10, 0, 0)
    (trade,) = data(send("GET", f"/orders/{number}/trades"))
    assert data(send("GET", "/trades")) == [trade]
    filled_at = one(
        "SELECT to_char(executed_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24:MI:SS') FROM trading_order"
    )
    assert trade == {
        "trade_id": number[-9:], "order_id": number, "exchange_order_id": f"1{number}", "exchange": "NSE",
        "tradingsymbol": "RELIANCE", "instrument_token": order["instrument_token"], "product": "MIS",
        "transaction_type": "BUY", "quantity": 10, "average_price": 101.0, "fill_timestamp": filled_at,
        "exchange_timestamp": filled_at, "order_timestamp": filled_at[-8:],
    }  # fmt: skip


def test_the_history_of_an_order_begins_with_the_states_before_the_book(send, placed, work):
    number = placed()
    assert [entry["status"] for entry in data(send("GET", f"/orders/{number}"))] == [
        "PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING", "OPEN",
    ]  # fmt: skip
    first = data(send("GET", f"/orders/{number}"))[0]
    assert (first["exchange_order_id"], first["exchange_timestamp"], first["price"]) == (None, None, 100.0)
    work()  # the order rests
    assert len(data(send("GET", f"/orders/{number}"))) == 4


def test_a_modification_has_its_states_and_only_the_last_one_has_the_new_price(send, placed, work):
    number = placed()
    work()
    assert data(send("PUT", f"/orders/regular/{number}", {"price": "99.5"})) == {"order_id": number}
    states = data(send("GET", f"/orders/{number}"))[3:]
    assert [(entry["status"], entry["price"], entry["modified"]) for entry in states] == [
        ("OPEN", 100.0, False), ("MODIFY VALIDATION PENDING", 100.0, False), ("MODIFY PENDING", 100.0, False),
        ("MODIFIED", 100.0, False), ("OPEN", 99.5, True),
    ]  # fmt: skip
    assert data(send("GET", "/orders"))[0] == states[-1]


def test_a_cancellation_is_the_last_state(send, placed):
    number = placed()
    assert data(send("DELETE", f"/orders/regular/{number}", parent_order_id="undefined")) == {"order_id": number}
    last = data(send("GET", f"/orders/{number}"))[-1]
    assert (last["status"], last["cancelled_quantity"], last["pending_quantity"]) == ("CANCELLED", 10, 10)
    assert last == data(send("GET", "/orders"))[0]


def test_a_stop_waits_for_its_trigger_and_fills(send, placed, work, feed):
    number = placed(STOP)
    assert data(send("GET", "/orders"))[0]["status"] == "TRIGGER PENDING"
    work()
    assert data(send("GET", "/orders"))[0]["status"] == "TRIGGER PENDING"
    feed("106.50", "107.00", "105.50")
    work()
    assert data(send("GET", "/orders"))[0]["status"] == "OPEN"
    feed("103.00", "104.00", "103.50")
    work()
    history = data(send("GET", f"/orders/{number}"))
    assert [entry["status"] for entry in history[3:]] == ["TRIGGER PENDING", "OPEN", "COMPLETE"]
    assert (history[-1]["order_type"], history[-1]["price"], history[-1]["trigger_price"]) == ("SL", 106.0, 105.0)


def test_a_stop_market_order_has_no_price(send, placed):
    placed(STOP_MARKET, price="99")
    (order,) = data(send("GET", "/orders"))
    assert (order["order_type"], order["price"], order["trigger_price"]) == ("SL-M", 0.0, 105.0)


def test_an_ioc_order_that_does_not_fill_is_cancelled(send, placed, work):
    placed(validity="IOC")
    work()
    (order,) = data(send("GET", "/orders"))
    assert (order["status"], order["validity"]) == ("CANCELLED", "IOC")
    assert order["status_message"] == "The order could not be filled at once."


def test_a_ttl_order_has_its_minutes(send, placed):
    placed(validity="TTL", validity_ttl="5")
    (order,) = data(send("GET", "/orders"))
    assert (order["validity"], order["validity_ttl"]) == ("TTL", 5)


def test_an_expired_order_is_cancelled(send, placed, work):
    placed()
    work()
    run("UPDATE trading_order SET status = 'EXPIRED'")
    (order,) = data(send("GET", "/orders"))
    assert (order["status"], order["status_message"]) == ("CANCELLED", "The validity of the order has ended.")


def test_a_protected_market_order_that_rests_is_a_limit_order(send, placed, work, feed):
    feed("99.00", "120.00", "100.00")
    placed(MARKET, market_protection="2")
    work()
    (order,) = data(send("GET", "/orders"))
    assert (order["order_type"], order["price"], order["market_protection"]) == ("LIMIT", 102.0, 2.0)


def test_of_a_protected_market_order_that_rests_the_quantity_alone_changes(send, placed, work, feed):
    feed("99.00", "120.00", "100.00")
    number = placed(MARKET, market_protection="2")
    work()
    shown = {"order_type": "LIMIT", "price": "102.0", "validity": "DAY"}
    assert data(send("PUT", f"/orders/regular/{number}", shown | {"quantity": "4"})) == {"order_id": number}
    work()
    other_type = {"order_type": "SL", "trigger_price": "99"}
    for form in ({"price": "101"}, {"order_type": "LIMIT", "price": "101"}, other_type):
        assert refusal(send("PUT", f"/orders/regular/{number}", form))[:2] == (400, "InputException")
    assert rows("SELECT order_type, quantity FROM trading_order") == [{"order_type": "MARKET", "quantity": 4}]


def test_automatic_protection_is_two_percent(send, placed):
    placed(MARKET, market_protection="-1")
    assert data(send("GET", "/orders"))[0]["market_protection"] == 2.0


@pytest.mark.parametrize("form", [MARKET, STOP_MARKET])
def test_a_market_order_needs_protection_only_if_the_setting_says_so(send, placed, setting, form):
    placed(form)
    setting(kite_strict_market_protection=True)
    message = (
        "Market orders without market protection are not allowed via API. "
        "Please set market protection or use a Limit order."
    )
    assert refusal(send("POST", "/orders/regular", form)) == (400, "InputException", message)
    assert refusal(send("POST", "/orders/regular", form | {"market_protection": "0"}))[2] == message
    placed(form, market_protection="1.0")
    placed(LIMIT)


def test_an_after_market_order_waits_for_the_session(send, placed, market_closed):
    market_closed()
    answer = send("POST", "/orders/regular", LIMIT)
    assert refusal(answer) == (
        400, "InputException", "Your order could not be converted to a After Market Order (AMO)."
    )  # fmt: skip
    assert answer.get_json()["data"] == {"hints": ["switch_to_amo"]}
    number = placed(variety="amo")
    (order,) = data(send("GET", "/orders"))
    assert (order["variety"], order["status"]) == ("amo", "AMO REQ RECEIVED")
    assert (order["exchange_order_id"], order["exchange_timestamp"]) == (None, None)
    statuses = [entry["status"] for entry in data(send("GET", f"/orders/{number}"))]
    assert statuses == ["PUT ORDER REQ RECEIVED", "VALIDATION PENDING", "AMO REQ RECEIVED"]
    assert data(send("PUT", f"/orders/amo/{number}", {"quantity": "11"})) == {"order_id": number}
    assert data(send("DELETE", f"/orders/amo/{number}")) == {"order_id": number}


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_the_variety_of_the_path_is_that_of_the_order(send, placed, method):
    number = placed()
    assert refusal(send(method, f"/orders/amo/{number}", {}))[:2] == (400, "InputException")
    assert one("SELECT status FROM trading_order") == "PENDING"


@pytest.mark.parametrize("variety", ["co", "bo", "iceberg", "auction", "Regular", "x"])
def test_other_varieties_are_refused(send, feed, variety):
    assert refusal(send("POST", f"/orders/{variety}", LIMIT))[:2] == (400, "InputException")


def test_python_writes_numbers_and_booleans_in_its_way(send, placed):
    placed(quantity="1.0", price="100.05000000000001", autoslice="True", disclosed_quantity="0")
    (order,) = data(send("GET", "/orders"))
    assert (order["quantity"], order["price"]) == (1, 100.05)


def test_javascript_writes_nothing_in_its_way_and_repeats_the_path(send, placed):
    placed(
        MARKET, price="", trigger_price="undefined", tag="null", variety="regular", order_id="undefined", squareoff=""
    )
    (order,) = data(send("GET", "/orders"))
    assert (order["tag"], order["trigger_price"]) == (None, 0.0)


@pytest.mark.parametrize("missing", sorted(LIMIT.keys() - {"validity"}))
def test_what_is_missing_is_named(send, feed, missing):
    form = {name: value for name, value in LIMIT.items() if name != missing}
    assert refusal(send("POST", "/orders/regular", form)) == (
        400, "InputException", f"Missing or empty field `{missing}`"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({**LIMIT, "quantity": "0"}, "quantity"),
        ({**LIMIT, "quantity": "1.5"}, "quantity"),
        ({**LIMIT, "quantity": "-1"}, "quantity"),
        ({**LIMIT, "quantity": "1000001"}, "quantity"),
        ({**LIMIT, "price": "ten"}, "price"),
        ({**LIMIT, "price": "10000000.01"}, "price"),
        ({**LIMIT, "transaction_type": "HOLD"}, "transaction_type"),
        ({**LIMIT, "product": "NRML"}, "product"),
        ({**LIMIT, "exchange": "XYZ"}, "exchange"),
        ({**LIMIT, "order_type": "STOP"}, "order_type"),
        ({**LIMIT, "validity": "GTC"}, "validity"),
        ({**LIMIT, "validity": "TTL"}, "validity_ttl"),
        ({**LIMIT, "tag": "x" * 21}, "tag"),
        ({**STOP, "validity": "IOC"}, "validity"),
        ({**MARKET, "market_protection": "101"}, "market_protection"),
        ({**MARKET, "market_protection": "True"}, "market_protection"),
        ({**MARKET, "market_protection": "-2"}, "market_protection"),
    ],
)
def test_an_invalid_value_is_named(send, feed, form, field):
    status, error_type, message = refusal(send("POST", "/orders/regular", form))
    assert (status, error_type) == (400, "InputException")
    assert message.startswith(f"Invalid `{field}`.")
    assert one("SELECT count(*) FROM trading_order") == 0


def test_a_refused_placement_is_logged_with_the_name_of_what_is_invalid(send, feed):
    with structlog.testing.capture_logs() as lines:
        send("POST", "/orders/regular", LIMIT | {"quantity": "0"})
        send("POST", "/orders/regular", LIMIT | {"tradingsymbol": "NIFTY 50"})
    found = [(line["code"], line["fields"]) for line in lines if line["event"] == "placement_refused"]
    assert found == [("validation_failed", "quantity"), ("unknown_symbol", None)]


@pytest.mark.parametrize("changes", [{"exchange": "NFO"}, {"tradingsymbol": "NIFTY 50"}])
def test_an_unknown_instrument_is_refused_in_kites_words(send, feed, changes):
    message = refusal(send("POST", "/orders/regular", LIMIT | changes))[2]
    assert message.startswith("The instrument you are placing an order for has either expired or does not exist.")


def test_a_price_off_the_tick_is_refused_in_kites_words(send, feed):
    message = "Tick size for this script is {}. Kindly enter price in the multiple of tick size for this script"
    assert refusal(send("POST", "/orders/regular", LIMIT | {"price": "100.001"}))[2] == message.format("0.01")
    run("UPDATE stock SET tick_size = 0.10")
    answer = send("POST", "/orders/regular", LIMIT | {"price": "100.05"})
    assert refusal(answer) == (400, "InputException", message.format("0.10"))


def test_insufficient_funds_are_a_margin_exception(send, feed):
    status, error_type, message = refusal(send("POST", "/orders/regular", LIMIT | {"quantity": "1000000"}))
    assert (status, error_type) == (400, "MarginException")
    assert message.startswith("Insufficient funds. Required margin is 2000")
    assert message.endswith("but available margin is 1000000.00. Check the orderbook for open orders.")


def test_a_delivery_sale_without_holdings_is_a_holding_exception(send, feed):
    form = LIMIT | {"transaction_type": "SELL", "product": "CNC", "price": "101"}
    status, error_type, message = refusal(send("POST", "/orders/regular", form))
    assert (status, error_type) == (400, "HoldingException")
    assert message.startswith("Insufficient holdings.")


def test_a_stop_on_the_wrong_side_is_refused_in_kites_words(send, feed):
    form = STOP_MARKET | {"transaction_type": "SELL"}
    message = "Trigger price for stoploss sell orders should be lower than the last traded price"
    assert refusal(send("POST", "/orders/regular", form)) == (400, "InputException", message)


@pytest.mark.parametrize(
    ("side", "trigger", "word"), [("BUY", "107", "buy orders cannot be higher"), ("SELL", "90", "sell")]
)
def test_a_stop_beyond_its_price_is_refused(send, feed, side, trigger, word):
    form = STOP | {"transaction_type": side, "trigger_price": trigger, "price": "106" if side == "BUY" else "91"}
    status, error_type, message = refusal(send("POST", "/orders/regular", form))
    assert (status, error_type) == (400, "InputException")
    assert f"Trigger price for stoploss {word}" in message


def test_a_price_outside_the_circuits_is_refused_in_kites_words(send, feed):
    feed("100.95", "101.00", "100.98", lowerCircuit="90.00", upperCircuit="110.00")
    message = "Your order price is {} circuit limit of {}. Place an order within the daily range."
    low, high = (refusal(send("POST", "/orders/regular", LIMIT | {"price": price})) for price in ("89", "111"))
    assert low == (400, "InputException", message.format("lower than the current lower", "90.00"))
    assert high[2] == message.format("higher than the current upper", "110.00")
    stop = STOP_MARKET | {"trigger_price": "111"}
    assert refusal(send("POST", "/orders/regular", stop))[2] == (
        "Trigger price for stoploss buy orders cannot be above the upper circuit price. "
        "Please try placing the order with trigger price below 110.00."
    )


def test_a_modification_that_keeps_a_price_outside_new_circuits_names_no_wrong_circuit(send, placed, feed, work):
    number = placed(transaction_type="SELL", price="105")
    work()
    feed("100.95", "101.00", "100.98", upperCircuit="104.00")
    answer = send("PUT", f"/orders/regular/{number}", {"quantity": "11"})
    assert refusal(answer) == (400, "InputException", "The price lies outside today's circuits.")


def test_a_suspended_account_is_no_reason_to_log_in_again(send, feed):
    run("UPDATE account SET status = 'SUSPENDED'")
    assert refusal(send("POST", "/orders/regular", LIMIT))[:2] == (403, "PermissionException")


@pytest.mark.parametrize("form", [STOP, {**LIMIT, "validity": "IOC"}])
def test_an_account_that_fills_at_once_refuses_what_it_does_not_simulate(send, account, feed, form):
    immediate = account()
    status, error_type, message = refusal(send("POST", "/orders/regular", form, of=immediate))
    assert (status, error_type) == (400, "InputException")
    assert not OUR_NAMES.search(message), message


def test_all_terms_may_be_sent_with_a_modification(send, placed, work):
    number = placed(STOP)
    work()
    form = {
        "variety": "regular", "order_id": number, "parent_order_id": "", "quantity": "5", "price": "107",
        "order_type": "SL", "trigger_price": "106", "validity": "DAY", "disclosed_quantity": "0",
    }  # fmt: skip
    assert data(send("PUT", f"/orders/regular/{number}", form)) == {"order_id": number}
    (order,) = data(send("GET", "/orders"))
    assert (order["quantity"], order["price"], order["trigger_price"], order["modified"]) == (5, 107.0, 106.0, True)


def test_a_limit_order_becomes_a_market_order_with_the_protection_that_is_sent(send, placed, setting):
    number = placed()
    setting(kite_strict_market_protection=True)
    form = {"order_type": "MARKET", "price": "0"}
    assert "market protection" in refusal(send("PUT", f"/orders/regular/{number}", form))[2]
    assert data(send("PUT", f"/orders/regular/{number}", form | {"market_protection": "3"})) == {"order_id": number}
    assert rows("SELECT order_type, price, market_protection FROM trading_order") == [
        {"order_type": "MARKET", "price": None, "market_protection": 3}
    ]


@pytest.mark.parametrize(
    "form",
    [{"order_type": "SL", "trigger_price": "105"}, {"order_type": "SL-M", "trigger_price": "9"}, {"validity": "IOC"}],
)
def test_a_change_that_no_order_takes_is_refused(send, placed, form):
    number = placed()
    status, error_type, message = refusal(send("PUT", f"/orders/regular/{number}", form))
    assert (status, error_type) == (400, "InputException")
    assert not OUR_NAMES.search(message), message


@pytest.mark.parametrize(("side", "percent"), [("BUY", "101"), ("BUY", "-2"), ("BUY", "0.001"), ("SELL", "100")])
def test_the_protection_of_a_modification_has_limits(send, placed, side, percent):
    number = placed(transaction_type=side, price="100" if side == "BUY" else "102")
    form = {"order_type": "MARKET", "market_protection": percent}
    answer = send("PUT", f"/orders/regular/{number}", form)
    assert refusal(answer) == (400, "InputException", "Invalid `market_protection`.")


def test_an_order_is_modified_25_times_at_most(send, placed):
    number = placed()
    run("UPDATE trading_order SET modifications = 24, updated_at = market_now()")
    assert data(send("PUT", f"/orders/regular/{number}", {"quantity": "11"})) == {"order_id": number}
    answer = send("PUT", f"/orders/regular/{number}", {"quantity": "12"})
    assert refusal(answer) == (400, "InputException", "Maximum allowed order modifications exceeded.")
    assert rows("SELECT quantity, modifications FROM trading_order") == [{"quantity": 11, "modifications": 25}]


def test_modifications_at_the_same_time_do_not_exceed_25(app, placed, trader):
    number = placed()
    run("UPDATE trading_order SET modifications = 23, updated_at = market_now()")

    def modify(quantity):
        path, form = f"/orders/regular/{number}", {"quantity": str(quantity)}
        return app.test_client().put(path, data=form, headers=kite_headers(trader.token))

    answers = at_once([functools.partial(modify, quantity) for quantity in range(11, 17)])
    messages = [refusal(answer)[2] for answer in answers if answer.status_code == 400]
    assert sum(answer.status_code == 200 for answer in answers) == 2
    assert set(messages) <= {"Maximum allowed order modifications exceeded.", BEING_MODIFIED}
    assert one("SELECT modifications FROM trading_order") == 25


def test_a_modification_that_changes_nothing_is_not_counted(send, placed):
    number = placed()
    assert data(send("PUT", f"/orders/regular/{number}", {"quantity": "10", "price": "100"})) == {"order_id": number}
    assert data(send("GET", "/orders"))[0]["modified"] is False


def test_a_final_order_is_being_processed(send, placed, work):
    number = placed(MARKET)
    work()
    words = "Order cannot be {} as it is being processed. Try later."
    assert refusal(send("PUT", f"/orders/regular/{number}", {"quantity": "1"})) == (
        400, "InputException", words.format("modified")
    )  # fmt: skip
    assert refusal(send("DELETE", f"/orders/regular/{number}")) == (
        400, "InputException", words.format("cancelled")
    )  # fmt: skip


@pytest.mark.parametrize(
    "number",
    ["261127100000000", "1", "0", "x", "1234567890123456", "01a20524-6fc7-7822-b63b-0d0c5a309936", "٣" * 15],
)
def test_an_unknown_order_is_not_found(send, placed, number):
    for method, path in (
        ("GET", f"/orders/{number}"), ("GET", f"/orders/{number}/trades"), ("PUT", f"/orders/regular/{number}"),
        ("DELETE", f"/orders/regular/{number}"),
    ):  # fmt: skip
        assert refusal(send(method, path)) == NOT_FOUND


def test_the_order_of_another_account_is_not_found(send, placed, account):
    number, other = placed(), account()
    assert refusal(send("GET", f"/orders/{number}", of=other)) == NOT_FOUND
    assert refusal(send("DELETE", f"/orders/regular/{number}", of=other)) == NOT_FOUND
    assert refusal(send("PUT", f"/orders/regular/{number}", {"quantity": "1"}, of=other)) == NOT_FOUND
    assert data(send("GET", "/orders", of=other)) == []


def age(number, days, *, updated=None):
    """Move the placement of an order back by days, and its last change to a time of so many days ago."""
    run(
        "UPDATE trading_order SET placed_at = placed_at - %s, updated_at = placed_at - %s WHERE order_number = %s",
        timedelta(days=days),
        timedelta(days=days if updated is None else updated),
        int(number),
    )


def test_the_book_has_the_orders_of_today_and_all_that_are_live(send, placed, cleaner):
    new, live, old, ended, late = (placed() for _ in range(5))
    age(live, 30)
    for number, days, updated in ((old, 2, 2), (ended, 1, 0), (late, 40, 0)):
        age(number, days, updated=updated)
        with cleaner.cursor() as cursor:
            cursor.execute("UPDATE trading_order SET status = 'CANCELLED' WHERE order_number = %s", (int(number),))
    assert [order["order_id"] for order in data(send("GET", "/orders"))] == [late, live, ended, new]
    assert refusal(send("GET", f"/orders/{old}")) == NOT_FOUND
    assert data(send("GET", f"/orders/{late}"))[-1]["status"] == "CANCELLED"


def test_an_order_without_a_number_is_not_in_the_book(send, placed, cleaner):
    placed()
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET order_number = NULL")
    assert data(send("GET", "/orders")) == []


def test_a_rejected_order_tells_the_reason(send, placed):
    placed()
    run("UPDATE trading_order SET status = 'REJECTED', rejection_reason = 'insufficient_margin'")
    (order,) = data(send("GET", "/orders"))
    assert (order["status"], order["exchange_order_id"]) == ("REJECTED", None)
    assert order["status_message"] == "Insufficient funds. Check the orderbook for open orders."
    assert (order["pending_quantity"], order["cancelled_quantity"]) == (0, 0)


def test_numbers_are_json_numbers_and_ids_are_texts(send, placed):
    placed()
    (order,) = json.loads(send("GET", "/orders").data, parse_float=lambda text: ("float", text))["data"]
    assert order["price"] == ("float", "100.0")
    assert isinstance(order["order_id"], str)
    assert isinstance(order["instrument_token"], int)
