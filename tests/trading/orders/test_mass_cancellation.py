"""Cancelling many orders beside other transactions that hold some of them."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.database import DatabaseUnavailable
from tests.support.processes import wait_until
from tests.support.trading import account_now, buy, order_now
from tests.trading.orders.quotes_account import place, quote, trade_on_quotes
from trading.accounts import shares
from trading.execution.executing import execute_orders
from trading.orders import mass_cancellation
from trading.orders.mass_cancellation import cancel_orders
from trading.orders.selection import OrderFilter
from trading.rules.errors import OrderNotOpen
from trading.upkeep import verify

ALL = OrderFilter()


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def held_order(trader, connect):
    """Return an order that another transaction has locked, and its connection."""
    order, other = buy(trader, 10, "100.00"), connect()
    with other.cursor() as cursor:
        cursor.execute("SELECT FROM trading_order WHERE id = %s FOR UPDATE", (str(order["id"]),))
    return order, other


@pytest.mark.one_bucket("of the smaller pool of a bucket, one connection is an account's share")
def test_a_busy_order_is_waited_for_while_the_others_are_cancelled_and_nothing_is_held(trader, held_order):
    (busy, holder), free = held_order, buy(trader, 10, "100.00")
    with ThreadPoolExecutor(1) as pool:
        cancelling = pool.submit(cancel_orders, trader, ALL)
        wait_until(lambda: order_now(free)["status"] == "CANCELLED", what="the free order is cancelled")
        later = buy(trader, 1, "100.00")  # it takes the account's lock meanwhile
        assert order_now(busy)["status"] == "PENDING"
        holder.rollback()
        outcome = cancelling.result(10)
    assert [order["id"] for order in outcome.cancelled] == [free["id"], busy["id"]]
    assert (outcome.refused, order_now(later)["status"]) == ({}, "PENDING")


def test_an_order_that_ends_while_it_is_waited_for_is_refused_with_its_new_status(trader, held_order, monkeypatch):
    busy, holder = held_order

    def fill(_, order_ids):
        holder.rollback()
        assert execute_orders(order_ids).executed == 1

    monkeypatch.setattr(mass_cancellation, "wait_for_orders", fill)
    cancelled, refused, _ = cancel_orders(trader, ALL)
    assert (cancelled, list(refused)) == ([], [busy["id"]])
    assert refused[busy["id"]].details == {"order_status": "EXECUTED"}


def test_an_order_that_stays_busy_is_refused_and_the_others_stay_cancelled(trader, held_order, monkeypatch):
    monkeypatch.setattr(mass_cancellation, "LOCK_TIMEOUT_MS", 0)
    (busy, _), free = held_order, buy(trader, 10, "100.00")
    outcome = cancel_orders(trader, ALL)
    assert [order["id"] for order in outcome.cancelled] == [free["id"]]
    assert {order_id: type(error) for order_id, error in outcome.refused.items()} == {busy["id"]: DatabaseUnavailable}


def test_if_nothing_was_cancelled_the_failure_of_the_database_is_raised(trader, held_order, monkeypatch):
    monkeypatch.setattr(mass_cancellation, "LOCK_TIMEOUT_MS", 0)
    with pytest.raises(DatabaseUnavailable):
        cancel_orders(trader, ALL)


def test_an_order_that_the_market_has_traded_is_refused_and_fills(account):
    trader = trade_on_quotes(account("100000.00").id)
    quote("99.95", "100.00", "99.98")
    orders = [place(trader, "BUY", 1, price=price) for price in ("95.00", "80.00")]
    execute_orders([order["id"] for order in orders])
    quote("90.00", "90.00", "90.00")
    matched, resting = (order_now(order) for order in orders)
    outcome = cancel_orders(trader, OrderFilter(statuses=["OPEN"]))
    assert [order["id"] for order in outcome.cancelled] == [resting["id"]]
    (refusal,) = outcome.refused.values()
    assert isinstance(refusal, OrderNotOpen)
    assert refusal.details == {"order_status": "OPEN", "matched_at": matched["matched_at"]}
    execute_orders([matched["id"]])
    assert order_now(matched)["status"] == "EXECUTED"


def test_executions_and_a_cancellation_of_all_end_each_order_once(trader):
    balance = account_now(trader)["balance"]
    orders = [buy(trader, 1, "10.00") for _ in range(60)]
    with ThreadPoolExecutor(3) as pool:
        barrier = threading.Barrier(3)

        def execute(part):
            barrier.wait(10)
            for order in part:
                execute_orders([order["id"]])

        def cancel():
            barrier.wait(10)
            return cancel_orders(trader, ALL)

        working = [pool.submit(execute, part) for part in (orders[::2], orders[1::2])]
        outcome = pool.submit(cancel).result(20)
        for work in working:
            work.result(20)
    statuses = {order["id"]: order_now(order)["status"] for order in orders}
    assert {order["id"] for order in outcome.cancelled} == {
        order_id for order_id, status in statuses.items() if status == "CANCELLED"
    }
    executed = sum(order["charges"] for order in orders if statuses[order["id"]] == "EXECUTED")
    assert account_now(trader)["balance"] == balance - executed


def test_who_waits_for_a_busy_order_holds_a_part_of_the_accounts_share_of_connections(trader, held_order, monkeypatch):
    _, holder = held_order
    used = []

    def look(*_):
        used.append(shares._shares[trader].users)
        holder.rollback()

    monkeypatch.setattr(mass_cancellation, "wait_for_orders", look)
    assert len(cancel_orders(trader, ALL).cancelled) == 1
    assert used == [1]
