"""Kite's positions and holdings, and conversions."""

from decimal import Decimal

import pytest

from tests.support.kite import kite_headers
from tests.support.market_clock import clock
from tests.support.trading import cancel, execute_orders, hold, one, rows, run, sell

CNC = {"product": "DELIVERY"}
CONVERSION = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "position_type": "day",
    "quantity": "4",
    "old_product": "MIS",
    "new_product": "CNC",
}


__all__ = ["clock"]


@pytest.fixture
def begin_day(clock):
    """Return a function that sets the market's clock to the morning of a day of November 2026."""
    return lambda day: clock(f"2026-11-{day:02} 10:00")


@pytest.fixture
def trader(begin_day, account):
    begin_day(2)
    return account()


@pytest.fixture
def read(client, trader):
    def get(path):
        answer = client.get(f"/portfolio/{path}", headers=kite_headers(trader.token))
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        return answer.get_json()["data"]

    return get


@pytest.fixture
def convert(client, trader):
    def put(**changes):
        return client.put("/portfolio/positions", data=CONVERSION | changes, headers=kite_headers(trader.token))

    return put


@pytest.fixture
def priced(client, headers_for):
    feed = headers_for("feed")

    def put(last, close, symbol="RELIANCE"):
        quote = {"exchange": "NSE", "symbol": symbol, "lastPrice": last, "previousClose": close}
        assert client.put("/api/market/quotes", json={"quotes": [quote]}, headers=feed).status_code == 200

    return put


def refused(answer, error_type, message):
    assert (answer.status_code, answer.get_json()["error_type"]) == (400, error_type)
    assert message in answer.get_json()["message"]


def test_a_position_has_the_29_keys_and_their_types(read, trader, priced):
    hold(trader.id, "BUY", 10, "100.00")
    execute_orders([sell(trader.id, 4, "103.00")["id"]])
    priced("102.00", "99.00")
    positions = read("positions")
    (net,) = positions["net"]
    assert positions["day"] == [net]
    assert len(net) == 29
    assert net == {
        "tradingsymbol": "RELIANCE",
        "exchange": "NSE",
        "instrument_token": one("SELECT instrument_token FROM stock WHERE symbol = 'RELIANCE'"),
        "product": "MIS",
        "quantity": 6,
        "overnight_quantity": 0,
        "multiplier": 1,
        "average_price": 100.0,
        "close_price": 99.0,
        "last_price": 102.0,
        "value": -588.0,
        "pnl": 24.0,
        "m2m": 24.0,
        "unrealised": 24.0,
        "realised": 0,
        "buy_quantity": 10,
        "buy_price": 100.0,
        "buy_value": 1000.0,
        "buy_m2m": 1000.0,
        "sell_quantity": 4,
        "sell_price": 103.0,
        "sell_value": 412.0,
        "sell_m2m": 412.0,
        "day_buy_quantity": 10,
        "day_buy_price": 100.0,
        "day_buy_value": 1000.0,
        "day_sell_quantity": 4,
        "day_sell_price": 103.0,
        "day_sell_value": 412.0,
    }
    for name, value in net.items():
        is_whole = name.endswith("quantity") or name in ("multiplier", "instrument_token", "realised")
        assert isinstance(value, str | (int if is_whole else float))


def test_a_position_that_was_closed_today_stays_until_tomorrow(read, trader, begin_day):
    hold(trader.id, "BUY", 10, "100.00")
    execute_orders([sell(trader.id, 10, "98.00")["id"]])
    for name in ("net", "day"):
        (position,) = read("positions")[name]
        assert [position[key] for key in ("quantity", "average_price", "pnl", "m2m")] == [0, 0, -20, -20]
    begin_day(3)
    assert read("positions") == {"net": [], "day": []}


def test_a_carried_position_is_in_net_and_its_trades_are_in_day(read, trader, priced, begin_day):
    hold(trader.id, "BUY", 10, "100.00")
    begin_day(3)
    priced("104.00", "101.00")
    assert [len(read("positions")[name]) for name in ("net", "day")] == [1, 0]
    hold(trader.id, "SELL", 4, "105.00")
    (net,), (day,) = (read("positions")[name] for name in ("net", "day"))
    names = ("quantity", "overnight_quantity", "average_price", "buy_value", "buy_m2m", "sell_value", "pnl", "m2m")
    assert [net[name] for name in names] == [6, 10, 100, 1000, 1010, 420, 44, 34]
    assert [day[name] for name in names] == [-4, 0, 105, 0, 0, 420, 4, 4]


def test_a_carried_position_that_was_closed_remembers_its_cost(read, trader, priced, begin_day):
    hold(trader.id, "SELL", 10, "100.00")
    begin_day(3)
    priced("95.00", "99.00")
    hold(trader.id, "BUY", 10, "96.00")
    (net,) = read("positions")["net"]
    names = ("quantity", "overnight_quantity", "sell_value", "buy_value", "pnl", "m2m")
    assert [net[name] for name in names] == [0, -10, 1000, 960, 40, 30]


