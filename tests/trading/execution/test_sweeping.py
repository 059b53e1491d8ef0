"""Sweeps execute the orders that are still PENDING."""

import functools
from datetime import timedelta

import pytest

from tests.support.trading import at_once, buy, cancel, one, order_now, rows, run, sell
from trading.execution.coalescing import execute_promptly
from trading.execution.executing import execute_orders, final_orders
from trading.execution.sweeping import RETRY_PAUSE, TICK_LOCK_KEY, SweepCounts, sweep_once
from trading.upkeep import verify
from trading.upkeep.backlog import count_pending


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def age(order, seconds):
    moved = "placed_at = placed_at - %s, due_at = due_at - %s"
    run(f"UPDATE trading_order SET {moved} WHERE id = %s", *[timedelta(seconds=seconds)] * 2, order["id"])


def statuses(orders):
    return [order_now(order)["status"] for order in orders]


def test_a_sweep_executes_pending_orders(trader):
    orders = [buy(trader, 1, "10.00") for _ in range(3)]
    assert sweep_once(limit=50) == SweepCounts(claimed=3, executed=3, rejected=0, failed=0)
    assert statuses(orders) == ["EXECUTED"] * 3
    assert [order_now(order)["attempts"] for order in orders] == [0, 0, 0]


def test_a_sweep_leaves_orders_that_are_too_young(trader):
    young, old = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    age(old, 61)
    assert sweep_once(limit=50, older_than_ms=60_000).claimed == 1
    assert statuses([young, old]) == ["PENDING", "EXECUTED"]
    assert order_now(young)["retry_at"] is None


def test_a_sweep_of_an_empty_database_does_nothing(clean):
    assert sweep_once(limit=50) == SweepCounts(claimed=0, executed=0, rejected=0, failed=0)
    assert sweep_once(limit=50, older_than_ms=750, exclusive=True) == SweepCounts()


def test_a_sweep_leaves_final_orders(trader):
    cancel(buy(trader, 1, "10.00"))
    execute_orders([buy(trader, 1, "10.00")["id"]])
    assert sweep_once(limit=50).claimed == 0


def test_a_sweep_takes_the_oldest_up_to_its_limit(trader):
    orders = [buy(trader, 1, "10.00") for _ in range(5)]
    age(orders[4], 30)
    age(orders[2], 20)
    assert sweep_once(limit=2) == SweepCounts(claimed=2, executed=2)
    assert statuses(orders) == ["PENDING", "PENDING", "EXECUTED", "PENDING", "EXECUTED"]
    assert sweep_once(limit=50).claimed == 3


def test_orders_of_the_same_instant_are_taken_by_id(trader):
    orders = sorted((buy(trader, 1, "10.00") for _ in range(4)), key=lambda order: order["id"])
    run("UPDATE trading_order SET placed_at = now() - interval '1 s', due_at = now() - interval '1 s'")
    sweep_once(limit=2)
    assert statuses(orders) == ["EXECUTED", "EXECUTED", "PENDING", "PENDING"]


def test_a_sweep_counts_the_orders_that_it_rejects(trader, quote):
    quote("RELIANCE", "10.00")
    buy(trader, 1)
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL")
    sell(trader, 1, "10.00")
    assert sweep_once(limit=50) == SweepCounts(claimed=2, executed=1, rejected=1, failed=0)


@pytest.mark.parametrize("exclusive", [True, False])
def test_only_an_exclusive_sweep_gives_way_to_another_that_is_taking_orders(trader, connect, exclusive):
    order = buy(trader, 1, "10.00")
    other = connect()
    other.cursor().execute("SELECT pg_advisory_xact_lock(%s)", (TICK_LOCK_KEY,))
    assert sweep_once(limit=50, exclusive=exclusive).claimed == (0 if exclusive else 1)
    assert order_now(order)["status"] == ("PENDING" if exclusive else "EXECUTED")
    other.rollback()
    assert sweep_once(limit=50, exclusive=True).claimed == (1 if exclusive else 0)


def test_the_lock_against_double_sweeping_does_not_outlive_the_sweep(trader):
    for _ in range(3):
        buy(trader, 1, "10.00")
        assert sweep_once(limit=50, exclusive=True).executed == 1
    assert one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == 0


