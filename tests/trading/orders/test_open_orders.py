"""A request that changes or ends an order holds no lock while it waits for one."""

import functools
import threading

import pytest

from models.database import DatabaseUnavailable
from tests.support.processes import wait_until
from tests.support.trading import at_once, buy, cancel, execute, modify, order_now, rows
from trading.orders import open_orders
from trading.rules.errors import OrderNotOpen
from trading.upkeep import verify

ACCOUNT = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"
ORDER = "SELECT FROM trading_order WHERE id = %s FOR NO KEY UPDATE"
WAITING = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
ACTIONS = pytest.mark.parametrize(
    ("act", "changed"),
    [(cancel, {"status": "CANCELLED"}), (functools.partial(modify, quantity=2), {"quantity": 2})],
    ids=["cancel", "modify"],
)


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def holder(connect):
    """Return a function that locks a row in another session and returns the session."""

    def take(statement, row_id):
        other = connect()
        other.cursor().execute(statement, (str(row_id),))
        return other

    return take


def now(order, changed):
    return {name: order_now(order)[name] for name in changed}


@ACTIONS
@pytest.mark.parametrize("held", ["account", "order"])
def test_a_request_waits_for_one_row_and_holds_no_other(trader, holder, connect, act, changed, held):
    order = buy(trader, 1, "10.00")
    other = holder(ACCOUNT, trader) if held == "account" else holder(ORDER, order["id"])
    acting = threading.Thread(target=act, args=(order,))
    acting.start()
    wait_until(lambda: rows(WAITING), what="the request waits")
    looking = connect()
    free = ORDER if held == "account" else ACCOUNT
    looking.cursor().execute(f"{free} NOWAIT", (str(order["id"] if held == "account" else trader),))
    looking.rollback()
    other.rollback()
    acting.join(10)
    assert now(order, changed) == changed


@ACTIONS
def test_a_request_begins_again_when_the_order_is_locked_after_the_account(trader, holder, connect, act, changed):
    order = buy(trader, 1, "10.00")
    account, row = holder(ACCOUNT, trader), None
    acting = threading.Thread(target=act, args=(order,))
    acting.start()
    wait_until(lambda: rows(WAITING), what="the request waits for the account")
    row = holder(ORDER, order["id"])
    account.rollback()
    wait_until(lambda: rows(f"{WAITING} AND query LIKE '%%FROM trading_order%%'"), what="it waits for the order")
    looking = connect()
    looking.cursor().execute(f"{ACCOUNT} NOWAIT", (str(trader),))
    looking.rollback()
    row.rollback()
    acting.join(10)
    assert now(order, changed) == changed


@ACTIONS
def test_a_request_gives_up_in_time_and_writes_nothing(trader, holder, monkeypatch, act, changed):
    monkeypatch.setattr(open_orders, "LOCK_TIMEOUT_MS", 300)
    order = buy(trader, 1, "10.00")
    holder(ACCOUNT, trader)
    with pytest.raises(DatabaseUnavailable):
        act(order)
    assert order_now(order) == order


@ACTIONS
def test_a_final_order_is_refused_at_once_although_its_account_is_locked(trader, holder, act, changed):
    order = buy(trader, 1, "10.00")
    execute(order)
    holder(ACCOUNT, trader)
    with pytest.raises(OrderNotOpen):
        act(order)


def test_orders_of_a_busy_account_can_be_cancelled(trader):
    orders = [buy(trader, 1, "10.00") for _ in range(8)]
    done = threading.Event()

    def place():
        while not done.is_set():
            buy(trader, 1, "10.00")

    def cancel_all():
        try:
            return [cancel(order)["status"] for order in orders]
        finally:
            done.set()

    *_, statuses = at_once([place] * 5 + [cancel_all])
    assert statuses == ["CANCELLED"] * 8
