"""The effect of a fill on a position."""

from dataclasses import FrozenInstanceError, astuple
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.fills import Holding, fill
from trading.rules.margin import margin_for

D = Decimal


def execute(holding, side, quantity, price, *, product="INTRADAY", reserved="0.00"):
    return fill(holding, side=side, product=product, quantity=quantity, price=D(price), reserved_margin=D(reserved))


def long(quantity=10, cost="1000.00", margin="200.00", pnl="0.00"):
    return Holding(quantity, D(cost), D(margin), D(pnl))


def test_a_first_fill_opens_a_position_with_the_margin_reserved_for_it():
    result = execute(Holding(), "BUY", 10, "100.00", reserved="200.00")
    assert (result.closed, result.opened, result.profit, result.margin_change) == (0, 10, 0, 0)
    assert astuple(result.holding) == (10, D("1000.00"), D("200.00"), 0)


def test_a_second_fill_of_the_same_side_adds_to_it():
    result = execute(long(), "BUY", 5, "120.00", reserved="120.00")
    assert (result.closed, result.opened, result.margin_change) == (0, 5, 0)
    assert astuple(result.holding) == (15, D("1600.00"), D("320.00"), 0)


def test_a_sale_of_part_reduces_cost_and_margin_in_proportion():
    result = execute(long(), "SELL", 4, "150.00")
    assert (result.closed, result.opened) == (4, 0)
    assert result.profit == D("200.00")
    assert result.margin_change == D("-80.00")
    assert astuple(result.holding) == (6, D("600.00"), D("120.00"), D("200.00"))


def test_a_sale_of_all_leaves_nothing_but_the_profit():
    result = execute(long(pnl="7.00"), "SELL", 10, "90.00")
    assert result.profit == D("-100.00")
    assert result.margin_change == D("-200.00")
    assert astuple(result.holding) == (0, 0, 0, D("-93.00"))


def test_a_larger_sale_flips_the_position():
    result = execute(long(), "SELL", 15, "110.00", reserved="110.00")
    assert (result.closed, result.opened, result.profit) == (10, 5, D("100.00"))
    assert result.margin_change == D("110.00") - D("200.00") - D("110.00")
    assert astuple(result.holding) == (-5, D("550.00"), D("110.00"), D("100.00"))


def test_a_short_position_profits_from_a_falling_price():
    short = execute(Holding(), "SELL", 10, "100.00", reserved="200.00").holding
    assert astuple(short) == (-10, D("1000.00"), D("200.00"), 0)
    result = execute(short, "BUY", 10, "80.00")
    assert result.profit == D("200.00")
    assert astuple(result.holding) == (0, 0, 0, D("200.00"))


def test_a_short_position_is_added_to_by_selling():
    result = execute(Holding(-10, D("1000.00"), D("200.00")), "SELL", 10, "50.00", reserved="100.00")
    assert astuple(result.holding) == (-20, D("1500.00"), D("300.00"), 0)


def test_proportions_round_half_up_and_the_last_share_takes_the_rest():
    holding = long(3, cost="0.10", margin="0.02")
    costs = []
    for _ in range(3):
        holding = execute(holding, "SELL", 1, "1.00").holding
        costs.append((str(holding.cost), str(holding.blocked_margin)))
    assert costs == [("0.07", "0.01"), ("0.03", "0.00"), ("0.00", "0.00")]


def test_a_fill_at_a_higher_price_needs_more_than_the_reservation():
    assert execute(Holding(), "BUY", 10, "110.00", reserved="200.00").margin_change == D("20.00")


def test_a_fill_at_a_lower_price_needs_less_than_the_reservation():
    assert execute(Holding(), "BUY", 10, "90.00", reserved="200.00").margin_change == D("-20.00")


def test_delivery_blocks_the_whole_cost():
    result = execute(Holding(), "BUY", 10, "100.00", product="DELIVERY", reserved="1000.00")
    assert (result.holding.blocked_margin, result.margin_change) == (D("1000.00"), 0)


TRADES = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 1_000_000), st.decimals("0.01", 10_000_000, places=2)),
    min_size=1,
    max_size=30,
)


@given(TRADES)
def test_any_sequence_of_fills_conserves_money_and_a_flat_position_has_no_cost(trades):
    holding, cash, blocked = Holding(), D(0), D(0)
    total = sum(quantity if side == "BUY" else -quantity for side, quantity, _ in trades)
    if total:  # one more trade makes it flat
        trades = [*trades, ("SELL" if total > 0 else "BUY", abs(total), D("123.45"))]
    for side, quantity, price in trades:
        reserved = margin_for("INTRADAY", price, quantity)
        result = execute(holding, side, quantity, price, reserved=str(reserved))
        blocked += reserved + result.margin_change
        cash += price * quantity * (1 if side == "SELL" else -1)
        holding = result.holding
        assert blocked == holding.blocked_margin
        assert holding.blocked_margin >= 0
        assert (holding.cost == 0) == (holding.quantity == 0)
        # money paid for shares is either the cost of open ones or a realised loss
        assert cash == holding.realized_pnl - holding.cost * (1 if holding.quantity > 0 else -1)
    assert (holding.quantity, holding.cost, holding.blocked_margin) == (0, 0, 0)
    assert holding.realized_pnl == cash


@given(TRADES)
def test_every_fill_closes_or_opens_the_whole_order(trades):
    holding = Holding()
    for side, quantity, price in trades:
        result = execute(holding, side, quantity, price)
        assert result.closed + result.opened == quantity
        assert result.closed == 0 or (holding.quantity > 0) == (side == "SELL")
        assert result.opened == 0 or result.closed in (0, abs(holding.quantity))
        assert result.holding.cost >= D("0.01") * abs(result.holding.quantity)
        holding = result.holding


def test_a_holding_and_a_fill_cannot_be_changed():
    outcome = fill(Holding(), side="BUY", product="INTRADAY", quantity=1, price=Decimal(1), reserved_margin=Decimal(0))
    with pytest.raises(FrozenInstanceError):
        outcome.profit = Decimal(1)
    with pytest.raises(FrozenInstanceError):
        outcome.holding.cost = Decimal(1)
