"""An executed order is charged for its own turnover by the rates of the day on which it executes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.sessions import PLAIN_CLOCK
from tests.support.trading import account_now, buy, execute, hold, ledger_of, one, order_now, rows, run, sell
from trading.accounts import administration
from trading.matching import feed
from trading.rules import charges
from trading.rules.sessions import INDIAN_TIME
from trading.upkeep import verify

D = Decimal


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def price_is(price):
    feed.set_quotes([("NSE", "RELIANCE", D(price))])


def charges_at(order, price, day=None):
    """Return the charges of an order at a price, by the rates of a day."""
    return charges.charges_for(
        exchange="NSE",
        product=order["product"],
        side=order["side"],
        turnover=D(price) * order["quantity"],
        on=day or order["placed_at"].astimezone(INDIAN_TIME).date(),
    )


@pytest.mark.parametrize(
    ("price", "kind"), [("150.00", "CHARGES"), ("50.00", "CHARGES_REFUND"), ("100.01", None), ("100.00", None)]
)
@pytest.mark.parametrize("place", [buy, sell])
def test_a_fill_at_another_price_posts_the_difference_of_its_charges(trader, place, price, kind):
    price_is("100.00")
    order = place(trader, 100)
    price_is(price)
    execute(order)
    done, final = order_now(order), charges_at(order, price)
    difference = final.total - order["charges"]
    posted = [entry for entry in ledger_of(order)[2:] if entry[0].startswith("CHARGES")]
    assert posted == ([(kind, abs(difference))] if kind else [])
    assert (done["charges"], done["charge_items"]) == (final.total, final.as_dict())
    assert order["charges"] == charges_at(order, "100.00").total


def test_the_row_of_the_charges_comes_last_and_names_the_position(trader):
    hold(trader, "BUY", 100, "100.00")
    price_is("100.00")
    order = sell(trader, 100)
    price_is("90.00")
    execute(order)
    found = rows("SELECT kind, position_id FROM fund_transaction WHERE order_id = %s ORDER BY id", order["id"])
    assert [row["kind"] for row in found] == ["CHARGES", "LOSS", "MARGIN_RELEASE", "CHARGES_REFUND"]
    assert {row["position_id"] for row in found} == {order_now(order)["position_id"]}


def test_the_event_of_an_execution_has_the_final_charges(trader):
    price_is("100.00")
    order = buy(trader, 100)
    price_is("150.00")
    execute(order)
    assert one("SELECT data ->> 'charges' FROM event WHERE type = 'order.executed'") == str(order_now(order)["charges"])


def test_charges_alone_may_be_what_an_order_that_opens_cannot_pay(account):
    price_is("10000.00")
    trader = account("100000.00").id
    order = buy(trader, 1, product="DELIVERY")
    needed = charges_at(order, "10100.00").total - order["charges"] + D("100.00")
    administration.move_funds(trader, "WITHDRAWAL", account_now(trader)["available_margin"] - needed + D("0.01"))
    before = account_now(trader)
    price_is("10100.00")
    assert execute(order).rejected == 1
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("10000.00")), ("CHARGES_REFUND", order["charges"])]
    after = account_now(trader)
    assert after["balance"] == before["balance"] + order["charges"]
    assert order_now(order)["charges"] == order["charges"]


def test_an_order_that_only_closes_pays_more_charges_than_it_has(account):
    trader = account("250000.00").id
    hold(trader, "SELL", 1000, "1.00")
    price_is("1.00")
    order = buy(trader, 1000)
    price_is("10000.00")
    assert execute(order).executed == 1
    assert order_now(order)["charges"] > order["charges"]
    assert account_now(trader)["available_margin"] < 0


@pytest.fixture
def rates_change(monkeypatch, clean):
    """Return a function that lets the exchange charge be 1 % from a number of days on, counted from today."""
    today = one("SELECT (market_now() AT TIME ZONE 'Asia/Kolkata')::date")
    (usual,) = charges.SCHEDULES

    def change(in_days):
        fees = dict.fromkeys(usual.exchange_charge, charges.PERCENT)
        changed = replace(usual, effective_from=today + timedelta(days=in_days), exchange_charge=fees)
        monkeypatch.setattr(charges, "SCHEDULES", (usual, changed))
        return today

    return change


def test_an_order_of_yesterday_is_charged_by_the_rates_of_today(trader, rates_change):
    order = buy(trader, 100, "100.00")
    today = rates_change(in_days=0)
    run("UPDATE trading_order SET placed_at = placed_at - interval '1 day' WHERE id = %s", order["id"])
    execute(order)
    final = charges_at(order, "100.00", today)
    assert final.exchange_charge == D("100.00")
    assert ledger_of(order)[2:] == [("CHARGES", final.total - order["charges"])]
    assert order_now(order)["charge_items"] == final.as_dict()


def test_the_day_of_an_execution_is_that_of_the_databases_clock(trader, rates_change):
    order = buy(trader, 100, "100.00")
    today = rates_change(in_days=1)
    run(
        "CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql"
        " AS $$SELECT clock_timestamp() + interval '1 day'$$"
    )
    try:
        execute(order)
    finally:
        run(PLAIN_CLOCK)
    assert order_now(order)["charges"] == charges_at(order, "100.00", today + timedelta(days=1)).total > 100


def test_the_plain_order_computes_no_charges(trader, monkeypatch):
    order = buy(trader, 100, "100.00")
    monkeypatch.setattr("trading.execution.final_charges.charges_for", lambda **_: pytest.fail("computed"))
    assert execute(order).executed == 1
    done = order_now(order)
    assert (done["charges"], done["charge_items"]) == (order["charges"], order["charge_items"])