def test_the_profit_of_an_earlier_day_is_not_of_this_day(read, trader, priced, begin_day):
    hold(trader.id, "BUY", 10, "100.00")
    hold(trader.id, "SELL", 2, "150.00")
    begin_day(3)
    priced("105.00", "102.00")
    hold(trader.id, "SELL", 3, "106.00")
    (net,) = read("positions")["net"]
    assert [net[name] for name in ("quantity", "overnight_quantity", "buy_value", "pnl")] == [5, 8, 800, 43]


def test_a_delivery_is_a_position_on_its_day_and_a_holding_afterwards(read, trader, priced, begin_day):
    hold(trader.id, "BUY", 10, "1000.00", **CNC)
    priced("1010.00", "990.00")
    (position,) = read("positions")["net"]
    assert [position[name] for name in ("product", "quantity", "overnight_quantity", "pnl")] == ["CNC", 10, 0, 100]
    assert read("holdings") == []
    begin_day(3)
    assert read("positions") == {"net": [], "day": []}
    (holding,) = read("holdings")
    quantities = ("quantity", "t1_quantity", "used_quantity", "opening_quantity", "realised_quantity")
    assert [holding[name] for name in quantities] == [0, 10, 0, 10, 0]
    begin_day(4)
    run("UPDATE stock SET isin = 'INE002A01018' WHERE symbol = 'RELIANCE'")
    (holding,) = read("holdings")
    assert [holding[name] for name in quantities] == [10, 0, 0, 10, 10]
    assert holding == {
        "tradingsymbol": "RELIANCE",
        "exchange": "NSE",
        "instrument_token": one("SELECT instrument_token FROM stock"),
        "isin": "INE002A01018",
        "product": "CNC",
        "price": 0,
        "quantity": 10,
        "used_quantity": 0,
        "t1_quantity": 0,
        "realised_quantity": 10,
        "authorised_quantity": 0,
        "authorised_date": "2026-11-04 00:00:00",
        "authorisation": {},
        "opening_quantity": 10,
        "short_quantity": 0,
        "collateral_quantity": 0,
        "collateral_type": "",
        "discrepancy": False,
        "average_price": 1000,
        "last_price": 1010,
        "close_price": 990,
        "pnl": 100,
        "day_change": 20,
        "day_change_percentage": pytest.approx(100 * 20 / 990),
        "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
    }


def test_a_sold_holding_is_used_and_a_negative_position_until_the_day_is_over(read, trader, priced, begin_day):
    hold(trader.id, "BUY", 10, "1000.00", **CNC)
    begin_day(5)
    priced("1040.00", "1020.00")
    hold(trader.id, "SELL", 4, "1050.00", **CNC)
    (position,), (holding,) = read("positions")["net"], read("holdings")
    names = ("quantity", "average_price", "sell_value", "value", "pnl", "m2m")
    assert [position[name] for name in names] == [-4, 1050, 4200, 4200, 40, 40]
    names = ("quantity", "t1_quantity", "used_quantity", "average_price", "pnl")
    assert [holding[name] for name in names] == [10, 0, 4, 1000, 400]
    books = rows("SELECT realized_pnl, quantity * 1040 - cost AS unrealized FROM position")[0]
    assert Decimal(str(position["pnl"] + holding["pnl"])) == books["realized_pnl"] + books["unrealized"]
    begin_day(6)
    assert read("positions")["net"] == []
    assert [holding["quantity"] for holding in read("holdings")] == [6]


def test_without_prices_nothing_is_lost(read, trader, begin_day):
    hold(trader.id, "BUY", 8, "1000.00", **CNC)
    begin_day(5)
    hold(trader.id, "BUY", 2, "1010.00", **CNC)
    (position,), (holding,) = read("positions")["net"], read("holdings")
    names = ("last_price", "close_price", "pnl", "average_price")
    assert [position[name] for name in names] == [1010, 0, 0, 1010]
    assert [holding[name] for name in names] == [1000, 0, 0, 1000]


def test_holdings_have_a_summary_and_a_short_form(read, trader, priced, begin_day):
    assert set(read("holdings/summary").values()) == {0}
    hold(trader.id, "BUY", 10, "1000.00", **CNC)
    begin_day(5)
    priced("1040.00", "1020.00")
    assert read("holdings/compact") == [
        {
            "exchange": "NSE",
            "tradingsymbol": "RELIANCE",
            "instrument_token": one("SELECT instrument_token FROM stock"),
            "t1_quantity": 0,
            "quantity": 10,
        }
    ]
    assert read("holdings/summary") == {
        "total_pnl": 400,
        "total_pnl_percent": 4,
        "today_pnl": 200,
        "today_pnl_percent": pytest.approx(100 * 200 / 10200),
        "invested_amount": 10000,
        "current_value": 10400,
    }


