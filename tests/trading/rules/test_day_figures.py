"""The figures of a position's day, and its profit."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.day_figures import DayFigures, day_pnl, filled, moved, rolled
from trading.rules.sessions import TradingDays, default_sessions

FRIDAY = date(2026, 11, 6)
MONDAY = FRIDAY + timedelta(days=3)


def test_the_example_of_a_carried_position() -> None:
    figures = filled(DayFigures(MONDAY), "BUY", 5, Decimal("1020.00"))
    figures = filled(figures, "SELL", 8, Decimal("1030.00"))
    assert figures.overnight(7) == 10
    pnl = day_pnl(figures, 7, last_price=Decimal("1025.00"), previous_close=Decimal("1010.00"))
    assert pnl == Decimal("215.00")


def test_what_was_bought_and_sold_on_one_day_needs_no_price() -> None:
    figures = filled(DayFigures(MONDAY), "SELL", 5, Decimal("102.00"))
    figures = filled(figures, "BUY", 5, Decimal("100.00"))
    assert day_pnl(figures, 0, last_price=None, previous_close=None) == Decimal("10.00")


def test_a_short_of_the_day_gains_when_the_price_falls() -> None:
    figures = filled(DayFigures(MONDAY), "SELL", 5, Decimal("102.00"))
    assert figures.overnight(-5) == 0
    assert day_pnl(figures, -5, last_price=Decimal("100.00"), previous_close=None) == Decimal("10.00")


@pytest.mark.parametrize("missing", ["last_price", "previous_close"])
def test_a_carried_position_needs_both_prices(missing: str) -> None:
    prices = {"last_price": Decimal("100.00"), "previous_close": Decimal("99.00")}
    assert day_pnl(DayFigures(MONDAY), 10, **prices) == Decimal("10.00")
    assert day_pnl(DayFigures(MONDAY), 10, **prices | {missing: None}) is None


def test_a_position_that_was_carried_and_sold_needs_the_previous_close_only() -> None:
    figures = filled(DayFigures(MONDAY), "SELL", 10, Decimal("101.00"))
    assert day_pnl(figures, 0, last_price=None, previous_close=Decimal("100.00")) == Decimal("10.00")
    assert day_pnl(figures, 0, last_price=None, previous_close=None) is None


def test_the_next_trading_day_begins_with_empty_figures() -> None:
    figures = filled(DayFigures(FRIDAY), "BUY", 5, Decimal("1.00"))
    weekdays = TradingDays(default_sessions(FRIDAY, MONDAY, ()))
    assert rolled(figures, FRIDAY + timedelta(days=1), weekdays) == figures
    assert rolled(figures, MONDAY, weekdays) == DayFigures(MONDAY)
    closed = TradingDays(default_sessions(FRIDAY, MONDAY, {MONDAY}), {MONDAY})
    assert rolled(figures, MONDAY, closed) == figures
    assert rolled(figures, FRIDAY + timedelta(days=1)) == DayFigures(FRIDAY + timedelta(days=1))


FILLS = st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 50), st.decimals("1", "200", places=2)))


@given(FILLS, st.integers(0, 100), st.data())
def test_a_conversion_keeps_the_profit_of_the_day(
    fills: list[tuple[str, int, Decimal]], overnight: int, data: st.DataObject
) -> None:
    source, target, held = DayFigures(MONDAY), DayFigures(MONDAY), overnight
    for side, quantity, price in fills:
        if side == "SELL" and quantity > held:
            continue
        source = filled(source, side, quantity, price)
        held += quantity if side == "BUY" else -quantity
    prices = {"last_price": Decimal("110.00"), "previous_close": Decimal("105.00")}
    before = day_pnl(source, held, **prices)
    part = data.draw(st.integers(0, held))
    source, target = moved(source, target, part)
    parts = (day_pnl(source, held - part, **prices), day_pnl(target, part, **prices))
    assert None not in parts
    assert before == sum(pnl for pnl in parts if pnl is not None)
    assert source.buy_value >= 0
    assert source.overnight(held - part) >= 0
    assert target.overnight(part) >= 0
