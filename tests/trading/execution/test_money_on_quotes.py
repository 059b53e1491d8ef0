"""The money of orders that trade on quotes, from the placement to the fill."""

from decimal import Decimal

import pytest

from tests.support.trading import account_now, execute, ledger_of, order_now, row_of
from tests.trading.execution.market import quote, state
from trading.accounts import administration
from trading.orders import placement
from trading.rules.decision import OrderRequest
from trading.upkeep import verify

D = Decimal
AT_100 = ("99.95", "100.00", "99.98")


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def trader(clean):
    """Return an account with 100,000.00 that trades on quotes."""
    return administration.create_account("Quotes", D("100000.00"), fill_model="QUOTES")["id"]


def place(trader, side, quantity, price=None, *, trigger=None):
    stop, limit = "STOP_" if trigger else "", "LIMIT" if price else "MARKET"
    prices = [None if given is None else D(given) for given in (price, trigger)]
    request = OrderRequest("NSE", "RELIANCE", side, quantity, f"{stop}{limit}", prices[0], trigger_price=prices[1])
    return placement.place_order(trader, request, calendar=None).order


def taken(order):
    return order["blocked_margin"], order["charges"]


def leave(trader, available):
    """Withdraw from an account until it has an available margin."""
    administration.move_funds(trader, "WITHDRAWAL", account_now(trader)["available_margin"] - D(available))


def long_100(trader):
    quote(*AT_100)
    bought = place(trader, "BUY", 100, "100.00")
    execute(bought)
    assert state(bought) == ("EXECUTED", D("100.00"))


def test_a_buy_that_fills_below_its_limit_gets_margin_and_charges_back(trader):
    quote(*AT_100)
    order = place(trader, "BUY", 100, "105.00")
    assert taken(order) == (D("2100.00"), D("4.43"))
    execute(order)
    assert state(order) == ("EXECUTED", D("100.00"))
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("100.00")), ("CHARGES_REFUND", D("0.21"))]
    assert account_now(trader)["available_margin"] == D("97995.78")
    assert order_now(order)["blocked_margin"] == D("2100.00")  # what the placement blocked
    assert order_now(order)["charges"] == D("4.22")


def test_a_stop_that_fills_beyond_its_trigger_pays_for_the_gap(trader):
    long_100(trader)
    order = place(trader, "SELL", 100, trigger="95.00")
    assert taken(order) == (0, D("6.10"))
    assert execute(order).opened == 1
    assert quote("89.90", "90.00", "90.00").matched == 1
    execute(order)
    assert state(order) == ("EXECUTED", D("89.90"))
    assert ledger_of(order)[1:] == [
        ("LOSS", D("1010.00")),
        ("MARGIN_RELEASE", D("2000.00")),
        ("CHARGES_REFUND", D("0.32")),
    ]
    assert order_now(order)["charges"] == D("5.78")


def short_at_110(trader):
    """Place a SELL that opens a short above its limit; the bid rises before a worker looks at it."""
    quote("110.00", "110.10", "110.05")
    order = place(trader, "SELL", 100, "100.00")
    assert order["blocked_margin"] == D("2200.00")
    quote("111.00", "111.10", "111.05")
    return order


def test_a_short_that_fills_higher_than_was_assumed_blocks_the_difference(trader):
    order = short_at_110(trader)
    execute(order)
    assert state(order) == ("EXECUTED", D("111.00"))
    more = order_now(order)["charges"] - order["charges"]
    assert ledger_of(order)[2:] == [("MARGIN_BLOCK", D("20.00")), ("CHARGES", more)]


def test_a_short_that_fills_at_its_limit_was_reserved_at_the_bid(trader):
    quote("110.00", "110.10", "110.05")
    order = place(trader, "SELL", 100, "100.00")
    quote("100.00", "100.10", "100.05")
    execute(order)
    assert state(order) == ("EXECUTED", D("100.00"))
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("200.00")), ("CHARGES_REFUND", D("0.64"))]
    assert order_now(order)["charges"] == order["charges"] - D("0.64")


def test_a_short_that_fills_higher_needs_the_difference_to_the_last_paisa(trader):
    order = short_at_110(trader)
    leave(trader, D("20.00"))  # but not the difference of the charges
    assert execute(order).rejected == 1
    assert order_now(order)["rejection_reason"] == "insufficient_margin"
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("2200.00")), ("CHARGES_REFUND", order["charges"])]
    again = short_at_110(trader)
    administration.move_funds(trader, "DEPOSIT", D("0.06"))  # now 20.06 are left
    execute(again)
    assert state(again) == ("EXECUTED", D("111.00"))
    assert order_now(again)["charges"] - again["charges"] == D("0.06")
    assert account_now(trader)["available_margin"] == 0


def test_a_matched_order_is_rejected_if_its_fill_is_no_longer_covered(trader):
    quote("99.00", "99.20", "99.10")
    order = place(trader, "BUY", 100, trigger="100.00")
    execute(order)
    leave(trader, D("10.00"))
    quote("104.90", "105.00", "105.00")  # a gap: 100.00 more margin than the trigger needed
    assert execute(order).rejected == 1
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("2000.00")), ("CHARGES_REFUND", order["charges"])]


def test_a_resting_flip_frees_its_margin_when_it_fills(trader):
    long_100(trader)
    leave(trader, D("100.00"))
    order = place(trader, "SELL", 150, "110.00")
    assert (order["closing_quantity"], order["blocked_margin"]) == (100, 0)
    execute(order)
    assert account_now(trader)["blocked_margin"] == D("2000.00")
    quote("110.00", "110.10", "110.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("110.00"))
    assert ledger_of(order)[1:] == [("PROFIT", D("1000.00")), ("MARGIN_RELEASE", D("900.00"))]
    position = row_of("position", order_now(order)["position_id"])
    assert (position["quantity"], position["blocked_margin"]) == (-50, D("1100.00"))


def test_a_resting_order_promises_what_it_closes(trader):
    long_100(trader)
    first = place(trader, "SELL", 60, "110.00")
    execute(first)
    second = place(trader, "SELL", 60, "110.00")
    assert (order_now(first)["status"], second["closing_quantity"]) == ("OPEN", 40)
    # 20 open at 110.00 and need 440.00; closing 40 of the 100 frees 800.00.
    assert second["blocked_margin"] == 0