def test_concurrent_sweeps_share_the_work_and_fill_each_order_once(trader, account):
    traders = [trader, account().id]
    orders = [buy(traders[number % 2], 1, "10.00") for number in range(60)]

    def work():
        counts = []
        while count_pending():
            counts.append(sweep_once(limit=7))
        return sum(count.executed for count in counts)

    assert sum(at_once([work] * 4)) == len(orders)
    assert one("SELECT sum(quantity) FROM position") == len(orders)
    assert statuses(orders) == ["EXECUTED"] * len(orders)


def test_a_sweep_and_messages_at_once_fill_each_order_once(trader):
    orders = [buy(trader, 1, "10.00") for _ in range(30)]
    work = [functools.partial(execute_orders, [order["id"]]) for order in orders[:6]]
    at_once([functools.partial(sweep_once, limit=50)] * 2 + work)
    while count_pending():
        sweep_once(limit=50)
    assert one("SELECT sum(quantity) FROM position") == 30


def test_a_sweep_skips_a_locked_order_and_executes_it_after_its_release(trader, connect):
    held, free = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    other = connect()
    other.cursor().execute("SELECT 1 FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(held["id"]),))
    assert sweep_once(limit=50) == SweepCounts(claimed=1, executed=1)
    assert statuses([held, free]) == ["PENDING", "EXECUTED"]
    other.rollback()
    assert sweep_once(limit=50).executed == 1
    assert order_now(held)["attempts"] == 0


def test_a_marked_order_is_left_alone_until_its_pause_is_over(trader):
    order = buy(trader, 1, "10.00")
    run("UPDATE trading_order SET retry_at = clock_timestamp() + %s", RETRY_PAUSE)
    assert sweep_once(limit=50).claimed == 0
    assert order_now(order)["status"] == "PENDING"
    run("UPDATE trading_order SET retry_at = clock_timestamp()")
    assert sweep_once(limit=50) == SweepCounts(claimed=1, executed=1)


@pytest.mark.parametrize("older_than_ms", [0, 750])
def test_an_order_from_before_the_clock_went_back_is_taken_at_once(trader, older_than_ms):
    order = buy(trader, 1, "10.00")
    age(order, -120)
    assert sweep_once(limit=50, older_than_ms=older_than_ms) == SweepCounts(claimed=1, executed=1)


def test_a_mark_from_before_the_clock_went_back_is_void(trader):
    order = buy(trader, 1, "10.00")
    run("UPDATE trading_order SET retry_at = clock_timestamp() + %s", RETRY_PAUSE + timedelta(seconds=120))
    assert sweep_once(limit=50) == SweepCounts(claimed=1, executed=1)
    assert order_now(order)["attempts"] == 1  # it was a suspect


def test_orders_from_before_the_clock_went_back_come_after_the_older_ones(trader):
    future, old = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    age(future, -120)
    assert sweep_once(limit=1).executed == 1
    assert statuses([future, old]) == ["PENDING", "EXECUTED"]


def test_a_sweep_executes_a_pending_order_that_the_process_remembers_as_final(trader):
    order, other = buy(trader, 1, "10.00"), buy(trader, 1, "10.00")
    final_orders.add([order["id"], other["id"]])  # as after a failover that has undone their executions
    execute_promptly(order["id"])  # its message seems to be an old one
    assert statuses([order]) == ["PENDING"]
    age(order, 1)
    assert sweep_once(limit=1) == SweepCounts(claimed=1, executed=1)
    assert statuses([order, other]) == ["EXECUTED", "PENDING"]


def test_an_order_that_could_not_be_executed_is_not_remembered_as_final(trader, connect):
    order = buy(trader, 1, "10.00")
    final_orders.add([order["id"]])
    other = connect()
    other.cursor().execute("SELECT FROM account FOR NO KEY UPDATE")
    assert sweep_once(limit=50) == SweepCounts(busy=1)
    other.rollback()
    execute_promptly(order["id"], trader)
    assert statuses([order]) == ["EXECUTED"]


def test_a_sweep_takes_at_most_500_orders(trader):
    buy(trader, 1, "10.00")
    copies = """
        INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity,
                                   price, closing_quantity, blocked_margin, charges, charge_items)
        SELECT gen_random_uuid(), account_id, stock_id, exchange, symbol, side, product, order_type, quantity,
               0.01, 0, 0, 0, charge_items FROM trading_order, generate_series(1, 500)"""
    run(copies)
    assert sweep_once(limit=10_000).claimed == 500
    assert rows("SELECT 1 FROM trading_order WHERE status = 'PENDING'") == [{"?column?": 1}]
    assert sweep_once(limit=10_000).claimed == 1
