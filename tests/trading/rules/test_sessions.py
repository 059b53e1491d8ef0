"""The trading sessions of the market."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.rules.sessions import INDIAN_TIME, session_at

# 2026-11-20 is a Friday.
FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 11, day) for day in (20, 21, 22, 23))


def india(day, clock):
    return datetime.combine(day, datetime.strptime(clock, "%H:%M:%S.%f").time(), INDIAN_TIME)


def opening(day):
    return india(day, "09:15:00.0")


@pytest.mark.parametrize("clock", ["09:15:00.0", "12:00:00.0", "15:29:59.999999"])
def test_the_market_is_open_within_its_hours(clock):
    session = session_at(india(FRIDAY, clock), ())
    assert (session.is_open, session.next_open) == (True, None)


@pytest.mark.parametrize(
    ("day", "clock", "next_day"),
    [
        (FRIDAY, "00:00:00.0", FRIDAY),
        (FRIDAY, "09:14:59.999999", FRIDAY),
        (FRIDAY, "15:30:00.0", MONDAY),
        (FRIDAY, "23:59:59.999999", MONDAY),
        (SATURDAY, "12:00:00.0", MONDAY),
        (SATURDAY, "08:00:00.0", MONDAY),
        (SUNDAY, "12:00:00.0", MONDAY),
        (MONDAY, "15:30:00.0", date(2026, 11, 24)),
    ],
)
def test_a_closed_market_names_its_next_opening(day, clock, next_day):
    session = session_at(india(day, clock), ())
    assert (session.is_open, session.next_open) == (False, opening(next_day))


def test_a_holiday_is_closed_all_day():
    session = session_at(india(FRIDAY, "12:00:00.0"), {FRIDAY})
    assert (session.is_open, session.next_open) == (False, opening(MONDAY))


def test_several_holidays_after_a_weekend_are_skipped():
    holidays = {FRIDAY, MONDAY, date(2026, 11, 24)}
    assert session_at(india(FRIDAY, "08:00:00.0"), holidays).next_open == opening(date(2026, 11, 25))


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [((3, 44, 59, 999999), False), ((3, 45), True), ((9, 59, 59, 999999), True), ((10, 0), False)],
)
def test_a_time_in_utc_is_judged_by_indian_time(utc, is_open):
    assert session_at(datetime(2026, 11, 20, *utc, tzinfo=UTC), ()).is_open is is_open


def test_a_utc_evening_is_already_the_next_indian_day():
    # 19:00 UTC on Sunday is 00:30 on Monday in India
    session = session_at(datetime(2026, 11, 22, 19, 0, tzinfo=UTC), {MONDAY})
    assert session.next_open == opening(date(2026, 11, 24))


def test_other_offsets_are_understood():
    new_york = datetime.fromisoformat("2026-11-20T00:00:00-05:00")
    assert session_at(new_york, ()).is_open


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
    st.sets(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=20),
)
def test_the_next_opening_is_the_first_later_moment_with_an_open_market(now, holidays):
    session = session_at(now, holidays)
    if session.is_open:
        assert session.next_open is None
        return
    assert session.next_open > now
    assert session_at(session.next_open, holidays).is_open
    assert not session_at(session.next_open - timedelta(microseconds=1), holidays).is_open
    for hours in range(1, int((session.next_open - now) / timedelta(hours=1))):
        assert not session_at(now + timedelta(hours=hours), holidays).is_open


def test_a_session_cannot_be_changed():
    session = session_at(datetime(2026, 11, 20, 6, tzinfo=UTC), ())
    with pytest.raises(FrozenInstanceError):
        session.is_open = False
