"""The clock and the calendar of the market: the sessions of each class of stocks, and the holidays."""

import dataclasses
from datetime import date, datetime, time

import pytest

from tests.support.sessions import market_clock_at
from trading.market.calendars import import_holidays, make_sessions
from trading.rules.sessions import INDIAN_TIME

MONDAY = date(2026, 11, 2)


@pytest.fixture
def clock_at(app, client, account, settings, monkeypatch, clean):
    """Return a function that gives the clock at an Indian time, with a calendar or without."""
    trader = account()

    def read(moment, *, calendar="NSE", square_off_time=None):
        changed = dataclasses.replace(settings, market_calendar=calendar, square_off_time=square_off_time)
        monkeypatch.setitem(app.config, "SETTINGS", changed)
        with market_clock_at(datetime.fromisoformat(moment).replace(tzinfo=INDIAN_TIME)):
            answer = client.get("/api/market/clock", headers=trader.headers)
        assert answer.status_code == 200
        return answer.get_json()

    return read


def of(session_class, is_open, *times):
    names = ("opensAt", "closesAt", "squareOffAt", "nextOpensAt")
    return {"sessionClass": session_class, "open": is_open, **dict(zip(names, times, strict=True))}


def utc(day, clock):
    return f"2026-11-{day:02}T{clock}:00.000000Z"


def test_without_a_calendar_the_market_is_open_until_midnight_in_india(clock_at):
    assert clock_at("2026-11-02 23:59:59", calendar=None) == {
        "at": "2026-11-02T18:29:59.000000Z",
        "calendar": None,
        "sessions": [of("NORMAL", True, None, utc(2, "18:30"), None, None)],
    }


def test_without_a_calendar_the_square_off_is_that_of_the_settings(clock_at):
    (session,) = clock_at("2026-11-02 00:00", calendar=None, square_off_time=time(15, 20))["sessions"]
    assert session == of("NORMAL", True, None, utc(2, "18:30"), utc(2, "09:50"), None)


@pytest.mark.parametrize(
    ("moment", "normal", "auction"),
    [
        # before the opening: the session to come
        (
            "2026-11-02 09:14:59.999999",
            of("NORMAL", False, utc(2, "03:45"), utc(2, "10:00"), utc(2, "09:55"), utc(2, "03:45")),
            of("AUCTION", False, utc(2, "03:45"), utc(2, "09:45"), utc(2, "09:42"), utc(2, "03:45")),
        ),
        # in the session: its times, and the next opening, behind a holiday
        (
            "2026-11-02 09:15",
            of("NORMAL", True, utc(2, "03:45"), utc(2, "10:00"), utc(2, "09:55"), utc(4, "03:45")),
            of("AUCTION", True, utc(2, "03:45"), utc(2, "09:45"), utc(2, "09:42"), utc(4, "03:45")),
        ),
        # one class has closed, the other one has not
        (
            "2026-11-02 15:15",
            of("NORMAL", True, utc(2, "03:45"), utc(2, "10:00"), utc(2, "09:55"), utc(4, "03:45")),
            of("AUCTION", False, utc(4, "03:45"), utc(4, "09:45"), utc(4, "09:42"), utc(4, "03:45")),
        ),
        # in the last known session, and behind it
        (
            "2026-11-04 15:20",
            of("NORMAL", True, utc(4, "03:45"), utc(4, "10:00"), utc(4, "09:55"), None),
            of("AUCTION", False, None, None, None, None),
        ),
    ],
)
def test_each_class_shows_its_open_session_or_its_next_one(clock_at, moment, normal, auction):
    import_holidays([("NSE", date(2026, 11, 3), "A holiday")])
    make_sessions("NSE", MONDAY, date(2026, 11, 4))
    clock = clock_at(moment)
    assert clock["calendar"] == "NSE"
    assert clock["sessions"] == [normal, auction]


@pytest.fixture
def calendar_of(app, client, account, settings, monkeypatch):
    """Return a function that gives the response to a query of the calendar, of NSE or of none."""
    trader = account()

    def read(query, *, calendar="NSE"):
        monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar=calendar))
        return client.get(f"/api/market/calendar?{query}", headers=trader.headers)

    return read


def test_the_calendar_has_the_sessions_and_the_holidays_of_its_days(calendar_of):
    import_holidays(
        [("NSE", date(2026, 11, 3), "A holiday"), ("NSE", date(2026, 11, 4), "A bank holiday", "SETTLEMENT")]
    )
    make_sessions("NSE", MONDAY, date(2026, 11, 5))
    normal = {"sessionClass": "NORMAL", "kind": "REGULAR"}
    auction = {"sessionClass": "AUCTION", "kind": "REGULAR"}

    def hours(day, closes, square_off):
        times = {"opensAt": utc(day, "03:45"), "closesAt": utc(day, closes), "squareOffAt": utc(day, square_off)}
        return {"day": f"2026-11-{day:02}", **times}

    assert calendar_of("from=2026-11-02&to=2026-11-04").get_json() == {
        "calendar": "NSE",
        "from": "2026-11-02",
        "to": "2026-11-04",
        "sessions": [
            auction | hours(2, "09:45", "09:42"),
            normal | hours(2, "10:00", "09:55"),
            auction | hours(4, "09:45", "09:42"),
            normal | hours(4, "10:00", "09:55"),
        ],
        "holidays": [
            {"day": "2026-11-03", "name": "A holiday", "kind": "TRADING"},
            {"day": "2026-11-04", "name": "A bank holiday", "kind": "SETTLEMENT"},
        ],
    }


def test_the_calendar_begins_today_and_is_empty_without_a_market_calendar(calendar_of):
    with market_clock_at(datetime(2026, 11, 2, 23, 59, tzinfo=INDIAN_TIME)):
        empty = {"sessions": [], "holidays": []}
        assert calendar_of("").get_json() == {"calendar": "NSE", "from": "2026-11-02", "to": "2026-12-02", **empty}
        unset = calendar_of("to=2026-11-02", calendar=None)
        assert unset.get_json() == {"calendar": None, "from": "2026-11-02", "to": "2026-11-02", **empty}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-11-03&to=2026-11-02", "to"),
        ("from=2026-01-01&to=2027-01-03", "to"),
        ("from=20261102", "from"),
        ("from=2026-02-30", "from"),
        ("to=today", "to"),
        ("day=2026-11-02", "day"),
    ],
)
def test_bad_days_of_the_calendar_are_refused(calendar_of, query, field):
    response = calendar_of(query)
    assert (response.status_code, set(response.get_json()["errors"])) == (422, {field})


@pytest.mark.parametrize("query", ["from=9999-12-31", "from=0001-01-01&to=0001-01-01", "from=2026-01-01&to=2027-01-02"])
def test_the_ends_of_the_calendar_are_days_too(calendar_of, query):
    assert calendar_of(query).status_code == 200
