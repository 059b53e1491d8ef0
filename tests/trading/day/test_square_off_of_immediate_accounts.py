"""The square-off of accounts whose orders fill at once: at the last price, without waiting for a quote."""

from decimal import Decimal

import pytest

from tests.support.trading import account_now, execute, ledger_of, one, order_now, place, rows, run
from tests.trading.execution.market import quote
from tests.trading.orders.quotes_account import asked
from tests.trading.orders.quotes_account import place as place_on
from trading.accounts.administration import change_account
from trading.day import conversion, square_off
from trading.orders.placement import place_order
from trading.orders.placement_types import FillSettings
from trading.rules.errors import SquareOffPassed
from trading.upkeep import verify

D = Decimal
BEFORE, DUE, AFTER, NEXT_DAY = "2026-11-02 15:00", "2026-11-02 15:12", "2026-11-02 15:12:40", "2026-11-03 10:00"


@pytest.fixture(autouse=True)
def ledgers_are_right(clock):
    yield
    assert verify.verify() == []


@pytest.fixture(autouse=True)
def at_three(clock, set_up):
    clock(BEFORE)
    quote("99.95", "100.00", "99.98")


@pytest.fixture
def trader(account):
    """Return an account whose orders fill at once, with 100 shares at 100.00."""
    trader = account().id
    execute(place(trader, "BUY", 100, "100.00"))
    return trader


def closing_orders(trader):
    return rows(
        "SELECT * FROM trading_order WHERE account_id = %s AND origin = 'SQUARE_OFF' ORDER BY placed_at", trader
    )


def quantity(trader, product="INTRADAY"):
    return one("SELECT quantity FROM position WHERE account_id = %s AND product = %s", trader, product)


def place_now(trader, side, quantity, time_of_square_off, product="INTRADAY"):
    request = asked(side, quantity, price="100.00", product=product)
    return place_order(trader, request, calendar=None, fills=FillSettings(square_off_time=time_of_square_off)).order


def test_a_position_is_closed_once_at_the_last_price_although_the_quote_is_old(trader, clock, set_up):
    set_up(square_off_fee=D("50.00"))
    clock(DUE)  # the quote is twelve minutes old
    square_off.run_once()
    (closing,) = closing_orders(trader)
    assert (closing["side"], closing["quantity"], closing["order_type"]) == ("SELL", 100, "MARKET")
    assert (closing["status"], closing["average_price"], closing["fill"]) == ("EXECUTED", D("99.98"), None)
    assert (closing["fill_model"], closing["charge_items"]["square_off_fee"]) == ("IMMEDIATE", 50)
    assert closing["client_order_id"] == f"squareoff-2026-11-02-{closing['position_id']}"
    assert ("LOSS", D("2.00")) in ledger_of(closing)
    assert account_now(trader)["blocked_margin"] == D("0.00")
    clock(AFTER)
    assert square_off.run_once()
    assert square_off.run_once()
    assert (len(closing_orders(trader)), quantity(trader)) == (1, 0)


def test_an_order_that_is_on_its_way_is_executed_and_closed_too(trader, clock):
    on_its_way = place(trader, "BUY", 20, "100.00")
    clock(DUE)
    square_off.run_once()
    assert order_now(on_its_way)["status"] == "EXECUTED"
    assert [order["quantity"] for order in closing_orders(trader)] == [120]
    assert quantity(trader) == 0


def test_deliveries_stay(account, clock):
    trader = account().id
    execute(place(trader, "BUY", 10, "100.00", product="DELIVERY"))
    clock(AFTER)
    assert square_off.run_once()
    assert (quantity(trader, "DELIVERY"), closing_orders(trader)) == (10, [])


def test_without_any_price_the_closing_order_waits_for_the_first_one(trader, clock):
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL, usable_number = 0, is_usable = false,"
        " bid_price = NULL, ask_price = NULL")  # fmt: skip
    clock(DUE)
    for _ in range(2):
        square_off.run_once()
    (waiting,) = closing_orders(trader)
    assert (waiting["status"], waiting["fill_model"]) == ("OPEN", "QUOTES")
    quote("101.00", "101.10", "101.05")
    square_off.run_once()
    assert (order_now(waiting)["average_price"], quantity(trader)) == (D("101.00"), 0)


def test_a_missed_day_is_made_up_for_at_the_last_price(trader, clock):
    clock(NEXT_DAY)
    quote("110.00", "110.10", "110.05")
    execute(place(trader, "BUY", 7, "110.00"))  # of the new day: it stays
    assert square_off.run_once()
    (closing,) = closing_orders(trader)
    assert (closing["quantity"], closing["average_price"], quantity(trader)) == (100, D("110.05"), 7)


def test_an_account_that_has_changed_its_fill_model_is_closed(account, clock):
    trader = account().id
    change_account(trader, {"fill_model": "QUOTES"})
    execute(place_on(trader, "BUY", 10, price="100.00"))
    resting = place_on(trader, "SELL", 10, price="120.00")
    execute(resting)
    change_account(trader, {"fill_model": "IMMEDIATE"})
    clock(AFTER)
    square_off.run_once()
    assert (order_now(resting)["end_reason"], quantity(trader)) == ("square_off", 0)


def test_after_the_square_off_an_order_may_only_reduce(trader, clock, set_up):
    at = square_off.settings().square_off_time
    clock(BEFORE)
    place_now(trader, "BUY", 1, at)
    clock(DUE)
    for side, size in (("BUY", 1), ("SELL", 102)):
        with pytest.raises(SquareOffPassed):
            place_now(trader, side, size, at)
    place_now(trader, "SELL", 100, at)
    place_now(trader, "BUY", 1, at, product="DELIVERY")
    place_now(trader, "BUY", 1, None)  # without a square-off nothing is refused


def test_after_the_square_off_nothing_becomes_intraday(account, clock, monkeypatch):
    trader = account().id
    bought = place(trader, "BUY", 10, "100.00", product="DELIVERY")
    execute(bought)
    monkeypatch.setattr(conversion, "settings", square_off.settings)
    clock(DUE)
    with pytest.raises(SquareOffPassed):
        conversion.convert_position(trader, order_now(bought)["position_id"], 10, calendar=None)
