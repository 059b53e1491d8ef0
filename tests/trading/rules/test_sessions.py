"""The trading sessions of the market."""

import json
import os
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.processes import ROOT
from tests.support.sessions import session_of
from trading.rules.sessions import INDIAN_TIME, TradingDays, default_sessions
from trading.rules.terms import SessionClass

# 2026-11-20 is a Friday.
FRIDAY, SATURDAY, SUNDAY, MONDAY = (date(2026, 11, day) for day in (20, 21, 22, 23))
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def india(day, clock):
    return datetime.combine(day, datetime.strptime(clock, "%H:%M:%S.%f").time(), INDIAN_TIME)


def opening(day):
    return india(day, "09:15:00.0")


def calendar(holidays=(), settlement=(), first=YEAR[0], last=YEAR[1]):
    return TradingDays(default_sessions(first, last, holidays), holidays, settlement)


@pytest.mark.parametrize(
    ("session_class", "clock", "is_open"),
    [
        ("NORMAL", "09:14:59.999999", False),
        ("NORMAL", "09:15:00.0", True),
        ("NORMAL", "15:29:59.999999", True),
        ("NORMAL", "15:30:00.0", False),
        ("AUCTION", "09:14:59.999999", False),
        ("AUCTION", "09:15:00.0", True),
        ("AUCTION", "15:14:59.999999", True),
        ("AUCTION", "15:15:00.0", False),
    ],
)
def test_a_session_is_open_from_its_opening_until_just_before_its_close(session_class, clock, is_open):
    session = calendar().at(india(FRIDAY, clock), session_class)
    assert (session is not None) is is_open
    if session is not None:
        assert (session.day, session.session_class) == (FRIDAY, session_class)


@pytest.mark.parametrize(
    ("day", "session_class", "closes", "square_off"),
    [
        (date(2026, 7, 31), "NORMAL", "15:30:00.0", "15:25:00.0"),
        (date(2026, 7, 31), "AUCTION", "15:30:00.0", "15:25:00.0"),
        (date(2026, 8, 3), "NORMAL", "15:30:00.0", "15:25:00.0"),
        (date(2026, 8, 3), "AUCTION", "15:15:00.0", "15:12:00.0"),
    ],
)
def test_stocks_with_a_closing_auction_stop_earlier_since_3_august_2026(day, session_class, closes, square_off):
    session = calendar().of_day(day, session_class)
    assert (session.opens_at, session.closes_at) == (opening(day), india(day, closes))
    assert session.square_off_at == india(day, square_off)


@pytest.mark.parametrize(
    ("day", "clock", "next_day"),
    [
        (FRIDAY, "00:00:00.0", FRIDAY),
        (FRIDAY, "09:14:59.999999", FRIDAY),
        (FRIDAY, "09:15:00.0", MONDAY),
        (FRIDAY, "15:30:00.0", MONDAY),
        (FRIDAY, "23:59:59.999999", MONDAY),
        (SATURDAY, "12:00:00.0", MONDAY),
        (SUNDAY, "08:00:00.0", MONDAY),
        (MONDAY, "15:30:00.0", date(2026, 11, 24)),
    ],
)
def test_the_next_session_is_the_first_that_opens_later(day, clock, next_day):
    now = india(day, clock)
    for session_class in SessionClass:
        assert calendar().next_open(now, session_class) == opening(next_day)
        assert calendar().next_session(now, session_class).day == next_day


@pytest.mark.parametrize(
    ("day", "clock", "previous_day"),
    [
        (FRIDAY, "15:14:59.999999", date(2026, 11, 19)),
        (FRIDAY, "15:15:00.0", FRIDAY),
        (SUNDAY, "12:00:00.0", FRIDAY),
        (MONDAY, "12:00:00.0", FRIDAY),
    ],
)
def test_the_previous_session_is_the_last_that_has_closed(day, clock, previous_day):
    assert calendar().previous_session(india(day, clock), "AUCTION").day == previous_day


def test_without_sessions_nothing_is_open_and_nothing_comes():
    days = TradingDays([])
    now = india(FRIDAY, "12:00:00.0")
    for session_class in SessionClass:
        assert days.at(now, session_class) is None
        assert days.next_open(now, session_class) is None
        assert days.next_session(now, session_class) is None
        assert days.previous_session(now, session_class) is None
    assert days.last_day is None


