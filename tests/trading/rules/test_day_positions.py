"""Positions apart from what was carried into the day; the numbers are those of Kite Connect's documentation."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.day_figures import DayFigures, day_pnl, filled
from trading.rules.day_positions import DayPosition, Prices, day_position
from trading.rules.fills import Holding, fill
from trading.rules.holdings import carried_holding
from trading.rules.money import ZERO
from trading.rules.settlement import Buckets, bought, sold
from trading.rules.terms import Product

DAY = date(2026, 11, 9)
NAMES = ("quantity", "buy_quantity", "buy_value", "buy_m2m", "sell_quantity", "sell_value", "sell_m2m", "value", "pnl",
         "m2m", "average_price")  # fmt: skip
Trade = tuple[str, int, int]  # side, quantity, price


def figures(*trades: Trade) -> DayFigures:
    """Return the figures of a day with these trades."""
    result = DayFigures(DAY)
    for side, quantity, price in trades:
        result = filled(result, side, quantity, Decimal(price))
    return result


def numbers(position: DayPosition) -> list[Decimal]:
    """Return the numbers of a position, in the order of NAMES."""
    return [getattr(position, name) for name in NAMES]


def prices(last: str | None, close: str | None = None) -> Prices:
    """Return prices of these texts."""
    return Prices(last and Decimal(last), close and Decimal(close))  # type: ignore[arg-type]


CARRIED = figures(("BUY", 1, 23388), ("SELL", 4, 23340))


def test_the_documented_example_of_a_carried_position_that_was_closed() -> None:
    position = day_position("INTRADAY", 0, ZERO, CARRIED, prices("23355.00", "23232.00"), booked=Decimal("801.00"))
    assert position.overnight_quantity == 3
    assert numbers(position) == [0, 4, 92559, 93084, 4, 93360, 93360, 801, 801, 276, 0]


def test_the_documented_example_of_that_day_alone() -> None:
    position = day_position(
        "INTRADAY", 0, ZERO, CARRIED, prices("23355.00", "23232.00"), booked=Decimal("801.00")
    ).of_day()
    assert position.overnight_quantity == 0
    assert numbers(position) == [-3, 1, 23388, 23388, 4, 93360, 93360, 69972, -93, -93, 23340]


def test_the_documented_example_of_a_round_trip() -> None:
    position = day_position(
        "INTRADAY", 0, ZERO, figures(("BUY", 1, 311), ("SELL", 1, 309)), prices("308.40"), booked=ZERO
    )
    assert numbers(position) == [0, 1, 311, 311, 1, 309, 309, -2, -2, -2, 0]
    assert numbers(position.of_day()) == numbers(position)


def test_a_carried_short_counts_among_the_sales() -> None:
    position = day_position(
        "INTRADAY", -6, Decimal("660.00"), figures(("BUY", 4, 100)), prices("90.00", "105.00"), booked=Decimal(40)
    )
    assert (position.overnight_quantity, position.overnight_cost) == (-10, Decimal("1100.00"))
    assert numbers(position) == [-6, 4, 400, 400, 10, 1100, 1050, 700, 160, 110, 110]


def test_a_delivery_leaves_its_carried_shares_to_the_holding() -> None:
    # Market example 11 on its Wednesday: 15 of 20 held shares are sold at 1,050.
    sales, shares = figures(("SELL", 15, 1050)), Buckets(DAY, t1=10, t1_settles_on=DAY, settled=10)
    realized = Decimal("675.00")
    position = day_position("DELIVERY", 5, Decimal("5025.00"), sales, prices("1040.00"), booked=realized)
    assert numbers(position) == [-15, 0, 0, 0, 15, 15750, 15750, 15750, 150, 150, 1050]
    left = sold(shares, 15)
    holding = carried_holding(5, Decimal("5025.00"), sales, left, prices("1040.00", "1030.00"), booked=realized)
    assert holding is not None
    assert (holding.quantity, holding.t1_quantity, holding.used_quantity, holding.opening_quantity) == (15, 5, 15, 20)
    assert (holding.average_price, holding.pnl, holding.day_change) == (1005, 700, 10)
    assert holding.pnl + position.pnl == realized + 5 * (1040 - Decimal(1005))


def test_a_delivery_of_today_is_a_position_and_no_holding() -> None:
    purchase = figures(("BUY", 10, 100))
    of_today = bought(Buckets(DAY), 10)
    position = day_position("DELIVERY", 10, Decimal("1000.00"), purchase, prices("101.00"), booked=ZERO)
    assert numbers(position) == [10, 10, 1000, 1000, 0, 0, 0, -1000, 10, 10, 100]
    assert carried_holding(10, Decimal("1000.00"), purchase, of_today, prices("101.00"), booked=ZERO) is None


def test_without_a_last_price_a_position_is_worth_its_cost() -> None:
    position = day_position("INTRADAY", 3, Decimal("100.00"), DayFigures(DAY), Prices(), booked=ZERO)
    assert round(position.pnl, 10) == round(position.m2m, 10) == 0
    assert (position.prices.last, round(position.last_price, 2)) == (None, Decimal("33.33"))


def test_a_position_without_trades_has_none_of_the_day() -> None:
    held = day_position("INTRADAY", 3, Decimal("90.00"), DayFigures(DAY), prices("31.00"), booked=ZERO)
    assert not held.has_trades
    assert replace(held, figures=figures(("SELL", 1, 30))).has_trades


trades = st.lists(st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 50), st.integers(90, 110)), max_size=8)


@given(st.integers(-40, 40), st.integers(90, 110), trades, st.integers(80, 120), st.integers(80, 120))
def test_the_profit_is_that_of_the_books(carried: int, at: int, todays: list[Trade], last: int, close: int) -> None:
    holding, day = Holding(carried, Decimal(abs(carried) * at)), DayFigures(DAY)
    for side, quantity, price in todays:
        holding = _after(holding, Product.INTRADAY, side, quantity, price)
        day = filled(day, side, quantity, Decimal(price))
    known = prices(str(last), str(close))
    position = day_position("INTRADAY", holding.quantity, holding.cost, day, known, booked=holding.realized_pnl)
    signed_cost = holding.cost if holding.quantity > 0 else -holding.cost
    assert position.quantity == holding.quantity
    assert position.pnl == holding.realized_pnl + holding.quantity * last - signed_cost
    assert position.m2m == day_pnl(day, holding.quantity, last_price=known.last, previous_close=known.close)
    assert position.overnight_cost == abs(carried) * at


@given(st.integers(0, 40), st.integers(90, 110), trades, st.integers(80, 120))
def test_holding_and_position_of_a_delivery_add_up(carried: int, at: int, todays: list[Trade], last: int) -> None:
    holding, day = Holding(carried, Decimal(carried * at)), DayFigures(DAY)
    shares = Buckets(DAY, settled=carried)
    for side, quantity, price in todays:
        if side == "SELL" and quantity > holding.quantity:
            continue
        holding = _after(holding, Product.DELIVERY, side, quantity, price)
        day = filled(day, side, quantity, Decimal(price))
        shares = bought(shares, quantity) if side == "BUY" else sold(shares, quantity)
    facts = (holding.quantity, holding.cost, day)
    known, realized = prices(str(last)), holding.realized_pnl
    held = carried_holding(*facts, shares, known, booked=realized)
    position = day_position("DELIVERY", *facts, known, booked=realized)
    pnl, quantity = position.pnl, position.quantity
    if held is not None:
        pnl, quantity = pnl + held.pnl, quantity + held.opening_quantity
        assert held.cost == carried * at
        assert held.quantity >= held.used_quantity >= 0
    assert quantity == holding.quantity
    assert pnl == realized + holding.quantity * last - holding.cost


@pytest.mark.parametrize(
    ("quantity", "average", "last", "close", "expected"),
    [
        (16, "801.78125", "762.45", "766.40", (-629.3, -3.95, -0.5153966597077155)),
        (1, "161", "352.95", "352.35", (191.95, 0.60, 0.17028522775648244)),
    ],
)
def test_the_documented_holdings(
    quantity: int, average: str, last: str, close: str, expected: tuple[float, ...]
) -> None:
    cost = quantity * Decimal(average)
    shares = Buckets(DAY, settled=quantity)
    holding = carried_holding(quantity, cost, DayFigures(DAY), shares, prices(last, close), booked=ZERO)
    assert holding is not None
    assert holding.average_price == Decimal(average)
    found = (holding.pnl, holding.day_change, holding.day_change_percentage)
    assert [float(value) for value in found] == pytest.approx(expected)


def _after(holding: Holding, product: str, side: str, quantity: int, price: int) -> Holding:
    terms = {"side": side, "product": product, "quantity": quantity, "price": Decimal(price)}
    return fill(holding, reserved_margin=ZERO, **terms).holding  # type: ignore[arg-type]
