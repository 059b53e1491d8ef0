"""The clock of the market: the sessions of each class of stocks around the present time."""

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
