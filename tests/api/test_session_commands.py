"""The commands on the sessions of a market."""

import dataclasses
import json
from datetime import date

import pytest

from tests.support.processes import ROOT
from tests.support.trading import rows
from trading.market.calendars import days, import_holidays, last_known_day, make_sessions, today

WEEK = ("--from", "2026-11-02", "--to", "2026-11-08")


@pytest.fixture
def run(app, clean):
    """Return a function that runs a command; the result has exit_code, stdout and stderr."""

    def make(*arguments):
        return app.test_cli_runner().invoke(args=list(arguments))

    return make


@pytest.fixture
def with_calendar(app, settings, monkeypatch):
    """Set MARKET_CALENDAR."""
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))


@pytest.fixture
def import_file(run, tmp_path):
    """Return a function that imports a file of sessions."""

    def make(content):
        path = tmp_path / "sessions.csv"
        path.write_text(content)
        return run("sessions", "import", str(path))

    return make


def test_sessions_are_made_and_shown(run):
    import_holidays([("NSE", date(2026, 11, 3), "Closed")])
    assert run("sessions", "make", *WEEK).stdout == "8 sessions from 2026-11-02 to 2026-11-08\n"
    lines = run("sessions", "show", *WEEK).stdout.splitlines()
    assert len(lines) == 8
    assert lines[0].split() == [
        "2026-11-02",
        "AUCTION",
        "2026-11-02T09:15:00+05:30",
        "2026-11-02T15:15:00+05:30",
        "2026-11-02T15:12:00+05:30",
        "REGULAR",
    ]
    shown = json.loads(run("sessions", "show", "--from", "2026-11-06", "--json").stdout)
    assert [(one["day"], one["class"]) for one in shown] == [("2026-11-06", "AUCTION"), ("2026-11-06", "NORMAL")]


def test_sessions_are_made_from_today_to_the_end_of_the_last_year_with_known_holidays(run):
    import_holidays([("NSE", date(today().year + 1, 1, 26), "Republic Day")])
    assert run("sessions", "make").stdout.endswith(f" from {today()} to {today().year + 1}-12-31\n")


@pytest.mark.parametrize(
    "options", [("--from", "2026-11-08", "--to", "2026-11-02"), ("--from", "8.11.2026"), ("--calendar", "MCX")]
)
def test_a_bad_option_is_refused(run, options):
    result = run("sessions", "make", *options)
    assert result.exit_code != 0
    assert result.stderr
    assert rows("SELECT * FROM session") == []


def test_exceptions_are_imported_for_one_class_or_for_all(run, import_file):
    run("sessions", "make", *WEEK)
    result = import_file(
        "calendar,day,class,opensAt,closesAt,squareOffAt\n"
        "NSE,2026-11-08,,18:00,19:00,\n"
        "NSE,2026-11-06,AUCTION,09:15,12:00:30,11:55\n"
    )
    assert (result.exit_code, result.stdout) == (0, "3 sessions read\n")
    shown = json.loads(run("sessions", "show", "--from", "2026-11-06", "--json").stdout)
    assert [(one["day"], one["class"], one["closesAt"][11:19], one["squareOffAt"], one["kind"]) for one in shown] == [
        ("2026-11-06", "AUCTION", "12:00:30", "2026-11-06T11:55:00+05:30", "SPECIAL"),
        ("2026-11-06", "NORMAL", "15:30:00", "2026-11-06T15:25:00+05:30", "REGULAR"),
        ("2026-11-08", "AUCTION", "19:00:00", None, "SPECIAL"),
        ("2026-11-08", "NORMAL", "19:00:00", None, "SPECIAL"),
    ]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ("MCX,2026-11-08,,18:00,19:00,", "calendar"),
        ("NSE,8.11.2026,,18:00,19:00,", "day"),
        ("NSE,2026-11-08,LATE,18:00,19:00,", "class"),
        ("NSE,2026-11-08,,6 pm,19:00,", "opensAt"),
        ("NSE,2026-11-08,,18:00+05:30,19:00,", "opensAt"),
        ("NSE,2026-11-08,,18:00,,", "closesAt"),
        ("NSE,2026-11-08,,18:00,18:00,", "closesAt"),
        ("NSE,2026-11-08,,18:00,19:00,18:00", "squareOffAt"),
        ("NSE,2026-11-08,,18:00,19:00,19:01", "squareOffAt"),
    ],
)
def test_a_bad_line_refuses_the_file_and_is_named(import_file, line, field):
    result = import_file(f"calendar,day,class,opensAt,closesAt,squareOffAt\nNSE,2026-11-07,,18:00,19:00,\n{line}\n")
    assert result.exit_code == 1
    assert f"line 3, {field}:" in result.stderr
    assert "Not a valid" not in result.stderr
    assert rows("SELECT * FROM session") == []


def test_a_migration_makes_the_missing_sessions_of_the_calendar(run, with_calendar):
    made = run("db", "upgrade")
    assert made.stdout.endswith(f" sessions made, to {today().year}-12-31\n")
    assert days("NSE").last_day is not None
    assert run("db", "upgrade").stdout == ""


def test_without_a_calendar_a_migration_makes_no_sessions(run):
    assert run("db", "upgrade").stdout == ""
    assert rows("SELECT * FROM session") == []


def test_the_holidays_of_the_next_year_bring_its_sessions(run, with_calendar, tmp_path):
    path = tmp_path / "holidays.csv"
    path.write_text(f"calendar,day,name\nNSE,{today().year + 1}-01-26,Republic Day\n")
    first, second = run("holidays", "import", str(path)).stdout.splitlines()
    assert first == "1 holidays read"
    assert second.endswith(f" sessions made, to {today().year + 1}-12-31")


@pytest.mark.parametrize(
    ("days_left", "words"),
    [(None, "no session is known"), (0, "the last known session is that of"), (6, "the last known"), (12, None)],
)
def test_readiness_warns_of_the_end_of_the_sessions(client, with_calendar, days_left, words):
    now = today()
    if days_left is not None:
        last = date.fromordinal(now.toordinal() + days_left)
        make_sessions("NSE", date.fromordinal(now.toordinal() - 7), last)
    answer = client.get("/health/ready").get_json()
    assert answer["status"] == "ok"
    assert (words is None) is ("warnings" not in answer)
    if words is not None:
        assert answer["warnings"][0].startswith(f"NSE: {words}")
        assert "sessions make" in answer["warnings"][0]


def test_without_a_calendar_readiness_warns_of_no_sessions(client):
    assert "warnings" not in client.get("/health/ready").get_json()
    assert last_known_day("NSE").year == today().year


def test_the_exceptions_of_2026_are_a_file_that_can_be_imported(run):
    result = run("sessions", "import", str(ROOT / "data" / "nse-sessions-2026.csv"))
    assert result.stdout == "2 sessions read\n"
    assert [str(row["day"]) for row in rows("SELECT day FROM trading_session")] == ["2026-02-01"] * 2
