"""From a quote over HTTP to the fill of the order that it matches."""

import dataclasses
from decimal import Decimal

import pytest

from models.database import execute, session
from tests.support.trading import execute_orders, one, order_now, row_of


@pytest.fixture
def put(client, headers_for):
    """Return a function that puts quotes with a book: put(("99.95", "100.00", "99.98"))."""
    feed = headers_for("feed")

    def send(*books, symbol="RELIANCE"):
        names = ("bidPrice", "askPrice", "lastPrice")
        quotes = [{"exchange": "NSE", "symbol": symbol} | dict(zip(names, book, strict=True)) for book in books]
        return client.put("/api/market/quotes", json={"quotes": quotes}, headers=feed)

    return send


@pytest.fixture
def sent(monkeypatch):
    """Return the messages that are sent to workers."""
    messages = []
    monkeypatch.setattr("api.dispatching.dispatch", lambda order_ids, _: messages.append(list(order_ids)))
    return messages


@pytest.fixture
def trader(account):
    """Return an account whose orders fill against quotes."""
    trader = account("100000.00")
    with session():
        execute("UPDATE account SET fill_model = 'QUOTES' WHERE id = %s", (trader.id,))
    return trader


def opened(response):
    """Return the row of a placed order after its looks."""
    order = response.get_json()["order"]
    execute_orders([order["orderId"]])
    return row_of("trading_order", order["orderId"])


def test_a_quote_matches_an_order_and_sends_one_message_for_its_account(client, trader, put, place, sent):
    put(("100.00", "101.00", "100.50"))
    orders = [opened(place(trader, price=price)) for price in ("100.00", "99.00")]
    assert [order["status"] for order in orders] == ["OPEN", "OPEN"]
    sent.clear()
    answer = put(("98.00", "98.50", "98.50"))
    assert answer.get_json() == {"accepted": 1, "matched": 2, "notMatched": []}
    ((first,),) = sent
    assert first in {order["id"] for order in orders}
    execute_orders([first])
    assert [order_now(order)["status"] for order in orders] == ["EXECUTED", "EXECUTED"]
    assert [order_now(order)["average_price"] for order in orders] == [100, 99]
    shown = client.get(f"/api/trading/orders/{orders[0]['id']}", headers=trader.headers).get_json()
    assert (shown["averagePrice"], shown["fill"]["rule"], shown["fill"]["ask"]) == ("100.00", "book", "98.50")


def test_matched_orders_of_two_accounts_get_a_message_each(account, trader, put, place, sent):
    other = account()
    with session():
        execute("UPDATE account SET fill_model = 'QUOTES'")
    put(("100.00", "101.00", "100.50"))
    orders = [opened(place(owner, price="100.00")) for owner in (trader, other)]
    sent.clear()
    assert put(("98.00", "98.50", "98.50")).get_json()["matched"] == 2
    assert sorted(sent[0]) == sorted(order["id"] for order in orders)


def test_inline_dispatch_fills_matched_orders_after_the_answer(app, settings, monkeypatch, trader, put, place):
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, order_dispatch="inline"))
    put(("100.00", "101.00", "100.50"))
    placed = place(trader, price="100.00")
    order = placed.get_json()["order"]
    placed.close()
    answer = put(("98.00", "98.50", "98.50"))
    assert answer.get_json()["matched"] == 1
    assert row_of("trading_order", order["orderId"])["status"] == "OPEN"
    answer.close()
    row = row_of("trading_order", order["orderId"])
    assert (row["status"], row["average_price"]) == ("EXECUTED", Decimal("100.00"))


def test_a_last_price_alone_matches_too_and_is_answered_as_ever(client, headers_for, trader, put, place, sent):
    put(("100.00", "101.00", "100.50"))
    opened(place(trader, price="100.00"))
    sent.clear()
    quotes = {"quotes": [{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "99.00"}]}
    answer = client.put("/api/market/quotes", json=quotes, headers=headers_for("feed"))
    assert (answer.status_code, answer.data) == (204, b"")
    assert len(sent) == 1
    assert one("SELECT count(*) FROM trading_order WHERE matched_at IS NOT NULL") == 1
