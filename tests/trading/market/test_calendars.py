"""Sessions and holidays in the database."""

from datetime import date, datetime, time, timedelta

import pytest
from peewee import IntegrityError

from tests.support.processes import wait_until
from tests.support.sessions import session_of
from tests.support.trading import one, rows, run
from trading.market import calendars
from trading.market.calendars import (
    Holiday,
    add_missing_sessions,
    days,
    find_sessions,
    import_holidays,
    import_sessions,
    last_known_day,
    make_sessions,
)
from trading.rules.errors import NotFound
from trading.rules.sessions import INDIAN_TIME, default_sessions

FIRST, LAST = date(2026, 11, 2), date(2026, 11, 13)  # two weeks from Monday to Friday
DIWALI, SUNDAY = date(2026, 11, 10), date(2026, 11, 8)


def made():
    return [(row["day"], row["class"], row["kind"]) for row in rows("SELECT * FROM session ORDER BY opens_at, class")]


def test_without_a_calendar_there_are_no_sessions(clean):
    assert days(None) is None
    assert calendars.is_open(None, datetime.now(INDIAN_TIME), "NORMAL")


def test_the_sessions_are_made_from_the_defaults_and_the_holidays(clean):
    import_holidays([("NSE", DIWALI, "Diwali"), Holiday("NSE", FIRST, "Gurpurb", "SETTLEMENT")])
    assert make_sessions("NSE", FIRST, LAST) == 18
    assert find_sessions("NSE", FIRST, LAST) == sorted(
        default_sessions(FIRST, LAST, {DIWALI}), key=lambda one: (one.opens_at, one.session_class)
    )
    assert days("NSE").of_day(DIWALI, "NORMAL") is None
    assert days("NSE").of_day(FIRST, "AUCTION") is not None
    assert days("NSE").settles_on(FIRST - timedelta(days=3)) == date(2026, 11, 3)
    assert days("NSE").last_day == LAST


def test_sessions_are_made_again_without_those_of_new_holidays(clean):
    make_sessions("NSE", FIRST, LAST)
    assert make_sessions("NSE", FIRST, LAST) == 20
    assert len(made()) == 20
    import_holidays([("NSE", DIWALI, "Diwali")])
    assert make_sessions("NSE", FIRST, LAST) == 18
    assert DIWALI not in {day for day, *_ in made()}


def test_making_sessions_leaves_other_days_and_exceptions(clean):
    make_sessions("NSE", FIRST, LAST)
    short = session_of(FIRST, closes=time(12))
    import_sessions("NSE", [short, session_of(SUNDAY)])
    make_sessions("NSE", FIRST, date(2026, 11, 8))
    assert days("NSE").of_day(FIRST, "NORMAL").closes_at == short.closes_at
    assert days("NSE").of_day(FIRST, "AUCTION").kind == "REGULAR"
    assert (SUNDAY, "NORMAL", "SPECIAL") in made()
    assert len(made()) == 21


def test_a_day_that_becomes_a_holiday_is_closed_at_once_but_for_exceptions(clean):
    make_sessions("NSE", FIRST, LAST)
    assert days("NSE").is_trading_day(DIWALI)
    import_holidays([("NSE", DIWALI, "Diwali")])
    assert not days("NSE").is_trading_day(DIWALI)
    import_sessions("NSE", [session_of(DIWALI, opens=time(18), closes=time(19))])
    assert days("NSE").of_day(DIWALI, "NORMAL").opens_at == datetime(2026, 11, 10, 18, tzinfo=INDIAN_TIME)
    assert days("NSE").of_day(DIWALI, "AUCTION") is None
    import_holidays([Holiday("NSE", DIWALI, "Diwali", "SETTLEMENT")])
    assert days("NSE").of_day(DIWALI, "AUCTION") is not None


def test_the_last_of_several_sessions_of_a_day_counts(clean):
    assert import_sessions("NSE", [session_of(SUNDAY, closes=time(hour)) for hour in (10, 11)]) == 1
    assert days("NSE").of_day(SUNDAY, "NORMAL").closes_at == datetime(2026, 11, 8, 11, tzinfo=INDIAN_TIME)


