"""Positions and closing them."""

import pytest

from tests.support.identifiers import NOT_THERE
from tests.support.trading import execute_orders, one


@pytest.fixture
def trader(account):
    """Return an account with a token."""
    return account("10000000.00")


@pytest.fixture
def fill(place, trader):
    """Return a function that places an order and executes it."""

    def make(**body):
        response = place(trader, **body)
        execute_orders([response.get_json()["orderId"]])
        return response.get_json()["orderId"]

    return make


@pytest.fixture
def positions(client, trader):
    """Return a function that lists the positions."""
    return lambda query="": client.get(f"/api/trading/positions?{query}", headers=trader.headers).get_json()


@pytest.fixture
def close(client, trader):
    """Return a function that closes a position."""

    def make(position_id, **request):
        return client.post(f"/api/trading/positions/{position_id}/close", headers=trader.headers, **request)

    return make


def test_a_position_is_listed_with_its_unrealised_profit(positions, fill, trader, quote):
    fill(quantity=10, price="100.00")
    fill(quantity=20, price="100.01")
    quote("RELIANCE", "110.00")
    (position,) = positions()["data"]
    assert position == {
        "positionId": position["positionId"],
        "tradingAccountId": str(trader.id),
        "stockId": position["stockId"],
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "product": "INTRADAY",
        "quantity": 30,
        "averagePrice": "100.01",  # 3000.20 / 30 = 100.00666…
        "realizedPnl": "0.00",
        "unrealizedPnl": "299.80",
        "blockedMargin": "600.04",
        "lastPrice": "110.00",
        "overnightQuantity": 0,
        "dayBuyQuantity": 30,
        "dayBuyValue": "3000.20",
        "daySellQuantity": 0,
        "daySellValue": "0.00",
        "dayPnl": "299.80",
        "updatedAt": position["updatedAt"],
    }


def test_an_average_price_is_rounded_half_up(positions, fill):
    fill(quantity=1, price="100.00")
    fill(quantity=1, price="100.01")
    assert positions()["data"][0]["averagePrice"] == "100.01"


def test_a_short_position_gains_when_the_price_falls(client, positions, fill, trader, quote):
    fill(side="SELL", quantity=10, price="100.00")
    quote("RELIANCE", "90.00")
    (position,) = positions()["data"]
    assert (position["quantity"], position["averagePrice"], position["unrealizedPnl"]) == (-10, "100.00", "100.00")
    assert client.get("/api/trading/account", headers=trader.headers).get_json()["unrealizedPnl"] == "100.00"


def test_without_a_price_the_unrealised_profit_is_null(client, positions, fill, trader):
    fill(quantity=10, price="100.00")
    (position,) = positions()["data"]
    assert (position["lastPrice"], position["unrealizedPnl"]) == (None, None)
    assert client.get("/api/trading/account", headers=trader.headers).get_json()["unrealizedPnl"] == "0.00"


def test_a_flat_position_stays_listed(positions, fill):
    fill(quantity=10, price="100.00")
    fill(side="SELL", quantity=10, price="101.00")
    (position,) = positions()["data"]
    assert (position["quantity"], position["averagePrice"], position["unrealizedPnl"]) == (0, None, "0.00")
    assert position["realizedPnl"] == "10.00"
    assert position["blockedMargin"] == "0.00"


def test_positions_are_listed_newest_first_page_by_page(positions, fill):
    for symbol in ("AAA", "BBB", "CCC"):
        fill(symbol=symbol)
    first = positions("limit=2")
    assert [position["symbol"] for position in first["data"]] == ["CCC", "BBB"]
    second = positions(f"limit=2&cursor={first['nextCursor']}")
    assert [position["symbol"] for position in second["data"]] == ["AAA"]
    assert second["nextCursor"] is None


@pytest.mark.parametrize(("side", "opposite"), [("BUY", "SELL"), ("SELL", "BUY")])
def test_closing_places_the_opposite_market_order(positions, fill, close, quote, side, opposite):
    fill(side=side, quantity=10)
    quote("RELIANCE", "105.00")
    response = close(positions()["data"][0]["positionId"])
    order = response.get_json()["order"]
    assert response.status_code == 202
    assert response.headers["Location"].endswith(order["orderId"])
    assert "place;dur=" in response.headers["Server-Timing"]
    assert (order["side"], order["orderType"], order["quantity"]) == (opposite, "MARKET", 10)
    assert order["blockedMargin"] == "0.00"
    execute_orders([order["orderId"]])
    assert positions()["data"][0]["quantity"] == 0