def test_holdings_need_no_authorisation(client, trader):
    answer = client.post("/portfolio/holdings/authorise", headers=kite_headers(trader.token))
    assert len(answer.get_json()["data"]["request_id"]) == 32


def test_shares_are_converted_to_the_other_product(convert, read, trader):
    hold(trader.id, "BUY", 10, "100.00")
    answer = convert()
    assert (answer.status_code, answer.get_json()) == (200, {"status": "success", "data": True})
    assert {position["product"]: position["quantity"] for position in read("positions")["net"]} == {"MIS": 6, "CNC": 4}
    assert convert(old_product="CNC", new_product="MIS", quantity="4.0").get_json()["data"] is True
    found = {position["product"]: position["quantity"] for position in read("positions")["net"]}
    assert {product: quantity for product, quantity in found.items() if quantity} == {"MIS": 10}


def test_carried_shares_that_became_a_delivery_are_a_holding_and_not_sold(convert, read, trader, begin_day):
    hold(trader.id, "BUY", 10, "100.00")
    begin_day(3)
    assert convert(quantity="10", position_type="overnight").get_json()["data"] is True
    assert read("positions")["net"] == []
    (holding,) = read("holdings")
    assert [holding[name] for name in ("quantity", "used_quantity", "average_price")] == [10, 0, 100]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": "11"}, "At most 10 shares may be converted"),
        ({"quantity": "0"}, "Invalid `quantity`."),
        ({"quantity": "1.5"}, "Invalid `quantity`."),
        ({"quantity": ""}, "`quantity`"),
        ({"transaction_type": "SELL"}, "At most 0 shares may be converted"),
        ({"old_product": "CNC", "new_product": "MIS", "position_type": "overnight"}, "At most 0 shares"),
        ({"old_product": "CNC", "new_product": "MIS"}, "no such position"),
        ({"new_product": "MIS"}, "Invalid `new_product`."),
        ({"new_product": "NRML"}, "Invalid `new_product`."),
        ({"position_type": "carried"}, "Invalid `position_type`."),
        ({"tradingsymbol": "INFY"}, "no such position"),
        ({"exchange": "NFO"}, "Invalid `exchange`."),
    ],
)
def test_a_conversion_that_is_not_possible_is_refused(convert, trader, changes, message):
    hold(trader.id, "BUY", 10, "100.00")
    refused(convert(**changes), "InputException", message)
    assert one("SELECT count(*) FROM position_change") == 0


def test_a_conversion_that_is_not_covered_is_a_margin_exception(convert, trader):
    hold(trader.id, "BUY", 10, "400000.00")
    refused(convert(), "MarginException", "Insufficient funds. Required margin is 1280000.00 but available margin is")


def test_the_profits_do_not_change_by_a_conversion(convert, read, trader, priced):
    hold(trader.id, "BUY", 10, "100.00")
    hold(trader.id, "SELL", 5, "110.00")
    priced("112.00", "99.00")
    before = sum(position["pnl"] for position in read("positions")["net"])
    assert convert(quantity="3").status_code == 200
    assert sum(position["pnl"] for position in read("positions")["net"]) == pytest.approx(before)


def test_a_conversion_does_not_change_the_cost_of_a_holding(convert, read, trader, priced, begin_day):
    hold(trader.id, "BUY", 10, "100.00", **CNC)
    begin_day(3)
    hold(trader.id, "BUY", 10, "200.00", **CNC)
    priced("210.00", "190.00")
    assert convert(quantity="5", old_product="CNC", new_product="MIS").status_code == 200
    assert [holding["average_price"] for holding in read("holdings")] == [100]
    net = {position["product"]: (position["quantity"], position["pnl"]) for position in read("positions")["net"]}
    assert net == {"CNC": (5, 50), "MIS": (5, 50)}
    hold(trader.id, "SELL", 3, "220.00")
    assert convert(quantity="1").status_code == 200
    assert [holding["average_price"] for holding in read("holdings")] == [100]
    assert sum(position["pnl"] for position in read("positions")["net"]) == 130


def test_another_account_sees_nothing_of_it(client, account, trader):
    hold(trader.id, "BUY", 10, "100.00")
    other = kite_headers(account().token)
    assert client.get("/portfolio/positions", headers=other).get_json()["data"] == {"net": [], "day": []}
    refused(client.put("/portfolio/positions", data=CONVERSION, headers=other), "InputException", "no such position")


def test_a_cancelled_order_makes_no_position(read, trader):
    order = sell(trader.id, 10, "100.00")
    cancel(order)
    assert read("positions") == {"net": [], "day": []}
