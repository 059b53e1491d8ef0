"""A batch leaves held rows at once; a busy account is then waited for alone and briefly."""

import threading
import time
from types import SimpleNamespace

import pytest

from tests.support.processes import wait_until
from tests.support.trading import buy, execute, hold, one, order_now, row_of, rows, run
from trading.execution import patience
from trading.execution.awaiting import WAIT_LOCK_KEY
from trading.execution.executing import Outcome
from trading.execution.patience import HeldAccounts, execute_patiently
from trading.execution.sweeping import MAX_ATTEMPTS, SweepCounts, sweep_once
from trading.upkeep import verify

ACCOUNT = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"
POSITION = "SELECT FROM position WHERE account_id = %s FOR NO KEY UPDATE"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture(autouse=True)
def ledgers_are_right(clean, monkeypatch):
    monkeypatch.setattr(patience, "held", HeldAccounts())
    yield
    assert verify.verify() == []


@pytest.fixture
def holder(connect):
    """Return a function that locks rows of an account in another session and returns that session."""

    def take(statement, account_id):
        other = connect()
        other.cursor().execute(statement, (str(account_id),))
        return other

    return take


def statuses(*orders):
    return [order_now(order)["status"] for order in orders]


def marks():
    return [(row["attempts"], row["retry_at"]) for row in rows("SELECT attempts, retry_at FROM trading_order")]


def test_a_batch_leaves_the_orders_of_a_held_account(trader, account, holder):
    stuck, free = buy(trader, 1, "10.00"), buy(account().id, 1, "10.00")
    other = holder(ACCOUNT, trader)
    assert execute(stuck, free) == Outcome(1, 0, 1, {trader: [stuck["id"]]})
    other.rollback()
    assert execute(stuck) == Outcome(1, 0, 0)


def test_a_batch_leaves_the_orders_of_a_held_position(trader, holder):
    position = hold(trader, "BUY", 5, "10.00", symbol="TCS")
    other = holder(POSITION, trader)
    stuck, free = buy(trader, 1, "10.00", symbol="TCS"), buy(trader, 1, "10.00", symbol="INFY")
    assert execute(stuck, free) == Outcome(1, 0, 1, {trader: [stuck["id"]]})
    assert row_of("position", position["id"])["quantity"] == 5
    other.rollback()
    assert execute(stuck) == Outcome(1, 0, 0)
    assert row_of("position", position["id"])["quantity"] == 6


def test_an_account_that_is_released_soon_is_waited_for(trader, holder, monkeypatch):
    monkeypatch.setattr(patience, "WAIT_S", 20.0)
    order, other = buy(trader, 1, "10.00"), holder(ACCOUNT, trader)
    outcomes = []
    waiting = threading.Thread(target=lambda: outcomes.append(execute_patiently([order["id"]])))
    waiting.start()
    wait_until(lambda: rows(WAITING), what="it waits for the account")
    other.rollback()
    waiting.join(20)
    assert outcomes == [Outcome(1, 0, 0)]


def test_a_busy_account_is_tried_again_without_waiting_while_another_worker_waits(trader, holder, connect, monkeypatch):
    monkeypatch.setattr(patience, "WAIT_S", 20.0)
    order, other, waiter = buy(trader, 1, "10.00"), holder(ACCOUNT, trader), connect()
    waiter.cursor().execute("SELECT pg_advisory_xact_lock(%s)", (WAIT_LOCK_KEY,))
    looks = []

    def look(_):
        looks.append(bool(rows(WAITING)))
        other.rollback()

    monkeypatch.setattr(patience, "time", SimpleNamespace(monotonic=time.monotonic, sleep=look))
    assert execute_patiently([order["id"]]) == Outcome(1, 0, 0)
    assert looks == [False]


def test_an_account_that_stays_held_is_not_waited_for_again_for_a_while(trader, account, holder, logged):
    stuck, free = buy(trader, 1, "10.00"), buy(account().id, 1, "10.00")
    other = holder(ACCOUNT, trader)
    outcome = execute_patiently([stuck["id"], free["id"]])
    assert outcome == Outcome(1, 0, 1, {trader: [stuck["id"]]})
    assert patience.held.now() == {trader}
    assert [entry["account_id"] for entry in logged if entry["event"] == "account_held"] == [str(trader)]
    assert execute_patiently([stuck["id"]]).busy  # not waited for again
    assert len([entry for entry in logged if entry["event"] == "account_held"]) == 1
    other.rollback()
    assert execute_patiently([stuck["id"]]) == Outcome(1, 0, 0)


def test_an_account_that_was_held_is_forgotten_again(trader, monkeypatch):
    monkeypatch.setattr(patience, "HELD_FOR_S", 0.0)
    held = HeldAccounts()
    held.add(trader)
    assert held.now() == set()


def test_a_sweep_goes_on_to_the_next_orders_behind_those_of_a_busy_account(trader, account, holder):
    stuck = [buy(trader, 1, "10.00") for _ in range(5)]
    free = [buy(account().id, 1, "10.00") for _ in range(4)]
    other = holder(ACCOUNT, trader)
    assert sweep_once(limit=3) == SweepCounts(claimed=3, executed=3, busy=3)
    assert statuses(*free) == ["EXECUTED"] * 3 + ["PENDING"]
    assert statuses(*stuck) == ["PENDING"] * 5
    assert [order_now(order)["retry_at"] for order in stuck] == [None] * 5
    other.rollback()
    assert sweep_once(limit=50) == SweepCounts(claimed=6, executed=6)


def test_an_order_of_a_busy_account_loses_its_mark_and_counts_no_attempt(trader, holder):
    buy(trader, 1, "10.00")
    other = holder(ACCOUNT, trader)
    for _ in range(MAX_ATTEMPTS + 2):
        assert sweep_once(limit=50) == SweepCounts(busy=1)
        assert marks() == [(0, None)]
    other.rollback()
    assert sweep_once(limit=50).executed == 1


def test_suspects_of_a_busy_account_count_no_attempt(trader, holder):
    orders = [buy(trader, 1, "10.00") for _ in range(3)]
    run("UPDATE trading_order SET retry_at = clock_timestamp(), attempts = 2")
    other = holder(ACCOUNT, trader)
    for _ in range(MAX_ATTEMPTS + 2):
        assert sweep_once(limit=50) == SweepCounts(busy=3)
    assert [attempts for attempts, _ in marks()] == [2, 2, 2]
    other.rollback()
    assert sweep_once(limit=50).executed == 3
    assert statuses(*orders) == ["EXECUTED"] * 3


def test_an_order_after_its_last_attempt_is_rejected_once_its_account_is_free(trader, holder):
    order = buy(trader, 1, "10.00")
    run("UPDATE trading_order SET retry_at = clock_timestamp(), attempts = %s", MAX_ATTEMPTS)
    other = holder(ACCOUNT, trader)
    assert sweep_once(limit=50) == SweepCounts(claimed=1)
    assert (statuses(order), one("SELECT attempts FROM trading_order")) == (["PENDING"], MAX_ATTEMPTS)
    other.rollback()
    assert sweep_once(limit=50) == SweepCounts(claimed=1, rejected=1)


def test_a_sweep_leaves_out_the_given_accounts(trader, account, holder):
    stuck, free = buy(trader, 1, "10.00"), buy(account().id, 1, "10.00")
    assert sweep_once(limit=50, but={trader}) == SweepCounts(claimed=1, executed=1)
    assert statuses(stuck, free) == ["PENDING", "EXECUTED"]