def test_only_the_quantity_that_is_not_promised_is_closed(positions, fill, close, place, trader, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    position_id = positions()["data"][0]["positionId"]
    place(trader, side="SELL", quantity=4)
    assert close(position_id).get_json()["order"]["quantity"] == 6
    response = close(position_id)
    assert (response.status_code, response.get_json()["code"]) == (409, "nothing_to_close")


def test_a_part_of_a_position_is_closed(positions, fill, close, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    position_id = positions()["data"][0]["positionId"]
    order = close(position_id, json={"quantity": 4}).get_json()["order"]
    assert (order["side"], order["quantity"], order["orderType"]) == ("SELL", 4, "MARKET")
    execute_orders([order["orderId"]])
    assert positions()["data"][0]["quantity"] == 6


def test_no_more_is_closed_than_is_open_and_not_promised(positions, fill, close, place, trader, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    position_id = positions()["data"][0]["positionId"]
    resting = place(trader, side="SELL", quantity=4).get_json()["orderId"]
    refused = close(position_id, json={"quantity": 7})
    assert (refused.status_code, refused.get_json()["code"], refused.get_json()["closable"]) == (409, "not_closable", 6)
    closed = close(position_id, json={"quantity": 7, "cancelOpenOrders": True})
    assert closed.get_json()["order"]["quantity"] == 7
    assert one("SELECT status FROM trading_order WHERE id = %s", resting) == "CANCELLED"


@pytest.mark.parametrize("quantity", [0, -1, "1", 1.0, True, 1_000_001])
def test_a_quantity_to_close_is_a_whole_number_of_one_order(positions, fill, close, quote, quantity):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    response = close(positions()["data"][0]["positionId"], json={"quantity": quantity})
    assert set(response.get_json()["errors"]) == {"quantity"}


def test_a_retried_close_with_its_key_closes_once(client, positions, fill, trader, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    path = f"/api/trading/positions/{positions()['data'][0]['positionId']}/close"
    headers = trader.headers | {"Idempotency-Key": "half"}
    first, again = (client.post(path, json={"quantity": 5}, headers=headers) for _ in range(2))
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.get_json() == again.get_json()
    other = client.post(path, json={"quantity": 4}, headers=headers)
    assert other.get_json()["code"] == "idempotency_conflict"


def test_a_flat_position_has_nothing_to_close(positions, fill, close, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    fill(side="SELL", quantity=10)
    assert close(positions()["data"][0]["positionId"]).get_json()["code"] == "nothing_to_close"


def test_closing_takes_no_body_or_an_empty_object(positions, fill, close, quote):
    quote("RELIANCE", "100.00")
    fill(quantity=10)
    position_id = positions()["data"][0]["positionId"]
    assert set(close(position_id, json={"price": 1}).get_json()["errors"]) == {"price"}
    assert close(position_id, json=[]).status_code == 422
    assert close(position_id, data=b"{", content_type="application/json").get_json()["code"] == "malformed_json"
    assert close(position_id, data=b"x").get_json()["code"] == "unsupported_media_type"
    assert close(position_id, json={}).status_code == 202


def test_closing_needs_a_price(positions, fill, close):
    fill(quantity=10)
    assert close(positions()["data"][0]["positionId"]).get_json()["code"] == "no_price"


@pytest.mark.parametrize("position_id", ["abc", str(NOT_THERE)])
def test_an_unknown_position_is_not_found(close, trader, position_id):
    assert close(position_id).get_json()["code"] == "not_found"


def test_a_position_of_another_account_is_not_found(client, account, positions, fill):
    fill()
    path = f"/api/trading/positions/{positions()['data'][0]['positionId']}/close"
    assert client.post(path, headers=account().headers).get_json()["code"] == "not_found"


def test_an_admin_token_closes_a_position_of_the_account_it_names(client, positions, fill, trader, quote, headers_for):
    quote("RELIANCE", "100.00")
    fill()
    path, admin = f"/api/trading/positions/{positions()['data'][0]['positionId']}/close", headers_for("admin")
    assert set(client.post(path, headers=admin).get_json()["errors"]) == {"tradingAccountId"}
    assert client.post(f"{path}?tradingAccountId={trader.id}", headers=admin).status_code == 202


def test_one_position_is_read_as_the_list_has_it(client, trader, positions, fill, quote):
    fill(quantity=10, price="100.00")
    quote("RELIANCE", "110.00")
    (position,) = positions()["data"]
    read = client.get(f"/api/trading/positions/{position['positionId']}", headers=trader.headers)
    assert (read.status_code, read.get_json()) == (200, position)
    assert client.get(f"/api/trading/positions/{NOT_THERE}", headers=trader.headers).status_code == 404
    assert client.get("/api/trading/positions/close", headers=trader.headers).status_code == 405


def test_positions_are_filtered(positions, fill):
    fill(symbol="A")
    fill(symbol="B", exchange="BSE")
    fill(symbol="C", product="DELIVERY")
    fill(symbol="A", side="SELL")

    def symbols(query):
        return [position["symbol"] for position in positions(query)["data"]]

    assert symbols("") == ["C", "B", "A"]
    assert symbols("open=true") == ["C", "B"]
    assert symbols("open=false") == ["A"]
    assert symbols("open=true&exchange=BSE") == symbols("symbol=b") == ["B"]
    assert symbols("product=CNC") == ["C"]
    for query in ("open=1", "open=", "open=True", "symbol=", "open=true&open=false"):
        assert positions(query)["code"] == "validation_failed", query
