"""The margin, and the part of an order that closes a position."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.margin import blocked_margin_for, closing_quantity, margin_for, signed


@pytest.mark.parametrize(
    ("product", "price", "quantity", "margin"),
    [
        ("INTRADAY", "2500.00", 10, "5000.00"),
        ("DELIVERY", "2500.00", 10, "25000.00"),
        ("INTRADAY", "0.01", 2, "0.00"),
        ("INTRADAY", "0.03", 1, "0.01"),
        ("INTRADAY", "0.02", 1, "0.00"),
        ("INTRADAY", "0.05", 1, "0.01"),
        ("INTRADAY", "10000000.00", 1_000_000, "2000000000000.00"),
        ("DELIVERY", "1.00", 0, "0.00"),
    ],
)
def test_margin_is_a_share_of_turnover_in_paise(product, price, quantity, margin):
    assert str(margin_for(product, Decimal(price), quantity)) == margin


def test_buying_adds_and_selling_subtracts():
    assert (signed("BUY", 7), signed("SELL", 7)) == (7, -7)


@pytest.mark.parametrize(
    ("side", "quantity", "held", "promised", "closing"),
    [
        ("SELL", 10, 0, 0, 0),
        ("SELL", 10, 4, 0, 4),
        ("SELL", 10, 40, 0, 10),
        ("SELL", 10, 10, 10, 0),
        ("SELL", 10, 10, 4, 6),
        ("SELL", 10, 4, 10, 0),
        ("SELL", 10, -4, 0, 0),
        ("BUY", 10, -4, 0, 4),
        ("BUY", 10, -4, 3, 1),
        ("BUY", 10, 4, 0, 0),
    ],
)
def test_an_order_closes_only_the_opposite_holding_that_is_not_promised(side, quantity, held, promised, closing):
    assert closing_quantity(side=side, quantity=quantity, held=held, promised=promised) == closing


@given(st.sampled_from(["BUY", "SELL"]), st.integers(1, 10**6), st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_closing_is_never_more_than_the_order_or_the_opposite_holding(side, quantity, held, promised):
    closing = closing_quantity(side=side, quantity=quantity, held=held, promised=promised)
    opposite = max(0, held if side == "SELL" else -held)
    assert 0 <= closing <= min(quantity, opposite)
    assert closing == 0 or closing + promised <= opposite


@pytest.mark.parametrize(
    ("opening_margin", "closing", "held", "held_margin", "blocked"),
    [
        ("100.00", 10, 10, "200.00", "0.00"),  # long 10 with 200.00 blocked, SELL 15 @ 100.00
        ("500.00", 10, 10, "200.00", "300.00"),
        ("500.00", 10, -10, "200.00", "300.00"),
        ("500.00", 5, 10, "200.00", "400.00"),  # the other half is promised to another order
        ("500.00", 1, 3, "0.02", "499.99"),  # a third of 0.02 is rounded half up
        ("500.00", 0, 10, "200.00", "500.00"),
        ("500.00", 0, 0, "0.00", "500.00"),
        ("0.00", 10, 10, "200.00", "0.00"),
    ],
)
def test_a_flip_blocks_the_margin_of_its_opening_part_less_that_which_it_frees(
    opening_margin, closing, held, held_margin, blocked
):
    result = blocked_margin_for(Decimal(opening_margin), closing=closing, held=held, held_margin=Decimal(held_margin))
    assert str(result) == blocked
