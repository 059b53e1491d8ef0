"""Charges are computed at the rates of the database's day, also by a process with a wrong clock."""

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from runtime.timing import timed
from tests.support.trading import money, one, order_now
from trading.market import stocks
from trading.orders import placement, placement_at_once
from trading.rules import charges
from trading.rules.decision import OrderRequest
from trading.rules.sessions import INDIAN_TIME
from trading.upkeep import verify

AMOUNT = money("10000.00")


@pytest.fixture
def today(clean):
    """Return the day of the charges by the database's clock."""
    return one("SELECT (clock_timestamp() AT TIME ZONE 'Asia/Kolkata')::date")


@pytest.fixture
def rates_of(monkeypatch, today):
    """Set the exchange charge to 1, 2 and 3 % yesterday, today and tomorrow; return a function for a day's charges."""
    (usual,) = charges.SCHEDULES
    schedules = [
        replace(
            usual,
            effective_from=today + timedelta(days=number),
            exchange_charge=dict.fromkeys(usual.exchange_charge, charges.PERCENT * (number + 2)),
        )
        for number in (-1, 0, 1)
    ]
    monkeypatch.setattr(charges, "SCHEDULES", (usual, *schedules))

    def total(day):
        return charges.charges_for(exchange="NSE", product="INTRADAY", side="BUY", turnover=AMOUNT, on=day).total

    return total


def place_in_a_process_of(monkeypatch, trader, days_off):
    """Place an order in a process whose clock is some days off; return its row and its timed steps."""
    stocks.import_stocks([("NSE", "TCS")])  # an order for a stock that does not exist is placed in steps
    moment = datetime.now(INDIAN_TIME) + timedelta(days=days_off)
    monkeypatch.setattr(placement_at_once, "market_clock", SimpleNamespace(now=lambda: moment))
    request = OrderRequest("NSE", "TCS", "BUY", 100, order_type="LIMIT", price=AMOUNT / 100)
    with timed() as watch:
        order = placement.place_order(trader, request, calendar=None).order
    assert order == order_now(order)
    return order, set(watch.steps)


@pytest.mark.parametrize("days_off", [-1, 1])
def test_a_process_with_the_wrong_day_uses_the_rates_of_the_databases_day(
    trader, today, rates_of, monkeypatch, days_off
):
    order, steps = place_in_a_process_of(monkeypatch, trader, days_off)
    assert "session" in steps  # the one statement has no such step
    assert order["charges"] == rates_of(today) != rates_of(today + timedelta(days=days_off))
    assert verify.verify() == []


def test_a_process_with_the_right_day_places_at_once(trader, today, rates_of, monkeypatch):
    order, steps = place_in_a_process_of(monkeypatch, trader, 0)
    assert "session" not in steps
    assert order["charges"] == rates_of(today)
