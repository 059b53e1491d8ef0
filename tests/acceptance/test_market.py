"""A market on real processes: orders rest, a feeder's quotes reach them over HTTP, and a worker fills them."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
import requests

from tests.acceptance.conftest import Trader
from tests.conftest import METRICS_TOKEN
from tests.support.metrics import Metrics
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.trading import run
from trading.upkeep.verify import verify

STOCK = {"exchange": "NSE", "symbol": "TCS"}
ORDER = STOCK | {"side": "BUY", "quantity": 100, "orderType": "LIMIT", "price": "100.00"}

Put = Callable[..., dict[str, Any]]


@pytest.fixture
def web(start: ProcessStarter, tmp_path: Any) -> Running:
    """Start a web process and a worker whose counts are this test's alone."""
    folder = str(tmp_path / "metrics")
    web = start.web(METRICS_DIR=folder)
    start.worker(METRICS_DIR=folder)
    return web


@pytest.fixture
def trader(web: Running, headers_for: Callable[..., dict[str, str]]) -> Trader:
    """Return a client whose account of 100,000.00 has the fill model QUOTES, made as an operator makes one."""
    admin, url = headers_for("admin"), f"{web.base_url}/api/admin/accounts"
    body = {"name": "Asha", "openingBalance": "100000.00", "fillModel": "QUOTES"}
    account = requests.post(url, json=body, headers=admin, timeout=10)
    assert account.status_code == 201, account.text
    tokens = f"{url}/{account.json()['tradingAccountId']}/tokens"
    token = requests.post(tokens, json={"scopes": ["trade", "read"]}, headers=admin, timeout=10)
    return Trader(web, token.json()["token"])


@pytest.fixture
def put(web: Running, headers_for: Callable[..., dict[str, str]]) -> Put:
    """Return a function that sends a quote of the stock, put(bid, ask, last), and returns the answer."""
    feeder = headers_for("feed")

    def make(bid: str, ask: str, last: str) -> dict[str, Any]:
        quote = STOCK | {"bidPrice": bid, "askPrice": ask, "lastPrice": last}
        url = f"{web.base_url}/api/market/quotes"
        answer = requests.put(url, json={"quotes": [quote]}, headers=feeder, timeout=10)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    return make


def place(trader: Trader, status: str, **changes: Any) -> dict[str, Any]:
    """Place an order, wait until it has this status, and return it."""
    url = f"{trader.base_url}/api/trading/orders"
    answer = trader.http.post(url, json=ORDER | changes, timeout=30)
    assert answer.status_code == 202, answer.text
    return trader.wait_for(answer.json()["orderId"], status)


def types_of(trader: Trader, order: dict[str, Any]) -> list[str]:
    """Return the types of an order's events."""
    events = trader.read("events?since=0")["data"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events if event["data"].get("orderId") == order["orderId"]]


def test_an_order_rests_below_the_market_and_a_quote_that_crosses_it_fills_it_at_its_limit(
    web: Running, trader: Trader, put: Put
) -> None:
    assert put("100.95", "101.00", "101.00") == {"accepted": 1, "matched": 0, "notMatched": []}
    resting = place(trader, "OPEN")
    assert (resting["waitingFor"], resting["matchedAt"], resting["fill"]) == ("price", None, None)
    assert trader.read("account")["blockedMargin"] == resting["blockedMargin"] == "2000.00"
    assert put("100.00", "100.05", "100.00") == {"accepted": 1, "matched": 0, "notMatched": []}  # a touch
    assert put("96.90", "97.00", "97.00") == {"accepted": 1, "matched": 1, "notMatched": []}

    order = trader.wait_for(resting["orderId"])
    assert (order["averagePrice"], order["filledQuantity"], order["waitingFor"]) == ("100.00", 100, None)
    assert order["placedAt"] < order["matchedAt"] <= order["executedAt"]
    quoted_at = order["fill"].pop("quotedAt")
    assert order["placedAt"] < quoted_at <= order["matchedAt"]
    assert order["fill"] == {"quoteNumber": 3, "bid": "96.90", "ask": "97.00", "last": "97.00", "rule": "book"}
    assert types_of(trader, order) == ["order.pending", "order.open", "order.executed"]
    at_once = place(trader, "EXECUTED")  # the same order, placed at that quote
    assert (at_once["averagePrice"], at_once["fill"]["rule"]) == ("97.00", "first_look")
    assert verify() == []
    _metrics_tell_of_it(web)


