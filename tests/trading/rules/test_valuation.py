"""Unrealised profit."""

import pytest

from tests.support.trading import money
from trading.rules.valuation import total_unrealized_pnl, unrealized_pnl


@pytest.mark.parametrize(
    ("quantity", "cost", "last_price", "profit"),
    [
        (10, "1000.00", "101.00", "10.00"),
        (10, "1000.00", "99.99", "-0.10"),
        (-10, "1000.00", "99.00", "10.00"),
        (-10, "1000.00", "100.01", "-0.10"),
        (3, "100.00", "33.33", "-0.01"),
        (0, "0.00", "50.00", "0.00"),
    ],
)
def test_a_position_is_valued_at_the_last_price(quantity, cost, last_price, profit):
    assert unrealized_pnl(quantity, money(cost), money(last_price)) == money(profit)


def test_an_open_position_without_a_price_has_no_value():
    assert unrealized_pnl(10, money("1000.00"), None) is None


def test_a_flat_position_is_worth_nothing_even_without_a_price():
    assert unrealized_pnl(0, money(0), None) == 0


def test_the_total_is_exact_and_leaves_out_positions_without_a_price():
    large = money("999999999.99")
    positions = [(1_000_000, large, large), (-3, money("100.00"), money("33.33")), (5, money("7.00"), None)]
    assert total_unrealized_pnl(positions) == 1_000_000 * large - large + money("0.01")
    assert total_unrealized_pnl([]) == money("0.00")
