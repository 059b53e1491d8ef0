"""The settlement buckets through which a delivery settles."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.sessions import session_of
from trading.rules.errors import InsufficientHoldings
from trading.rules.sessions import TradingDays, default_sessions
from trading.rules.settlement import Buckets, bought, rolled, sellable, sold, taken_back

THURSDAY, FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 11, day) for day in (5, 6, 7, 8, 9))
TUESDAY, WEDNESDAY = (MONDAY + timedelta(days=days) for days in (1, 2))


def days_of(
    *, holidays: Iterable[date] = (), settlement_holidays: Iterable[date] = (), open_days: Iterable[date] = ()
) -> TradingDays:
    """Return the days of two months: weekdays without holidays, and sessions on other days."""
    first, closed = THURSDAY - timedelta(days=7), frozenset(holidays)
    regular = default_sessions(first, first + timedelta(days=60), closed)
    special = [session_of(day) for day in open_days]
    return TradingDays([*regular, *special], closed, frozenset(settlement_holidays))


def quantities(buckets: Buckets) -> dict[str, int]:
    """Return the quantities of the settlement buckets that are not empty."""
    named = {"today": buckets.today, "t1": buckets.t1, "later": buckets.later, "settled": buckets.settled}
    return {name: quantity for name, quantity in named.items() if quantity}


def test_the_example_of_a_week_with_a_holiday() -> None:
    days = days_of(holidays=[TUESDAY])
    buckets = bought(Buckets(FRIDAY), 10)
    buckets = bought(rolled(buckets, MONDAY, days), 10)
    assert quantities(buckets) == {"today": 10, "t1": 10}
    assert buckets.t1_settles_on == MONDAY
    buckets = rolled(buckets, WEDNESDAY, days)
    assert quantities(buckets) == {"settled": 10, "t1": 10}
    assert buckets.t1_settles_on == WEDNESDAY
    buckets = sold(buckets, 15)
    assert quantities(buckets) == {"t1": 5}
    assert quantities(rolled(buckets, WEDNESDAY + timedelta(days=1), days)) == {"settled": 5}


def test_a_day_without_trading_lets_the_days_purchases_stay_but_settles_what_is_due() -> None:
    days = days_of(holidays=[TUESDAY])
    buckets = rolled(Buckets(MONDAY, today=10, t1=7, t1_settles_on=MONDAY), TUESDAY, days)
    assert quantities(buckets) == {"today": 10, "settled": 7}


def test_trades_before_and_on_a_settlement_holiday_settle_together() -> None:
    days = days_of(settlement_holidays=[MONDAY])
    buckets = bought(rolled(Buckets(FRIDAY, today=3), MONDAY, days), 4)
    assert (quantities(buckets), buckets.t1_settles_on) == ({"today": 4, "t1": 3}, TUESDAY)
    assert quantities(rolled(buckets, TUESDAY, days)) == {"t1": 7}
    assert quantities(rolled(buckets, WEDNESDAY, days)) == {"settled": 7}


def test_trades_of_a_weekend_settle_after_those_of_friday() -> None:
    days = days_of(open_days=[SUNDAY])
    buckets = bought(rolled(bought(Buckets(FRIDAY), 10), SUNDAY, days), 5)
    assert quantities(buckets) == {"today": 5, "t1": 10}
    monday = rolled(buckets, MONDAY, days)
    assert quantities(monday) == {"t1": 10, "later": 5}
    assert (monday.t1_settles_on, monday.later_settles_on) == (MONDAY, TUESDAY)
    assert monday.unsettled == 15
    tuesday = rolled(monday, TUESDAY, days)
    assert quantities(tuesday) == {"settled": 10, "t1": 5}
    assert (tuesday.t1_settles_on, tuesday.later_settles_on) == (TUESDAY, None)
    assert quantities(rolled(tuesday, WEDNESDAY, days)) == {"settled": 15}


def test_days_of_trades_with_two_settlements_are_sold_in_the_order_of_their_settlement() -> None:
    monday = Buckets(MONDAY, today=4, t1=10, t1_settles_on=MONDAY, later=5, later_settles_on=TUESDAY, settled=1)
    assert quantities(sold(monday, 6)) == {"today": 4, "t1": 5, "later": 5}
    rest = sold(monday, 13)
    assert quantities(rest) == {"today": 4, "t1": 3}
    assert (rest.t1_settles_on, rest.later_settles_on) == (TUESDAY, None)


def test_without_a_calendar_each_day_settles_on_the_next_one() -> None:
    buckets = rolled(bought(Buckets(FRIDAY), 10), SATURDAY)
    assert quantities(buckets) == {"t1": 10}
    assert quantities(rolled(buckets, SUNDAY)) == {"settled": 10}


@pytest.mark.parametrize(("quantity", "left"), [(3, {"settled": 1, "today": 2, "t1": 3}), (6, {"t1": 3})])
def test_without_t1_sales_a_sale_passes_over_t1(quantity: int, left: dict[str, int]) -> None:
    buckets = Buckets(MONDAY, today=2, t1=3, t1_settles_on=MONDAY, settled=4)
    assert sellable(buckets, allow_t1_sales=False) == 6
    assert quantities(sold(buckets, quantity, allow_t1_sales=False)) == left


@pytest.mark.parametrize(("allow_t1_sales", "too_many"), [(True, 10), (False, 7)])
def test_more_than_may_be_sold_is_refused(allow_t1_sales: bool, too_many: int) -> None:
    buckets = Buckets(MONDAY, today=2, t1=3, t1_settles_on=MONDAY, settled=4)
    with pytest.raises(InsufficientHoldings):
        sold(buckets, too_many, allow_t1_sales=allow_t1_sales)


def test_a_conversion_gives_from_the_purchases_of_the_day() -> None:
    assert quantities(taken_back(Buckets(MONDAY, today=5, settled=4), 3)) == {"today": 2, "settled": 4}
    with pytest.raises(AssertionError):
        taken_back(Buckets(MONDAY, today=5, settled=4), 6)


ROW = {
    "quantity": 12,
    "bucket_day": FRIDAY,
    "today_quantity": 1,
    "t1_quantity": 2,
    "t1_settles_on": FRIDAY,
    "later_quantity": 4,
    "later_settles_on": MONDAY,
    "settled_quantity": 5,
}


def test_a_row_gives_its_buckets() -> None:
    expected = Buckets(FRIDAY, today=1, t1=2, t1_settles_on=FRIDAY, settled=5, later=4, later_settles_on=MONDAY)
    assert Buckets.of_row(ROW, MONDAY) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"bucket_day": None}, {"settled": 12}),
        ({"quantity": 20}, {"today": 1, "t1": 2, "later": 4, "settled": 13}),
        ({"quantity": 6}, {"today": 1, "t1": 1, "later": 4}),
        ({"quantity": 0}, {}),
    ],
)
def test_what_the_buckets_do_not_explain_was_held_for_long_or_is_sold(
    change: dict[str, Any], expected: dict[str, int]
) -> None:
    assert quantities(Buckets.of_row(ROW | change, MONDAY)) == expected


STEPS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["buy", "sell"]), st.integers(1, 20)), max_size=12)


SOME_DAYS = st.sets(st.integers(0, 40).map(lambda number: THURSDAY + timedelta(days=number)))


@given(STEPS, SOME_DAYS, SOME_DAYS, SOME_DAYS, st.booleans())
def test_buckets_are_those_of_a_list_of_lots(
    steps: list[tuple[int, str, int]],
    closed: set[date],
    without_settlement: set[date],
    open_days: set[date],
    allow_t1_sales: bool,
) -> None:
    """Each purchase is a lot with its own day of settlement; the settlement buckets must sum them up on every day."""
    weekends = [day for day in open_days if day.weekday() >= 5]
    days = days_of(holidays=closed, settlement_holidays=without_settlement, open_days=weekends)
    day, buckets = THURSDAY, Buckets(THURSDAY)
    lots: list[list[Any]] = []  # [day of the trade, day of the settlement, quantity]
    for wait, side, quantity in steps:
        for _ in range(wait):
            day = days.next_trading_day(day)
        buckets = rolled(buckets, day, days)
        if side == "buy":
            buckets = bought(buckets, quantity)
            lots.append([day, days.settles_on(day), quantity])
        else:
            buckets = _sell_lots(buckets, lots, quantity, day, allow_t1_sales)
        assert buckets.today == sum(lot[2] for lot in lots if lot[0] == day)
        assert buckets.unsettled == sum(lot[2] for lot in lots if lot[0] < day <= lot[1])
        assert buckets.settled == sum(lot[2] for lot in lots if lot[1] < day)
        assert buckets == replace(buckets, day=day)


def _sell_lots(buckets: Buckets, lots: list[list[Any]], quantity: int, day: date, allow_t1_sales: bool) -> Buckets:
    may_be_sold = [lot for lot in lots if allow_t1_sales or lot[1] < day or lot[0] == day]
    if quantity > sum(lot[2] for lot in may_be_sold):
        with pytest.raises(InsufficientHoldings):
            sold(buckets, quantity, allow_t1_sales=allow_t1_sales)
        return buckets
    left = quantity
    for lot in sorted(may_be_sold, key=lambda lot: (lot[0] == day, lot[1], lot[0])):
        taken = min(left, lot[2])
        lot[2] -= taken
        left -= taken
    return sold(buckets, quantity, allow_t1_sales=allow_t1_sales)