def test_missing_sessions_are_added_to_the_end_of_the_known_holidays(clean):
    today = calendars.today()
    assert last_known_day("NSE") == date(today.year, 12, 31)
    import_holidays([("NSE", date(today.year + 1, 1, 26), "Republic Day")])
    assert last_known_day("NSE") == date(today.year + 1, 12, 31)
    import_sessions("NSE", [session_of(today, closes=time(0, 1))])
    is_weekend = today.weekday() >= 5
    usual = default_sessions(today, last_known_day("NSE"), {date(today.year + 1, 1, 26)})
    assert add_missing_sessions("NSE") == len(usual) - (not is_weekend)
    assert add_missing_sessions("NSE") == 0
    assert days("NSE").of_day(today, "NORMAL").kind == "SPECIAL"


def test_sessions_changed_by_another_process_are_seen_within_a_minute(clean, monkeypatch):
    assert calendars.REMEMBERED_S <= 60
    make_sessions("NSE", FIRST, LAST)
    assert days("NSE").is_trading_day(DIWALI)
    monkeypatch.setattr(calendars, "REMEMBERED_S", 0.2)
    run("INSERT INTO market_holiday (calendar, day, name) VALUES ('NSE', %s, 'Diwali')", DIWALI)
    wait_until(lambda: not days("NSE").is_trading_day(DIWALI))
    run("DELETE FROM market_holiday")
    wait_until(lambda: days("NSE").is_trading_day(DIWALI))


def test_sessions_are_read_once_a_minute(clean):
    assert days("NSE") is days("NSE")


@pytest.mark.parametrize(
    ("opens", "closes", "square_off"),
    [
        ("2026-11-08T18:00+05:30", "2026-11-08T18:00+05:30", None),
        ("2026-11-07T23:59+05:30", "2026-11-08T18:00+05:30", None),
        ("2026-11-08T18:00+05:30", "2026-11-09T00:00+05:30", None),
        ("2026-11-08T18:00+05:30", "2026-11-08T19:00+05:30", "2026-11-08T19:01+05:30"),
        ("2026-11-08T18:00+05:30", "2026-11-08T19:00+05:30", "2026-11-08T18:00+05:30"),
    ],
)
def test_the_database_refuses_a_session_that_is_out_of_order(clean, opens, closes, square_off):
    with pytest.raises(IntegrityError):
        run(
            "INSERT INTO session (calendar, day, class, opens_at, closes_at, square_off_at)"
            " VALUES ('NSE', '2026-11-08', 'NORMAL', %s, %s, %s)",
            opens,
            closes,
            square_off,
        )
    assert one("SELECT count(*) FROM session") == 0


def test_holidays_are_listed_in_their_order(clean):
    given = [Holiday("NSE", DIWALI, "Diwali"), Holiday("NSE", FIRST, "Gurpurb", "SETTLEMENT")]
    import_holidays(given)
    assert calendars.holidays("NSE") == [given[1], given[0]]
    assert calendars.holidays("NSE", FIRST, DIWALI) == [given[1], given[0]]
    assert calendars.holidays("NSE", FIRST, FIRST) == [given[1]]


def test_a_day_that_is_no_holiday_any_more_is_traded(clean):
    import_holidays([("NSE", DIWALI, "Diwali"), ("NSE", SUNDAY, "A Sunday")])
    make_sessions("NSE", FIRST, LAST)
    assert days("NSE").of_day(DIWALI, "NORMAL") is None
    assert calendars.remove_holiday("NSE", DIWALI) == Holiday("NSE", DIWALI, "Diwali")
    assert days("NSE").of_day(DIWALI, "NORMAL") is not None
    assert find_sessions("NSE", DIWALI, DIWALI) == sorted(
        default_sessions(DIWALI, DIWALI, ()), key=lambda one: (one.opens_at, one.session_class)
    )
    calendars.remove_holiday("NSE", SUNDAY)
    assert find_sessions("NSE", SUNDAY, SUNDAY) == []
    with pytest.raises(NotFound):
        calendars.remove_holiday("NSE", DIWALI)


def test_a_removed_holiday_keeps_exceptions_and_makes_no_day_beyond_the_known_ones(clean):
    later = LAST + timedelta(days=3)
    import_holidays([("NSE", DIWALI, "Diwali"), ("NSE", later, "Later")])
    make_sessions("NSE", FIRST, LAST)
    import_sessions("NSE", [session_of(DIWALI, closes=time(12))])
    calendars.remove_holiday("NSE", DIWALI)
    assert days("NSE").of_day(DIWALI, "NORMAL") == session_of(DIWALI, closes=time(12))
    assert days("NSE").of_day(DIWALI, "AUCTION").kind == "REGULAR"
    calendars.remove_holiday("NSE", later)
    assert find_sessions("NSE", later, later) == []
