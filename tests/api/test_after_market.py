"""After-market orders over HTTP: accepted in a closed market, and sent to nobody before their session opens."""

import time
from datetime import datetime
from typing import Any

import pytest

from api import dispatching
from tests.conftest import CRON_SECRET
from tests.support.sessions import open_market
from tests.support.trading import one, run
from tests.trading.orders.quotes_account import quote, trade_on_quotes
from trading.market import calendars

ORDERS = "/api/trading/orders"
ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10, "orderType": "LIMIT", "price": "90.00"}
HELD = ORDER | {"afterMarket": True}


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Return the orders that are sent to the workers from now on."""
    found: list[Any] = []
    monkeypatch.setattr(dispatching, "dispatch", lambda order_ids, _: found.extend(order_ids))
    return found


@pytest.fixture
def trader(account: Any, market_closed: Any) -> Any:
    """Return an account that trades on quotes in a closed market."""
    trader = account()
    quote("99.95", "100.00", "99.98")
    trade_on_quotes(trader.id)
    market_closed()
    return trader


@pytest.fixture
def send(client: Any, trader: Any) -> Any:
    """Return a function that sends a request in the name of the account: send("GET", path) -> response."""
    return lambda method, path, body=None, **headers: client.open(
        path, method=method, json=body, headers=trader.headers | headers
    )


def next_open() -> datetime:
    """Return the time at which the market opens again."""
    moment: datetime = one("SELECT min(opens_at) FROM session")
    return moment


def test_an_after_market_order_is_accepted_in_a_closed_market_and_sent_to_nobody(send: Any, sent: list[Any]) -> None:
    assert send("POST", ORDERS, ORDER).get_json()["code"] == "market_closed"
    answer = send("POST", ORDERS, HELD)
    body = answer.get_json()
    order = body["order"]
    assert (answer.status_code, body["executionScheduled"]) == (202, True)
    assert (order["status"], order["waitingFor"], order["afterMarket"]) == ("PENDING", "session", True)
    assert datetime.fromisoformat(order["expiresAt"]).date() == next_open().date()
    assert sent == []


def test_nobody_waits_for_an_order_that_is_held(send: Any, sent: list[Any]) -> None:
    begin = time.monotonic()
    answer = send("POST", ORDERS, HELD, Prefer="wait=10")
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=10")
    assert answer.get_json()["order"]["waitingFor"] == "session"
    basket = send("POST", f"{ORDERS}/batch", {"orders": [HELD, HELD]}, Prefer="wait=10").get_json()["results"]
    assert [(result["status"], result["order"]["waitingFor"]) for result in basket] == [(202, "session")] * 2
    assert time.monotonic() - begin < 5
    assert sent == []


def test_a_retry_gets_the_order_that_is_held_again(send: Any, sent: list[Any]) -> None:
    first, second = (send("POST", ORDERS, HELD, **{"Idempotency-Key": "once"}) for _ in range(2))
    assert first.get_json() == second.get_json()
    assert second.headers["Idempotent-Replayed"] == "true"
    assert sent == []


def test_an_order_that_is_held_is_changed_and_cancelled(send: Any, sent: list[Any]) -> None:
    order_id = send("POST", ORDERS, HELD).get_json()["orderId"]
    changed = send("PATCH", f"{ORDERS}/{order_id}", {"quantity": 20}, **{"If-Match": "*"})
    assert (changed.status_code, changed.get_json()["waitingFor"]) == (200, "session")
    assert changed.get_json()["quantity"] == 20
    assert send("DELETE", f"{ORDERS}/{order_id}").get_json()["status"] == "CANCELLED"
    assert sent == []


def test_once_the_session_is_open_the_recovery_endpoint_releases_and_executes_the_order(send: Any, client: Any) -> None:
    order_id = send("POST", ORDERS, HELD | {"price": "105.00"}).get_json()["orderId"]
    work = {"path": "/api/cron/order-worker", "headers": {"Authorization": f"Bearer {CRON_SECRET}"}}
    assert client.get(**work).get_json()["claimed"] == 0
    open_market()
    assert client.get(**work).get_json()["executed"] == 1
    order = send("GET", f"{ORDERS}/{order_id}").get_json()
    assert (order["status"], order["averagePrice"], order["waitingFor"]) == ("EXECUTED", "100.00", None)
    (trade,) = send("GET", f"{ORDERS}/{order_id}/trades").get_json()["data"]
    assert (trade["rule"], trade["price"]) == ("first_look", "100.00")


def test_a_preview_says_that_the_order_would_wait_for_its_session(send: Any) -> None:
    preview = send("POST", f"{ORDERS}/preview", HELD | {"price": "105.00"}).get_json()
    assert (preview["wouldFill"], preview["wouldWaitFor"], preview["refusal"]) == (False, "session", None)
    assert send("POST", f"{ORDERS}/preview", ORDER).get_json()["refusal"] == "market_closed"


def test_an_immediate_account_holds_no_orders(account: Any, client: Any, market_closed: Any) -> None:
    market_closed()
    answer = client.post(ORDERS, json=HELD, headers=account().headers).get_json()
    assert (answer["code"], answer["fields"]) == ("not_simulated", ["afterMarket"])


def test_a_market_without_known_sessions_is_closed_and_names_no_opening(send: Any) -> None:
    run("DELETE FROM session")
    calendars._remembered.clear()
    for body in (ORDER, HELD):
        answer = send("POST", ORDERS, body).get_json()
        assert (answer["code"], answer["nextOpen"]) == ("market_closed", None)
