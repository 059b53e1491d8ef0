"""Work that is done once a day: claimed, repeated after a failure, skipped, and taken over from a dead process."""

import threading
from datetime import date

import pytest

from tests.support.trading import one, rows, run
from trading.day import jobs
from trading.day.jobs import Progress

DAY = date(2026, 11, 2)
NAME = "settlement"


@pytest.fixture(autouse=True)
def empty(clean):
    pass


def do(work, patience_s=5.0):
    return jobs.run_daily(NAME, DAY, work, patience_s=patience_s)


def test_the_work_of_a_day_is_done_once():
    calls = []
    assert do(lambda: calls.append(1))
    assert do(lambda: calls.append(1))
    assert calls == [1]
    assert jobs.is_done(NAME, DAY)
    assert not jobs.is_done(NAME, date(2026, 11, 3))
    assert not jobs.is_done("release", DAY)


def test_work_goes_on_while_there_is_more():
    states = [Progress.MORE, Progress.MORE, Progress.DONE]
    assert do(lambda: states.pop(0))
    assert states == []


def test_work_that_is_over_its_time_goes_on_at_the_next_call():
    states = [Progress.MORE, Progress.MORE, Progress.DONE]
    assert not do(lambda: states.pop(0), patience_s=0.0)
    assert len(states) == 2
    assert do(lambda: states.pop(0))


def test_work_that_waits_is_not_done():
    assert not do(lambda: Progress.LATER)
    assert not jobs.is_done(NAME, DAY)
    assert do(lambda: Progress.DONE)


def test_work_that_raises_is_due_again():
    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        do(fail)
    assert do(lambda: None)


def test_two_processes_do_not_do_the_same_work_at_once():
    begun, may_end = threading.Event(), threading.Event()

    def wait():
        begun.set()
        assert may_end.wait(10)

    first = threading.Thread(target=do, args=(wait,))
    first.start()
    assert begun.wait(10)
    assert not do(lambda: pytest.fail("this is done by another process"))
    may_end.set()
    first.join(10)
    assert jobs.is_done(NAME, DAY)


@pytest.mark.parametrize("seconds", [-1, 3600])  # the process has died; the clock was set back
def test_a_claim_that_is_over_or_void_is_taken_over(seconds):
    run("INSERT INTO job_run (day, name) VALUES (%s, %s)", DAY, NAME)
    run("UPDATE job_run SET claimed_until = clock_timestamp() + %s * interval '1 s'", seconds)
    assert do(lambda: None)


def test_a_fresh_claim_is_respected():
    run("INSERT INTO job_run (day, name) VALUES (%s, %s)", DAY, NAME)
    run("UPDATE job_run SET claimed_until = clock_timestamp() + interval '10 s'")
    assert not do(lambda: pytest.fail("another process has the claim"))


def test_a_skipped_day_is_done_until_it_is_repeated():
    assert jobs.skip(NAME, DAY)
    assert not jobs.skip(NAME, DAY)
    assert do(lambda: pytest.fail("the day is skipped"))
    assert one("SELECT detail FROM job_run") == {"skipped": True}
    assert jobs.repeat(NAME, DAY)
    assert not jobs.repeat(NAME, DAY)
    calls = []
    assert do(lambda: calls.append(1))
    assert calls == [1]
    assert one("SELECT detail FROM job_run") == {}


def test_the_runs_of_some_days_are_listed():
    jobs.skip(NAME, date(2026, 10, 30))
    jobs.skip(NAME, DAY)
    assert [run["day"] for run in jobs.list_runs(DAY)] == [DAY]
    assert len(rows("SELECT FROM job_run")) == 2
