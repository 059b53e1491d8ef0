"""The decision on an order, and the promise that it keeps at the execution."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.decision import OrderRequest, check_cover, decide
from trading.rules.errors import InsufficientHoldings, InsufficientMargin
from trading.rules.fills import Holding, fill, is_covered
from trading.rules.money import rounded

DAY = date(2026, 11, 27)
PRICES = st.decimals("0.01", 10_000_000, places=2)
QUANTITIES = st.integers(1, 1_000_000)


def order(side, quantity, price="100.00", product="INTRADAY"):
    return OrderRequest("NSE", "TCS", side, quantity, "LIMIT", Decimal(price), product)


FLAT = Holding()


def decided(request, holding=FLAT, promised=0):
    return decide(request, held=holding.quantity, held_margin=holding.blocked_margin, promised=promised, on=DAY)


def filled(holding, side, quantity, price, reserved=Decimal("0.00")):
    return fill(holding, side=side, product="INTRADAY", quantity=quantity, price=price, reserved_margin=reserved)


@st.composite
def holdings(draw):
    """Return a long or short INTRADAY position that one fill has opened."""
    return filled(FLAT, draw(st.sampled_from(["BUY", "SELL"])), draw(QUANTITIES), draw(PRICES)).holding


LONG = Holding(10, Decimal("1000.00"), Decimal("200.00"))


def test_a_flip_needs_only_its_charges_when_it_frees_more_than_it_needs():
    decision = decided(order("SELL", 15), LONG)
    assert (decision.closing_quantity, decision.opening_quantity, decision.margin) == (10, 5, 0)
    check_cover(order("SELL", 15), decision, decision.charges.total)
    with pytest.raises(InsufficientMargin) as refusal:
        check_cover(order("SELL", 15), decision, decision.charges.total - Decimal("0.01"))
    assert refusal.value.details["required"] == decision.charges.total


def test_a_flip_frees_no_margin_that_is_promised_to_others():
    decision = decided(order("SELL", 15), LONG, promised=6)
    assert (decision.closing_quantity, decision.margin) == (4, Decimal("220.00") - Decimal("80.00"))


def test_a_delivery_sale_beyond_the_holding_is_refused_although_it_frees_margin():
    request = order("SELL", 15, product="DELIVERY")
    with pytest.raises(InsufficientHoldings):
        check_cover(request, decided(request, LONG), Decimal(10**9))


@given(holdings(), st.sampled_from(["BUY", "SELL"]), QUANTITIES, PRICES)
def test_the_execution_as_it_was_decided_needs_no_more_than_what_is_blocked(holding, side, quantity, price):
    decision = decided(order(side, quantity, price), holding)
    result = filled(holding, side, quantity, price, decision.margin)
    assert (result.closed, result.opened) == (decision.closing_quantity, decision.opening_quantity)
    assert result.margin_change <= 0
    assert is_covered(result, more_charges=Decimal("0.00"), available_margin=Decimal(-(10**15)))
    # A flip blocks at most the margin of what it opens, and nothing that its closing part pays for.
    opens_alone = decided(order(side, result.opened or 1, price)).margin
    assert 0 <= decision.margin <= opens_alone
    assert result.margin_change == 0 or decision.margin == 0


@given(holdings(), st.sampled_from(["BUY", "SELL"]), QUANTITIES, PRICES, PRICES)
def test_an_order_that_opens_is_covered_up_to_the_last_paisa(holding, side, quantity, assumed, price):
    decision = decided(order(side, quantity, assumed), holding)
    result = filled(holding, side, quantity, price, decision.margin)
    more_charges = decided(order(side, quantity, price), holding).charges.total - decision.charges.total
    exactly = result.margin_change + more_charges - result.profit
    is_short = result.opened > 0 and result.margin_change + more_charges > 0
    for missing in (Decimal("0.00"), Decimal("0.01")):
        covered = is_covered(result, more_charges=more_charges, available_margin=exactly - missing)
        assert covered == (not is_short or missing == 0)


@given(QUANTITIES, PRICES, PRICES)
def test_charges_follow_the_turnover(quantity, first, second):
    cheaper, dearer = (decided(order("BUY", quantity, price)).charges.total for price in sorted((first, second)))
    assert cheaper <= dearer
    # The rates add up to less than 0.043 %, and each of the six items is rounded.
    assert dearer - cheaper <= rounded(abs(first - second) * quantity * Decimal("0.00043")) + Decimal("0.07")
