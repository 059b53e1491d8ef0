"""Poison orders, whose execution raises or kills the process, are isolated and rejected."""

import subprocess
import sys

import pytest

from models.database import DatabaseUnavailable
from tests.support.processes import ROOT, wait_until
from tests.support.trading import account_now, buy, cancel, ledger_of, order_now, rows, run
from trading.execution.sweeping import MAX_ATTEMPTS, SweepCounts, sweep_once
from trading.upkeep import verify

RAISE = "RAISE EXCEPTION 'poison'"
TERMINATE = "PERFORM pg_terminate_backend(pg_backend_pid())"


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def those(*orders):
    return "NEW.id IN (" + ", ".join(f"'{order['id']}'" for order in orders) + ")"


def statuses(*orders):
    return [order_now(order)["status"] for order in orders]


def attempts(*orders):
    return [order_now(order)["attempts"] for order in orders]


def end_the_pause():
    run("UPDATE trading_order SET retry_at = clock_timestamp() WHERE status = 'PENDING' AND retry_at > now()")


def test_the_other_orders_of_a_poisoned_batch_are_executed_in_the_same_sweep(trader, trigger):
    before, poison, after = (buy(trader, 1, "10.00") for _ in range(3))
    trigger(those(poison), RAISE)
    assert sweep_once(limit=50) == SweepCounts(claimed=3, executed=2, rejected=0, failed=1)
    assert statuses(before, poison, after) == ["EXECUTED", "PENDING", "EXECUTED"]
    assert attempts(poison) == [1]


def test_a_poison_order_is_rejected_and_refunded_after_five_attempts_made_alone(trader, trigger):
    before = account_now(trader)
    poison = buy(trader, 10, "100.00")
    trigger(those(poison), RAISE)
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert sweep_once(limit=50) == SweepCounts(claimed=1, failed=1)
        assert (attempts(poison), statuses(poison)) == ([attempt], ["PENDING"])
    assert MAX_ATTEMPTS == 5
    assert sweep_once(limit=50) == SweepCounts(claimed=1, rejected=1)
    rejected = order_now(poison)
    assert (rejected["status"], rejected["rejection_reason"]) == ("REJECTED", "execution_failed")
    assert ledger_of(poison)[2:] == [
        ("MARGIN_RELEASE", poison["blocked_margin"]),
        ("CHARGES_REFUND", poison["charges"]),
    ]
    assert account_now(trader)["available_margin"] == before["available_margin"]
    assert sweep_once(limit=50) == SweepCounts()


def test_a_failed_attempt_leaves_nothing_of_its_fill(trader, trigger):
    poison = buy(trader, 10, "100.00")
    before = account_now(trader)
    trigger(those(poison), RAISE)
    sweep_once(limit=50)
    assert account_now(trader) == before
    assert rows("SELECT 1 FROM position") == []


def test_orders_behind_a_poison_order_are_executed(trader, trigger):
    poison = buy(trader, 1, "10.00")
    trigger(those(poison), RAISE)
    for _ in range(MAX_ATTEMPTS + 1):
        innocent = buy(trader, 1, "10.00")
        sweep_once(limit=50)
        assert statuses(innocent) == ["EXECUTED"]
    assert statuses(poison) == ["REJECTED"]


def test_two_poison_orders_are_rejected_without_affecting_a_third_order(trader, trigger):
    poisons = [buy(trader, 1, "10.00") for _ in range(2)]
    innocent = buy(trader, 1, "10.00")
    trigger(those(*poisons), RAISE)
    for _ in range(MAX_ATTEMPTS + 1):
        sweep_once(limit=50)
    assert statuses(*poisons, innocent) == ["REJECTED", "REJECTED", "EXECUTED"]


def test_a_poison_order_is_executed_once_its_cause_is_gone(trader, trigger):
    poison = buy(trader, 1, "10.00")
    trigger(those(poison), RAISE)
    sweep_once(limit=50)
    run("DROP TRIGGER test_trap ON trading_order")
    assert sweep_once(limit=50).executed == 1


