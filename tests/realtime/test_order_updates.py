"""Order updates of Kite's ticker: the changes of the account's orders, whichever door placed them."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import CRON_SECRET, TestAccount
from tests.realtime.clients import Stream
from tests.realtime.conftest import Database, Served
from tests.realtime.test_live_quotes import Market
from tests.realtime.tickers import Ticker
from tests.support.kite import kite_headers

MakeAccount = Callable[..., TestAccount]
LIMIT = {
    "exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY", "quantity": 10, "product": "MIS",
    "order_type": "LIMIT", "price": 100, "validity": "DAY",
}  # fmt: skip
MARKET = LIMIT | {"order_type": "MARKET", "price": 0}
STOP = LIMIT | {"order_type": "SL", "price": 106, "trigger_price": 105}
# The members of the postback that Kite Connect 3 documents.
MEMBERS = {
    "user_id", "unfilled_quantity", "app_id", "checksum", "placed_by", "order_id", "exchange_order_id",
    "parent_order_id", "status", "status_message", "status_message_raw", "order_timestamp",
    "exchange_update_timestamp", "exchange_timestamp", "variety", "exchange", "tradingsymbol", "instrument_token",
    "order_type", "transaction_type", "validity", "product", "quantity", "disclosed_quantity", "price",
    "trigger_price", "average_price", "filled_quantity", "pending_quantity", "cancelled_quantity",
    "market_protection", "meta", "tag", "guid",
}  # fmt: skip


class Trader:
    """A client of Kite's REST interface."""

    def __init__(self, served: Served, account: TestAccount) -> None:
        self.url, self.account = served.base_url, account

    def send(self, method: str, path: str, form: dict[str, Any] | None = None) -> str:
        headers = kite_headers(self.account.token)
        answer = requests.request(method, f"{self.url}/kite{path}", data=form, headers=headers, timeout=15)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"]["order_id"])

    def work(self) -> None:
        """Execute what is due."""
        headers = {"Authorization": f"Bearer {CRON_SECRET}"}
        assert requests.get(f"{self.url}/api/cron/order-worker", headers=headers, timeout=15).status_code == 200


@pytest.fixture
def market(served: Served, headers_for: Any) -> Market:
    market = Market(served.base_url, headers_for("feed"))
    market.put("100.98", bidPrice="100.95", askPrice="101.00")
    return market


def statuses(ticker: Ticker, number: int) -> list[str]:
    """Return the statuses of the next updates."""
    return [ticker.text("order")["status"] for _ in range(number)]


def test_the_life_of_an_order_is_told_but_not_its_mere_placement(
    served: Served, account: MakeAccount, market: Market, plain_sql: Database
) -> None:
    trader = Trader(served, account(fill_model="QUOTES"))
    token = plain_sql.run("SELECT instrument_token FROM stock")[0][0]
    with Ticker(served.port, trader.account.token) as ticker:
        order_id = trader.send("POST", "/orders/regular", LIMIT | {"tag": "bot1"})
        trader.work()  # now it rests
        trader.send("PUT", f"/orders/regular/{order_id}", {"price": 100.5})
        changing, changed = ticker.text("order"), ticker.text("order")
        assert changing.keys() == MEMBERS
        assert (changing["status"], changed) == ("UPDATE", changing | {"status": "OPEN"})
        assert changed == changed | {
            "order_id": order_id, "price": 100.5, "quantity": 10, "unfilled_quantity": 10, "instrument_token": token,
            "tradingsymbol": "RELIANCE", "tag": "bot1", "variety": "regular", "checksum": "",
        }  # fmt: skip
        assert changed["user_id"] == changed["placed_by"] != ""
        trader.send("DELETE", f"/orders/regular/{order_id}")
        cancelled = ticker.text("order")
        assert (cancelled["order_id"], cancelled["status"]) == (order_id, "CANCELLED")
        assert (cancelled["cancelled_quantity"], cancelled["filled_quantity"]) == (10, 0)


def test_fills_and_triggers_are_told(served: Served, account: MakeAccount, market: Market) -> None:
    trader = Trader(served, account(fill_model="QUOTES"))
    with Ticker(served.port, trader.account.token) as ticker:
        bought = trader.send("POST", "/orders/regular", MARKET)
        trader.work()
        update = ticker.text("order")
        assert (update["order_id"], update["status"]) == (bought, "COMPLETE")
        assert (update["average_price"], update["filled_quantity"], update["unfilled_quantity"]) == (101.0, 10, 0)
        trader.send("POST", "/orders/regular", STOP)
        trader.work()
        market.put("105.50", bidPrice="105.45", askPrice="107.00")  # triggers, but the limit is too low
        trader.work()
        assert statuses(ticker, 1) == ["OPEN"]
        market.put("105.40", bidPrice="105.35", askPrice="105.45")
        trader.work()
        assert statuses(ticker, 1) == ["COMPLETE"]


def test_orders_of_the_first_door_are_told_and_those_of_other_accounts_are_not(
    served: Served, account: MakeAccount, market: Market
) -> None:
    trader, other = (Trader(served, account()) for _ in range(2))
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1}
    with Ticker(served.port, trader.account.token) as ticker, Ticker(served.port, other.account.token) as silent:
        url = f"{served.base_url}/api/trading/orders"
        requests.post(url, json=order, headers=trader.account.headers, timeout=15)
        trader.work()
        update = ticker.text("order")
        (known,) = requests.get(url, headers=trader.account.headers, timeout=15).json()["data"]
        assert (update["order_id"], update["status"]) == (known["orderNumber"], "COMPLETE")
        number = other.send("POST", "/orders/regular", MARKET | {"quantity": 2})
        other.work()
        assert silent.text("order")["order_id"] == number


def test_a_ticker_starts_with_the_present(served: Served, account: MakeAccount, market: Market) -> None:
    trader = Trader(served, account())
    trader.send("POST", "/orders/regular", MARKET)
    trader.work()
    with Ticker(served.port, trader.account.token) as ticker:
        number = trader.send("POST", "/orders/regular", MARKET)
        trader.work()
        assert ticker.text("order")["order_id"] == number


def test_an_update_that_cannot_be_written_keeps_no_event_from_another_listener(
    server_here: Any, account: MakeAccount, plain_sql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> bytes:
        raise ValueError

    monkeypatch.setattr("api.kite.ticker.update_frames", fail)
    trader, port = account(), server_here.server_port
    # Of listeners in a set the ticker may come first or last.
    with Ticker(port, trader.token) as first, Stream(port, trader.token) as stream, Ticker(port, trader.token) as last:
        assert stream.ready() > 0
        for ticker in (first, last):
            assert ticker.next()["type"] == "app_code"
        plain_sql.change(trader.id)
        assert stream.next()["type"] == "account.updated"
        assert (first.close_code(), last.close_code()) == (1011, 1011)
