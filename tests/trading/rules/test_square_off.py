"""The square-off that became due last, and the price at the close."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal

import pytest

from trading.rules.sessions import INDIAN_TIME, Session, TradingDays, default_sessions
from trading.rules.square_off import (
    SquareOff,
    last_square_off,
    last_square_off_without_calendar,
    price_at_close,
)

HOLIDAY = date(2026, 11, 10)
EVENING = datetime(2026, 11, 8, 18, 0, tzinfo=INDIAN_TIME)  # a special session on a Sunday, without a square-off
SPECIAL = Session(EVENING.date(), "NORMAL", EVENING, EVENING + timedelta(hours=1), None, "SPECIAL")
DAYS = TradingDays([*default_sessions(date(2026, 11, 2), date(2026, 11, 12), {HOLIDAY}), SPECIAL], {HOLIDAY})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIAN_TIME)


@pytest.mark.parametrize(
    ("now", "session_class", "due"),
    [
        ("2026-11-03 15:11:59.999", "AUCTION", "2026-11-02 15:12"),
        ("2026-11-03 15:12", "AUCTION", "2026-11-03 15:12"),
        ("2026-11-03 15:24:59.999", "NORMAL", "2026-11-02 15:25"),
        ("2026-11-03 15:25", "NORMAL", "2026-11-03 15:25"),
        ("2026-11-03 15:30", "NORMAL", "2026-11-03 15:25"),
        ("2026-11-04 03:00", "NORMAL", "2026-11-03 15:25"),
        ("2026-11-08 18:30", "NORMAL", "2026-11-06 15:25"),
        ("2026-11-08 20:00", "NORMAL", "2026-11-06 15:25"),
        ("2026-11-10 12:00", "NORMAL", "2026-11-09 15:25"),
        ("2026-11-30 12:00", "NORMAL", "2026-11-12 15:25"),
    ],
)
def test_the_square_off_that_became_due_last(now: str, session_class: str, due: str) -> None:
    found = last_square_off(DAYS, at(now), session_class)
    assert found is not None
    assert (found.due_at, found.day, found.session_class) == (at(due), at(due).date(), session_class)


def test_the_market_reopens_with_its_next_session() -> None:
    assert reopening("2026-11-07 12:00", "NORMAL") == (at("2026-11-06 15:30"), EVENING)
    assert reopening("2026-11-09 16:00", "NORMAL") == (at("2026-11-09 15:30"), at("2026-11-11 09:15"))
    assert reopening("2026-11-12 16:00", "AUCTION") == (at("2026-11-12 15:15"), None)


def reopening(now: str, session_class: str) -> tuple[datetime, datetime | None]:
    found = last_square_off(DAYS, at(now), session_class)
    assert found is not None
    return found.closes_at, found.reopens_at


def test_before_the_first_square_off_there_is_none() -> None:
    assert last_square_off(DAYS, at("2026-11-02 15:00"), "NORMAL") is None
    assert last_square_off(TradingDays([]), at("2026-11-02 15:00"), "NORMAL") is None


@pytest.mark.parametrize(("now", "day"), [("2026-11-03 15:19:59", 2), ("2026-11-03 15:20", 3), ("2026-11-04 00:00", 3)])
def test_without_a_calendar_a_day_ends_at_midnight(now: str, day: int) -> None:
    found = last_square_off_without_calendar(at(now), "NORMAL", time(15, 20))
    midnight = datetime(2026, 11, day + 1, tzinfo=INDIAN_TIME)
    assert (found.day.day, found.closes_at, found.reopens_at) == (day, midnight, midnight)


OF = SquareOff(date(2026, 11, 3), "NORMAL", at("2026-11-03 15:25"), at("2026-11-03 15:30"), at("2026-11-04 09:15"))
QUOTED = {
    "close_price": Decimal("99.00"),
    "close_day": date(2026, 11, 3),
    "last_price": Decimal("98.00"),
    "last_price_at": at("2026-11-03 15:29"),
}


@pytest.mark.parametrize(
    ("changes", "price"),
    [
        ({}, "99.00"),
        ({"close_day": date(2026, 11, 2)}, "98.00"),
        ({"close_price": None, "close_day": None}, "98.00"),
        ({"close_price": None, "last_price_at": at("2026-11-02 15:29")}, "98.00"),
        ({"close_price": None, "last_price_at": at("2026-11-04 09:15")}, None),
        ({"close_price": None, "last_price": None, "last_price_at": None}, None),
    ],
)
def test_the_price_at_the_close(changes: dict[str, object], price: str | None) -> None:
    assert price_at_close(QUOTED | changes, OF) == (None if price is None else Decimal(price))
