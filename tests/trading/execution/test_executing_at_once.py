"""Concurrent executions fill each order once."""

import functools
import random

import pytest

from tests.support.trading import at_once, buy, execute, execute_all, one, order_now, rows, run, sell
from trading.execution.executing import Outcome, execute_orders
from trading.upkeep import verify


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def test_eight_threads_on_the_same_orders_fill_each_once(trader, account):
    traders = [trader, account().id, account().id]
    orders = [buy(who, 1, "10.00") for who in traders for _ in range(10)]
    expected = len(orders)

    def work(seed):
        mine = random.Random(seed).sample(orders, len(orders))
        done = 0
        while any(order_now(order)["status"] == "PENDING" for order in mine):
            done += sum(execute_orders([order["id"]]).executed for order in mine)
        return done

    assert sum(at_once([functools.partial(work, seed) for seed in range(8)])) == expected
    assert sum(row["quantity"] for row in rows("SELECT quantity FROM position")) == expected


def test_eight_threads_with_the_same_batch_share_it(trader):
    orders = [buy(trader, 2, "10.00") for _ in range(20)]
    outcomes = at_once([functools.partial(execute, *orders)] * 8)
    assert sum(outcome.executed for outcome in outcomes) == 20
    assert sum(outcome.skipped for outcome in outcomes) == 7 * 20
    assert one("SELECT quantity FROM position") == 40


def test_one_message_delivered_a_hundred_times_fills_once(trader):
    order = buy(trader, 3, "10.00")
    outcomes = [outcome for _ in range(10) for outcome in at_once([functools.partial(execute, order)] * 10)]
    assert sum(outcome.executed for outcome in outcomes) == 1
    assert one("SELECT quantity FROM position") == 3


def test_the_first_position_of_a_stock_is_opened_once(trader):
    for number in range(10):
        orders = [buy(trader, 1, "10.00", symbol=f"S{number}") for _ in range(4)]
        assert at_once([functools.partial(execute_all, order) for order in orders]) == [1] * 4
        assert one("SELECT quantity FROM position WHERE symbol = %s", f"S{number}") == 4


def test_a_locked_order_is_skipped_without_waiting(trader, connect):
    held, free = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    other = connect()
    other.cursor().execute("SELECT 1 FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(held["id"]),))
    assert execute(held, free) == Outcome(executed=1, rejected=0, skipped=1)
    other.rollback()
    assert execute(held) == Outcome(executed=1, rejected=0, skipped=0)


def test_an_order_that_a_sweep_has_tried_is_left_to_sweeping(trader):
    order = buy(trader, 1, "10.00")
    run("UPDATE trading_order SET retry_at = clock_timestamp()")
    assert execute_orders([order["id"]], unsuspected_only=True) == Outcome(0, 0, 1)
    assert execute_orders([order["id"]]) == Outcome(1, 0, 0)


def test_placements_between_executions_keep_the_ledgers_right(trader):
    def trade(place):
        return [execute_all(place(trader, 1, "10.00")) for _ in range(15)]

    at_once([functools.partial(trade, buy), functools.partial(trade, sell)] * 3)
    assert one("SELECT sum(quantity) FROM position") == 0
