"""Trades over HTTP: one for each executed order."""

from datetime import datetime
from typing import Any

import pytest

from tests.support.identifiers import NOT_THERE
from tests.support.trading import Row, buy, execute, order_now, sell

TRADES = "/api/trading/trades"


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account."""
    return account()


@pytest.fixture
def read(client: Any, trader: Any) -> Any:
    """Return a function that reads a path for the account."""

    def get(path: str, **query: Any) -> Any:
        return client.get(path, query_string=query, headers=trader.headers)

    return get


def executed(order: Row) -> Row:
    """Execute an order and return its row."""
    assert execute(order).executed == 1
    return order_now(order)


def test_an_executed_order_is_one_trade(read: Any, trader: Any) -> None:
    order = executed(buy(trader.id, 10, "100.00", client_order_id="mine", product="DELIVERY"))
    (trade,) = read(TRADES).get_json()["data"]
    assert read(f"/api/trading/orders/{order['id']}/trades").get_json() == {"data": [trade]}
    assert datetime.fromisoformat(trade.pop("tradedAt")) == order["executed_at"]
    assert trade == {
        "tradeId": str(order["id"]),
        "orderId": str(order["id"]),
        "tradingAccountId": str(trader.id),
        "clientOrderId": "mine",
        "positionId": str(order["position_id"]),
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "stockId": str(order["stock_id"]),
        "side": "BUY",
        "product": "DELIVERY",
        "quantity": 10,
        "price": "100.00",
        "charges": f"{order['charges']}",
        "rule": None,
        "origin": "CLIENT",
        "tag": None,
    }


def test_an_order_that_is_not_executed_has_no_trade(read: Any, trader: Any) -> None:
    order = buy(trader.id, 10, "100.00")
    assert read(TRADES).get_json() == {"data": [], "nextCursor": None}
    assert read(f"/api/trading/orders/{order['id']}/trades").get_json() == {"data": []}


def test_the_trades_of_an_unknown_order_and_of_another_account_are_not_found(
    read: Any, account: Any, client: Any, trader: Any
) -> None:
    order = executed(buy(trader.id, 10, "100.00"))
    assert read(f"/api/trading/orders/{NOT_THERE}/trades").status_code == 404
    other = account()
    assert client.get(f"/api/trading/orders/{order['id']}/trades", headers=other.headers).status_code == 404
    assert client.get(TRADES, headers=other.headers).get_json()["data"] == []


def test_trades_are_listed_by_their_time_and_not_by_that_of_the_placement(read: Any, trader: Any) -> None:
    first, second, third = (buy(trader.id, 1, "10.00", symbol=symbol) for symbol in ("A", "B", "C"))
    for order in (second, third, first):
        executed(order)
    page = read(TRADES, limit=2).get_json()
    rest = read(TRADES, limit=2, cursor=page["nextCursor"]).get_json()
    assert [trade["symbol"] for trade in page["data"] + rest["data"]] == ["A", "C", "B"]
    assert rest["nextCursor"] is None


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ({"symbol": "A"}, ["A"]),
        ({"side": "SELL"}, ["B"]),
        ({"product": "CNC"}, ["C"]),
        ({"tag": "mine"}, ["A"]),
        ({"symbol": "X"}, []),
        ({"exchange": "BSE"}, ["B"]),
    ],
)
def test_filters_choose_trades(read: Any, trader: Any, query: dict[str, str], symbols: list[str]) -> None:
    executed(buy(trader.id, 1, "10.00", symbol="A", tag="mine"))
    executed(sell(trader.id, 1, "10.00", exchange="BSE", symbol="B"))
    executed(buy(trader.id, 1, "10.00", symbol="C", product="DELIVERY"))
    assert [trade["symbol"] for trade in read(TRADES, **query).get_json()["data"]] == symbols


def test_trades_from_a_time_to_another_begin_at_the_first_and_end_before_the_second(read: Any, trader: Any) -> None:
    times = [executed(buy(trader.id, 1, "10.00", symbol=symbol))["executed_at"] for symbol in ("A", "B", "C")]
    query = {"from": times[1].isoformat(), "to": times[2].isoformat()}
    assert [trade["symbol"] for trade in read(TRADES, **query).get_json()["data"]] == ["B"]


def test_a_trade_on_quotes_names_its_rule(read: Any, trader: Any) -> None:
    from tests.trading.orders.quotes_account import place, quote, trade_on_quotes

    quote("99.00", "100.00", "99.50")
    executed(place(trade_on_quotes(trader.id), "BUY", 10, price="105.00"))
    (trade,) = read(TRADES).get_json()["data"]
    assert (trade["rule"], trade["price"]) == ("first_look", "100.00")
