"""The sums of holdings; the numbers are those of Kite Connect's documentation."""

from decimal import Decimal

import pytest

from trading.rules.day_positions import Prices
from trading.rules.holdings import CarriedHolding, HoldingsSummary, summed


def test_the_documented_summary() -> None:
    summary = HoldingsSummary(Decimal("41044.40405"), Decimal("47842.64"), Decimal("-76.80"))
    found = (summary.pnl, summary.pnl_percentage, summary.day_percentage)
    assert [float(value) for value in found] == pytest.approx([6798.23595, 16.56312500412587, -0.16026898477945])


def test_holdings_without_prices_are_worth_their_cost() -> None:
    priced = CarriedHolding(8, 2, 0, Decimal("1000.00"), Prices(Decimal("110.00"), Decimal("108.00")))
    unpriced = CarriedHolding(1, 0, 0, Decimal("50.00"), Prices())
    assert summed([priced, unpriced]) == HoldingsSummary(Decimal("1050.00"), Decimal("1150.00"), Decimal("20.00"))
    assert (unpriced.last_price, unpriced.pnl, unpriced.day_change_percentage) == (50, 0, 0)


def test_no_holdings_have_no_percentages() -> None:
    summary = summed([])
    assert (summary.pnl, summary.pnl_percentage, summary.day_percentage) == (0, 0, 0)