def test_a_holiday_is_closed_all_day():
    days = calendar({FRIDAY, MONDAY, date(2026, 11, 24)})
    assert days.of_day(FRIDAY, "NORMAL") is None
    assert not days.is_trading_day(FRIDAY)
    assert days.at(india(FRIDAY, "12:00:00.0"), "NORMAL") is None
    assert days.next_open(india(FRIDAY, "08:00:00.0"), "NORMAL") == opening(date(2026, 11, 25))


def test_a_special_session_is_open_on_a_weekend():
    muhurat = session_of(SUNDAY, opens=time(18), closes=time(19))
    days = TradingDays([*default_sessions(*YEAR, ()), muhurat])
    assert days.at(india(SUNDAY, "18:30:00.0"), "NORMAL") == muhurat
    assert days.at(india(SUNDAY, "18:30:00.0"), "AUCTION") is None
    assert days.next_trading_day(FRIDAY) == SUNDAY
    assert days.next_trading_day(SUNDAY) == MONDAY


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [((3, 44, 59, 999999), False), ((3, 45), True), ((9, 59, 59, 999999), True), ((10, 0), False)],
)
def test_a_time_in_utc_is_judged_by_indian_time(utc, is_open):
    assert (calendar().at(datetime(2026, 11, 20, *utc, tzinfo=UTC), "NORMAL") is not None) is is_open


def test_a_utc_evening_is_already_the_next_indian_day():
    # 19:00 UTC on Sunday is 00:30 on Monday in India
    assert calendar().trading_day_of(datetime(2026, 11, 22, 18, 29, 59, tzinfo=UTC)) == SUNDAY
    assert calendar().trading_day_of(datetime(2026, 11, 22, 18, 30, tzinfo=UTC)) == MONDAY


def test_other_offsets_are_understood():
    new_york = datetime.fromisoformat("2026-11-20T00:00:00-05:00")
    assert calendar().at(new_york, "NORMAL") is not None


@pytest.mark.parametrize(
    ("day", "settles_on"),
    [
        (date(2026, 11, 6), date(2026, 11, 9)),  # Friday
        (date(2026, 11, 9), date(2026, 11, 11)),  # the day before a holiday
        (date(2026, 11, 10), date(2026, 11, 11)),  # a session on a holiday
        (date(2026, 11, 7), date(2026, 11, 11)),  # Saturday's trades as Monday's
        (date(2026, 11, 8), date(2026, 11, 11)),  # Sunday's too
        (date(2026, 11, 12), date(2026, 11, 16)),  # the day before a settlement holiday, before a weekend
        (date(2026, 11, 13), date(2026, 11, 16)),  # the settlement holiday itself
        (date(2026, 11, 15), date(2026, 11, 18)),  # Sunday's trades as Monday's, before a holiday on Tuesday
        (date(2026, 11, 22), date(2026, 11, 24)),  # Sunday's trades as Monday's, although Monday is a holiday
        (date(2026, 11, 20), date(2026, 11, 24)),  # those of the Friday before
    ],
)
def test_trades_settle_on_the_next_weekday_without_any_holiday(day, settles_on):
    days = calendar({date(2026, 11, 10), date(2026, 11, 17), date(2026, 11, 23)}, {date(2026, 11, 13)})
    assert days.settles_on(day) == settles_on


def test_after_the_last_known_session_the_next_trading_day_is_an_ordinary_weekday():
    days = calendar({date(2027, 1, 1)}, last=date(2026, 12, 31))
    assert days.next_trading_day(date(2026, 12, 30)) == date(2026, 12, 31)
    assert days.next_trading_day(date(2026, 12, 31)) == date(2027, 1, 4)


