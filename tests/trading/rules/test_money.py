"""Rounding and proportions."""

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.money import ZERO, average_price, proportion, rounded

AMOUNTS = st.decimals(min_value=0, max_value=Decimal("1e15"), places=2)


@pytest.mark.parametrize(
    ("exact", "paise"),
    [("0.005", "0.01"), ("0.004999", "0.00"), ("2.675", "2.68"), ("2.665", "2.67"), ("1", "1.00"), ("-0.005", "-0.01")],
)
def test_half_a_paisa_rounds_away_from_zero(exact, paise):
    assert str(rounded(Decimal(exact))) == paise


def test_zero_is_zero_paise():
    assert str(ZERO) == "0.00"


def exact_proportion(amount: Decimal, part: int, whole: int) -> Decimal:
    share = Fraction(amount) * part / whole * 100
    return Decimal(int(share + Fraction(1, 2))).scaleb(-2)


@given(AMOUNTS, st.integers(1, 10**12), st.data())
def test_a_proportion_is_the_exact_fraction_rounded_half_up(amount, whole, data):
    part = data.draw(st.integers(0, whole))
    result = proportion(amount, part, whole)
    assert result == exact_proportion(amount, part, whole)
    assert result.as_tuple().exponent == -2


@given(AMOUNTS, st.integers(1, 10**12))
def test_the_proportion_of_the_whole_is_everything_and_of_zero_is_nothing(amount, whole):
    assert proportion(amount, whole, whole) == amount
    assert proportion(amount, 0, whole) == 0


@pytest.mark.parametrize(("amount", "part", "whole", "expected"), [("0.01", 1, 2, "0.01"), ("0.10", 1, 3, "0.03")])
def test_a_half_paisa_of_a_proportion_rounds_up(amount, part, whole, expected):
    assert proportion(Decimal(amount), part, whole) == Decimal(expected)


def test_a_proportion_is_not_rounded_twice():
    # 0.4999…95 of a paisa: a decimal division of 28 digits would round it to a half, and that up.
    amount, whole = Decimal("0.01"), 2 * 10**29
    assert proportion(amount, whole // 2 - 1, whole) == 0


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=7))
def test_rounding_is_the_nearest_paisa(exact):
    assert abs(rounded(exact) - exact) <= Decimal("0.005")
    assert rounded(exact) == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


@pytest.mark.parametrize(
    ("cost", "quantity", "average"),
    [("100.00", 4, "25.00"), ("100.00", -4, "25.00"), ("100.00", 3, "33.33"), ("0.05", 2, "0.03"), ("7.00", 1, "7.00")],
)
def test_the_average_price_is_of_one_share_long_or_short(cost, quantity, average):
    assert str(average_price(Decimal(cost), quantity)) == average


def test_a_flat_position_has_no_average_price():
    assert average_price(ZERO, 0) is None
