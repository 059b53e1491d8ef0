"""The conversion of bought shares between INTRADAY and DELIVERY."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.trading import money
from trading.rules.conversion import convert, convertible
from trading.rules.fills import Holding
from trading.rules.settlement import Buckets

DAY = date(2026, 11, 9)
HELD = Holding(10, money("1000.00"), money("200.00"), money("7.00"))


def test_quantity_cost_and_margin_move_in_proportion() -> None:
    conversion = convert(HELD, Holding(), 4, "DELIVERY")
    assert conversion.source == Holding(6, money("600.00"), money("120.00"), money("7.00"))
    assert conversion.target == Holding(4, money("400.00"), money("400.00"))
    assert (conversion.cost, conversion.margin_change) == (money("400.00"), money("320.00"))


def test_a_conversion_to_intraday_releases_margin() -> None:
    delivery = Holding(10, money("1000.00"), money("1000.00"))
    conversion = convert(delivery, HELD, 10, "INTRADAY")
    assert conversion.source == Holding()
    assert conversion.target == Holding(20, money("2000.00"), money("400.00"), money("7.00"))
    assert conversion.margin_change == money("-800.00")


@pytest.mark.parametrize(
    ("source", "target", "promised", "quantity"),
    [
        (HELD, Holding(), 0, 10),
        (HELD, Holding(), 4, 6),
        (HELD, Holding(), 11, 0),
        (Holding(-10, money("1000.00")), Holding(), 0, 0),
        (Holding(), Holding(), 0, 0),
    ],
)
def test_what_is_bought_and_not_promised_is_convertible(
    source: Holding, target: Holding, promised: int, quantity: int
) -> None:
    assert convertible(source, target, None, promised=promised, allow_t1_sales=True) == quantity


@pytest.mark.parametrize(
    ("buckets", "promised", "allow_t1_sales", "quantity"),
    [
        (Buckets(DAY, today=6, settled=4), 0, True, 6),
        (Buckets(DAY, today=6, settled=4), 4, True, 6),
        (Buckets(DAY, today=6, settled=4), 5, True, 5),
        (Buckets(DAY, today=6, t1=4), 4, True, 6),
        (Buckets(DAY, today=6, t1=4), 4, False, 2),
        (Buckets(DAY, settled=10), 0, True, 0),
    ],
)
def test_a_delivery_gives_what_was_bought_today_as_long_as_its_promises_hold(
    buckets: Buckets, promised: int, allow_t1_sales: bool, quantity: int
) -> None:
    assert convertible(HELD, Holding(), buckets, promised=promised, allow_t1_sales=allow_t1_sales) == quantity


def test_nothing_is_converted_into_a_short() -> None:
    short = Holding(-1, money("100.00"), money("20.00"))
    assert convertible(HELD, short, Buckets(DAY, today=10), promised=0, allow_t1_sales=True) == 0


@given(st.integers(1, 1_000), st.decimals("0.01", "5000", places=2), st.decimals("0.01", "5000", places=2), st.data())
def test_no_paisa_and_no_share_is_lost(quantity: int, first: Decimal, second: Decimal, data: st.DataObject) -> None:
    cost = first * quantity + second
    margin = data.draw(st.decimals("0", cost, places=2))
    source = Holding(quantity + 1, cost, margin)
    part = data.draw(st.integers(1, quantity + 1))
    conversion = convert(source, Holding(5, money("50.00"), money("50.00")), part, "DELIVERY")
    assert conversion.source.quantity + conversion.target.quantity == quantity + 6
    assert conversion.source.cost + conversion.target.cost == cost + 50
    assert (conversion.source.cost == 0) == (conversion.source.quantity == 0)
    margins = conversion.source.blocked_margin + conversion.target.blocked_margin
    assert margins - margin - 50 == conversion.margin_change
    assert conversion.target.blocked_margin == 50 + conversion.cost