@given(
    st.datetimes(datetime(2026, 7, 1), datetime(2026, 9, 30), timezones=st.just(UTC)),
    st.sets(st.dates(date(2026, 7, 1), date(2026, 10, 31)), max_size=20),
    st.sampled_from(SessionClass),
)
def test_the_sessions_around_a_moment_fit_together(now, holidays, session_class):
    days = calendar(holidays, first=date(2026, 6, 1), last=date(2026, 12, 31))
    open_now, following = days.at(now, session_class), days.next_session(now, session_class)
    before = days.previous_session(now, session_class)
    assert before.closes_at <= now < following.opens_at
    if open_now is not None:
        assert open_now.opens_at <= now < open_now.closes_at
        assert before.closes_at < open_now.opens_at < open_now.closes_at < following.opens_at
    assert days.at(following.opens_at, session_class) == following
    assert days.at(following.closes_at, session_class) is None
    last = open_now or before
    assert days.next_session(last.closes_at, session_class) == following
    assert days.next_trading_day(last.day) == following.day
    assert not {last.day, following.day} & holidays


# Two weeks with a change of the hours, a holiday, a settlement holiday and a session on a Sunday.
FIRST_DAY, MINUTES = date(2026, 7, 27), 14 * 24 * 60
HOLIDAY, MUHURAT = date(2026, 7, 30), date(2026, 8, 2)
WALK = """
import json, sys, time
from datetime import datetime
from tests.trading.rules.test_sessions import answers_of_every_minute
json.dump([time.tzname, answers_of_every_minute(datetime.fromtimestamp)], sys.stdout)
"""


def answers_of_every_minute(moment_of):
    """Return the answers for each minute, with the times as the process sees them by its own zone."""
    muhurat = [session_of(MUHURAT, name, opens=time(18), closes=time(19)) for name in SessionClass]
    days = TradingDays([*default_sessions(FIRST_DAY, date(2026, 8, 31), {HOLIDAY}), *muhurat], {HOLIDAY})
    start = datetime.combine(FIRST_DAY, time(), INDIAN_TIME).timestamp()
    answers = []
    for minute in range(MINUTES):
        now = moment_of(start + 60 * minute).astimezone()
        for name in SessionClass:
            session = days.at(now, name)
            open_day = None if session is None else str(session.day)
            found = (days.next_session(now, name), days.previous_session(now, name))
            around = [None if one is None else one.opens_at.timestamp() for one in found]
            answers.append([open_day, str(days.trading_day_of(now)), *around])
    return answers


def expected_session(minute, name):
    """Return the day of the session that is open in a minute, by arithmetic that knows no time zone."""
    day, clock = FIRST_DAY + timedelta(days=minute // 1440), minute % 1440
    if day == MUHURAT:
        return str(day) if 18 * 60 <= clock < 19 * 60 else None
    if day == HOLIDAY or day.weekday() >= 5:
        return None
    closes = 15 * 60 + (15 if name == "AUCTION" and day >= date(2026, 8, 3) else 30)
    return str(day) if 9 * 60 + 15 <= clock < closes else None


def test_every_minute_of_two_weeks_has_the_same_session_in_every_time_zone():
    expected = [expected_session(minute, name) for minute in range(MINUTES) for name in SessionClass]
    results = {}
    for zone in ("UTC", "Asia/Kolkata", "America/New_York"):
        environment = {**os.environ, "TZ": zone, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", WALK], capture_output=True, cwd=ROOT, env=environment, check=True)
        names, results[zone] = json.loads(done.stdout)
        assert (names == ["UTC", "UTC"]) is (zone == "UTC")  # the process does live in its zone
    for zone, answers in results.items():
        assert [answer[0] for answer in answers] == expected, zone
    assert results["UTC"] == results["Asia/Kolkata"] == results["America/New_York"]


# Another module would have to know India's offset, the weekends, or the zone of its process.
RECKONING = re.compile(
    r"\b(?:INDIAN_TIME|ZoneInfo|timezone\(|weekday\(|datetime\.combine|datetime\.now\(|astimezone\(\))"
)


def test_no_other_module_reckons_with_days_and_time_zones():
    modules = [path for path in (ROOT / "trading").rglob("*.py") if path != ROOT / "trading/rules/sessions.py"]
    assert len(modules) > 50
    found = {str(path): RECKONING.findall(path.read_text()) for path in modules}
    assert {path: words for path, words in found.items() if words} == {}


def test_a_session_cannot_be_changed():
    session = calendar().of_day(FRIDAY, "NORMAL")
    with pytest.raises(FrozenInstanceError):
        session.kind = "SPECIAL"