def _metrics_tell_of_it(web: Running) -> None:
    def read() -> Metrics:
        token = {"Authorization": f"Bearer {METRICS_TOKEN}"}
        return Metrics(requests.get(f"{web.base_url}/metrics", headers=token, timeout=30).text)

    wait_until(lambda: read()("tradepost_fill_seconds_count", outcome="executed") == 1)
    metrics = read()
    assert metrics("tradepost_quotes_total", outcome="usable") == 3
    assert metrics("tradepost_matches_total", rule="book") == metrics("tradepost_matches_total") == 1
    assert metrics("tradepost_match_seconds_count", by="quote") == 1
    assert metrics("tradepost_matches_found_late_total") == 0
    wait_until(lambda: read()("tradepost_resting_orders") == 0)  # the answer may be 3 s old


def test_a_stop_is_triggered_by_a_gap_and_costs_what_the_gap_costs(
    start: ProcessStarter, trader: Trader, put: Put
) -> None:
    put("99.95", "100.00", "100.00")
    place(trader, "EXECUTED", orderType="MARKET", price=None)
    stop = {"side": "SELL", "orderType": "STOP_MARKET", "price": None, "triggerPrice": "95.00"}
    waiting = place(trader, "OPEN", **stop)
    assert (waiting["waitingFor"], waiting["triggeredAt"]) == ("trigger", None)
    assert put("94.00", "101.00", "100.00")["matched"] == 0  # nothing traded at the trigger
    assert put("89.90", "90.00", "90.00")["matched"] == 1
    order = trader.wait_for(waiting["orderId"])
    assert (order["averagePrice"], order["fill"]["rule"], order["charges"]) == ("89.90", "stop", "5.78")
    assert order["triggeredAt"] == order["matchedAt"]
    assert types_of(trader, order) == ["order.pending", "order.open", "order.triggered", "order.executed"]
    account = trader.read("account")
    assert (account["realizedPnl"], account["blockedMargin"]) == ("-1010.00", "0.00")
    kinds = {row["kind"]: Decimal(row["amount"]) for row in order["transactions"]}
    assert (kinds["LOSS"], kinds["CHARGES_REFUND"]) == (Decimal("1010.00"), Decimal("0.32"))
    assert verify() == []
    _one_search_shows_the_life_of_an_order(start, trader, order["orderId"])


def _one_search_shows_the_life_of_an_order(start: ProcessStarter, trader: Trader, stopped_id: str) -> None:
    changed = place(trader, "OPEN", price="50.00", quantity=3)
    url, tag = f"{trader.base_url}/api/trading/orders/{changed['orderId']}", {"If-Match": "*"}
    assert trader.http.patch(url, json={"quantity": 4, "price": "51.00"}, headers=tag, timeout=10).status_code == 200
    wait_until(lambda: len(_life(start, changed["orderId"])) == 4, what="the changed order is judged again")
    assert trader.http.delete(url, timeout=10).status_code == 200
    forgotten = place(trader, "OPEN", price="50.00", quantity=5, validity="TTL", validityMinutes=1)
    run("UPDATE trading_order SET expires_at = placed_at WHERE id = %s", forgotten["orderId"])
    trader.wait_for(forgotten["orderId"], "EXPIRED")
    assert _life(start, stopped_id) == [
        "placed SELL 100 NSE:TCS STOP_MARKET trigger 95.00",
        "opened SELL 100 NSE:TCS STOP_MARKET trigger 95.00 waits for trigger",
        "executed SELL 100 NSE:TCS STOP_MARKET trigger 95.00 at 89.90 by stop",
    ]
    assert _life(start, changed["orderId"]) == [
        "placed BUY 3 NSE:TCS LIMIT 50.00",
        "opened BUY 3 NSE:TCS LIMIT 50.00 waits for price",
        "modified to BUY 4 NSE:TCS LIMIT 51.00",
        "opened BUY 4 NSE:TCS LIMIT 51.00 waits for price",
        "cancelled BUY 4 NSE:TCS LIMIT 51.00 by client",
    ]
    order = "BUY 5 NSE:TCS LIMIT 50.00"
    wait_until(lambda: len(_life(start, forgotten["orderId"])) == 3)
    assert _life(start, forgotten["orderId"]) == [
        f"placed {order}",
        f"opened {order} waits for price",
        f"expired {order} TTL",
    ]


def _life(start: ProcessStarter, order_id: str) -> list[str]:
    """Return what the lines of all processes that hold an order's id say, in the order of their times."""
    lines = sorted(line for process in start.started for line in process.log.splitlines() if order_id in line)
    assert all(line.count(order_id) == 1 and " acct " in line for line in lines)
    return [line.partition(" ")[2].partition(" acct ")[0] for line in lines]
