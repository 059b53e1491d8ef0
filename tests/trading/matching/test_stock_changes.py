"""Changes of stocks that are no quotes."""

from decimal import Decimal

from tests.support.deactivation import deactivate_stocks
from tests.support.trading import run
from tests.trading.matching.market import order_of, put, q, rest, stock_now
from trading.matching.stock_changes import ImportedFacts, set_facts

D = Decimal


def facts():
    stock = stock_now()
    return stock["tick_size"], stock["lot_size"], stock["allows_intraday"]


def test_facts_are_set_and_unknown_ones_stay(clean):
    set_facts([ImportedFacts("NSE", "TCS", D("0.05"), 25, False)])
    set_facts([ImportedFacts("NSE", "TCS", None, 50), ImportedFacts("NSE", "TCS")])
    assert facts() == (D("0.05"), 50, False)
    set_facts([])
    assert stock_now()["quote_number"] == 0


def test_facts_of_many_stocks_fit_in_one_call(clean):
    set_facts([ImportedFacts("NSE", f"S{number}", D("0.05")) for number in range(450)])
    assert stock_now("S449")["tick_size"] == D("0.05")


def test_a_deactivated_stock_names_its_resting_orders_and_matches_nothing(trader, stock_id):
    orders = [rest(trader, stock_id, "BUY", "50.00"), rest(trader, stock_id, "BUY", "60.00")]
    matched = rest(trader, stock_id, "BUY", "99.00")
    put(q("98.00", "99.00", "99.00"))
    rest(trader, stock_id, "BUY", "55.00", status="PENDING")
    assert deactivate_stocks([stock_id]) == sorted(orders)
    assert (stock_now()["is_active"], stock_now()["is_usable"]) == (False, False)
    assert order_of(matched)["matched_at"] is not None
    run("UPDATE stock SET is_active = true")
    assert deactivate_stocks([]) == []
