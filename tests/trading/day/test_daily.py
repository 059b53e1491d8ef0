"""The daily work as a whole: what fails keeps nothing else from being done."""

from datetime import date

import pytest

from models.database import DatabaseUnavailable
from tests.support.trading import one, rows
from trading.day import daily, jobs, settling
from trading.day.jobs import Progress
from trading.day.settling import Settlement


def fail():
    raise ZeroDivisionError


def unavailable():
    raise DatabaseUnavailable("away")


def test_work_that_fails_keeps_nothing_else_from_being_done(clean, monkeypatch, logged):
    done = []
    monkeypatch.setattr(daily, "WORKS", {"bad": fail, "good": lambda: done.append(1) or True})
    assert not daily.do_daily_work()
    assert done == [1]
    assert "daily_work_failed" in [line["event"] for line in logged]


def test_a_database_that_is_away_ends_the_work(clean, monkeypatch):
    monkeypatch.setattr(daily, "WORKS", {"bad": unavailable})
    with pytest.raises(DatabaseUnavailable):
        daily.do_daily_work()


def test_settlement_is_done_once_a_day(clock, set_up):
    clock("2026-11-02 09:00")
    assert daily.behind_s()["settlement"] >= 9 * 3600
    assert daily.do_daily_work()
    assert daily.behind_s() == {"square-off": 0.0, "settlement": 0.0}
    assert rows("SELECT day::text FROM job_run WHERE name = 'settlement' AND finished_at IS NOT NULL") == [
        {"day": "2026-11-02"}
    ]
    clock("2026-11-03 00:00")
    assert 0 <= daily.behind_s()["settlement"] < 60
    assert daily.do_daily_work()
    assert one("SELECT count(*) FROM job_run WHERE name = 'settlement'") == 2


def test_settlement_that_meets_busy_accounts_goes_on_later(clock, monkeypatch):
    clock("2026-11-02 09:00")
    left = [3, 3, 0]
    monkeypatch.setattr(settling, "settle", lambda *_, **__: Settlement(len(left) - 1, left.pop(0)))
    assert settling._work() is Progress.MORE
    assert settling.run_once()
    assert left == []
    assert jobs.is_done("settlement", date(2026, 11, 2))
