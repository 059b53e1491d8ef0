"""The session that an order is placed for, and the square-off of that session."""

from datetime import date, datetime, time, timedelta

import pytest

from trading.rules.errors import MarketClosed, SquareOffPassed
from trading.rules.order_sessions import OrderSession, check_square_off, session_for
from trading.rules.sessions import INDIAN_TIME, TradingDays, default_sessions

FRIDAY, MONDAY = date(2026, 11, 27), date(2026, 11, 30)
DAYS = TradingDays(default_sessions(FRIDAY, MONDAY, ()))


def india(clock: str, day: date = FRIDAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIAN_TIME)


@pytest.mark.parametrize(
    ("session_class", "closes", "square_off"), [("NORMAL", "15:30", "15:25"), ("AUCTION", "15:15", "15:12")]
)
def test_an_order_is_for_the_open_session_of_its_class(session_class, closes, square_off):
    wanted = OrderSession(india(closes), india("09:15"), india(square_off))
    last_moment = india(closes) - timedelta(microseconds=1)
    for after_market in (False, True):
        for now in (india("09:15"), last_moment):
            assert session_for(DAYS, session_class, now, after_market=after_market) == wanted


@pytest.mark.parametrize(
    ("now", "day"),
    [(india("09:14:59.999999"), FRIDAY), (india("15:30"), MONDAY), (india("12:00", date(2026, 11, 28)), MONDAY)],
)
def test_outside_the_session_only_an_after_market_order_is_placed_and_it_waits_for_the_next_one(now, day):
    with pytest.raises(MarketClosed) as refused:
        session_for(DAYS, "NORMAL", now)
    assert refused.value.details == {"next_open": india("09:15", day)}
    waiting = OrderSession(india("15:30", day), india("09:15", day), india("15:25", day), waits=True)
    assert session_for(DAYS, "NORMAL", now, after_market=True) == waiting


def test_at_the_close_of_one_class_the_other_goes_on():
    with pytest.raises(MarketClosed):
        session_for(DAYS, "AUCTION", india("15:15"))
    assert session_for(DAYS, "NORMAL", india("15:15")).closes_at == india("15:30")


@pytest.mark.parametrize("after_market", [False, True])
def test_without_a_known_session_the_market_is_closed(after_market):
    with pytest.raises(MarketClosed) as refused:
        session_for(DAYS, "NORMAL", india("16:00", MONDAY), after_market=after_market)
    assert refused.value.details == {"next_open": None}


def test_without_a_calendar_the_day_ends_at_midnight_and_no_order_waits():
    midnight = india("00:00", FRIDAY + timedelta(days=1))
    for after_market in (False, True):
        assert session_for(None, "NORMAL", india("20:00"), after_market=after_market) == OrderSession(midnight)
    squared_off = session_for(None, "NORMAL", india("20:00"), square_off_time=time(15, 25))
    assert squared_off == OrderSession(midnight, square_off_at=india("15:25"))


def square_off(now: datetime, **changes: object) -> None:
    terms = {"product": "INTRADAY", "opens": True} | changes
    check_square_off(session_for(DAYS, "NORMAL", now, after_market=True), now, **terms)


def test_from_the_square_off_on_an_intraday_order_may_not_open():
    square_off(india("15:24:59.999999"))
    for now in (india("15:25"), india("15:29:59.999999")):
        with pytest.raises(SquareOffPassed) as refused:
            square_off(now)
        assert refused.value.details == {"square_off_at": india("15:25")}


@pytest.mark.parametrize("changes", [{"opens": False}, {"product": "DELIVERY"}])
def test_other_orders_pass_until_the_close(changes):
    square_off(india("15:29:59.999999"), **changes)


def test_an_order_that_waits_comes_before_the_square_off_of_its_session():
    square_off(india("15:30"))