def test_a_poison_order_can_be_cancelled(trader, trigger):
    poison = buy(trader, 1, "10.00")
    trigger(those(poison), RAISE)
    sweep_once(limit=50)
    assert cancel(poison)["status"] == "CANCELLED"


def test_an_attempt_does_not_count_when_the_database_goes_away(trader, trigger):
    order = buy(trader, 1, "10.00")
    trigger(those(order), TERMINATE)
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(DatabaseUnavailable):
            sweep_once(limit=50)
    assert (attempts(order), statuses(order)) == ([0], ["PENDING"])
    run("DROP TRIGGER test_trap ON trading_order")
    assert sweep_once(limit=50).executed == 1


def test_an_attempt_made_alone_does_not_count_when_the_database_goes_away(trader, trigger):
    order = buy(trader, 1, "10.00")
    trigger(those(order), RAISE)
    sweep_once(limit=50)
    trigger(those(order), TERMINATE)
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(DatabaseUnavailable):
            sweep_once(limit=50)
    assert attempts(order) == [1]


def test_suspects_behind_one_that_loses_the_database_count_no_attempt(trader, trigger):
    first, second = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    trigger(those(first), TERMINATE)
    run("UPDATE trading_order SET retry_at = clock_timestamp()")
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(DatabaseUnavailable):
            sweep_once(limit=50)
        end_the_pause()
    assert (attempts(first, second), statuses(first)) == ([0, 0], ["PENDING"])
    assert statuses(second) != ["REJECTED"]


def test_suspects_count_no_attempt_when_the_batch_before_them_loses_the_database(trader, trigger):
    suspect, fresh = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    trigger(those(fresh), TERMINATE)
    run("UPDATE trading_order SET retry_at = clock_timestamp() WHERE id = %s", suspect["id"])
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(DatabaseUnavailable):
            sweep_once(limit=50)
        end_the_pause()
    assert (attempts(suspect), statuses(fresh)) == ([0], ["PENDING"])
    assert statuses(suspect) != ["REJECTED"]


def test_the_other_orders_of_a_broken_batch_count_no_attempt_without_the_database(trader, trigger):
    dying, innocent = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    # as a batch they raise, and alone the first one loses the database
    trigger(
        those(dying, innocent),
        f"IF EXISTS (SELECT 1 FROM trading_order WHERE attempts > 0) THEN {TERMINATE}; ELSE {RAISE}; END IF",
    )
    with pytest.raises(DatabaseUnavailable):
        sweep_once(limit=50)
    assert attempts(dying, innocent) == [0, 0]


def sweep_until_it_hangs_and_kill(database_url):
    """Start a sweep in its own process and kill it during the execution."""
    code = (
        f"from models import database; database.initialise({database_url!r}, pool_size=2, application_name='doomed');"
        "from trading.execution import sweeping; sweeping.sweep_once(limit=50)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    doomed = "FROM pg_stat_activity WHERE application_name = 'doomed' AND wait_event = 'PgSleep'"
    try:
        wait_until(lambda: rows(f"SELECT pid {doomed}") or process.poll() is not None, what="the sweep hangs")
    finally:
        process.kill()
        process.wait(10)
    run(f"SELECT pg_terminate_backend(pid) {doomed}")
    wait_until(lambda: not rows("SELECT 1 FROM pg_stat_activity WHERE application_name = 'doomed'"))


@pytest.mark.slow
def test_a_killed_process_counts_only_the_attempts_that_it_made(trader, trigger, database_url):
    orders = [buy(trader, 1, "10.00") for _ in range(8)]
    trigger(those(*orders), "PERFORM pg_sleep(5)")
    for _ in range(MAX_ATTEMPTS + 1):  # the first dies in the batch, each other one in an attempt made alone
        sweep_until_it_hangs_and_kill(database_url)
        end_the_pause()
    assert sum(attempts(*orders)) <= MAX_ATTEMPTS
    run("DROP TRIGGER test_trap ON trading_order")
    sweep_once(limit=50)
    assert statuses(*orders).count("REJECTED") <= 1
