"""The triggers write an event for every change of an account, an order or a position."""

import functools

import pytest

from models import database
from tests.models.rows import insert_order, insert_position
from tests.support.trading import at_once, one, rows, run

CANCEL = "UPDATE trading_order SET status = 'CANCELLED'"


def told(account_id):
    """Return the types of an account's events, and assert that their numbers have no gap."""
    events = rows("SELECT id, type FROM event WHERE account_id = %s ORDER BY id", account_id)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert one("SELECT last_event_id FROM account WHERE id = %s", account_id) == len(events)
    return [event["type"] for event in events]


def last_data(account_id):
    return rows("SELECT data FROM event WHERE account_id = %s ORDER BY id DESC LIMIT 1", account_id)[0]["data"]


def test_opening_an_account_is_its_first_event(account_id):
    assert told(account_id) == ["account.updated"]
    assert last_data(account_id)["available_margin"] == 1000


@pytest.mark.parametrize(
    "change",
    ["balance = 1", "blocked_margin = 1", "realized_pnl = 1", "status = 'SUSPENDED'", "name = 'New'"],
)
def test_a_change_of_an_account_is_one_event(account_id, change):
    before = one("SELECT updated_at FROM account")
    run(f"UPDATE account SET {change}")
    assert told(account_id) == ["account.updated"] * 2
    assert one("SELECT updated_at FROM account") > before
    assert last_data(account_id)["available_margin"] == one("SELECT available_margin FROM account")


def test_an_update_that_changes_nothing_is_no_event(account_id):
    run("UPDATE account SET balance = balance, name = name")
    assert told(account_id) == ["account.updated"]


def test_each_change_of_an_order_has_its_event(account_id, stock_id):
    order_id = insert_order(account_id, stock_id)
    run("UPDATE trading_order SET quantity = 5 WHERE id = %s", order_id)
    run("UPDATE trading_order SET status = 'REJECTED', rejection_reason = 'no_price' WHERE id = %s", order_id)
    assert told(account_id) == ["account.updated", "order.pending", "order.modified", "order.rejected"]
    assert last_data(account_id)["rejection_reason"] == "no_price"
    insert_order(account_id, stock_id)
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE status = 'PENDING'")
    assert told(account_id)[-2:] == ["order.pending", "order.cancelled"]


def test_an_execution_is_one_event_of_the_order_and_one_of_its_position(account_id, stock_id):
    insert_order(account_id, stock_id)
    position_id = insert_position(account_id, stock_id)
    run(
        "UPDATE trading_order SET status = 'EXECUTED', filled_quantity = quantity, average_price = 1,"
        " executed_at = now(), position_id = %s",
        position_id,
    )
    assert told(account_id) == ["account.updated", "order.pending", "position.updated", "order.executed"]


@pytest.mark.parametrize(
    "change",
    ["quantity = 5", "price = 5", "closing_quantity = 1", "blocked_margin = 5", "charges = 5", "average_price = 5",
     "charge_items = '{\"gst\": 1}'", "client_order_id = 'x'"],
)  # fmt: skip
def test_each_visible_change_of_a_pending_order_is_an_event(account_id, stock_id, change):
    insert_order(account_id, stock_id)
    run(f"UPDATE trading_order SET {change}")
    assert told(account_id)[1:] == ["order.pending", "order.modified"]


@pytest.mark.parametrize("change", ["attempts = attempts + 1", "retry_at = now()", "attempts = 3, retry_at = NULL"])
def test_counting_attempts_is_no_event(account_id, stock_id, change):
    insert_order(account_id, stock_id)
    run(f"UPDATE trading_order SET {change}")
    assert told(account_id) == ["account.updated", "order.pending"]


def test_a_position_has_an_event_only_if_it_changes(account_id, stock_id):
    insert_position(account_id, stock_id)
    run("UPDATE position SET quantity = 20, cost = 2000")
    run("UPDATE position SET quantity = 20")
    assert told(account_id) == ["account.updated", "position.updated", "position.updated"]
    assert last_data(account_id)["quantity"] == 20


def test_one_statement_over_many_rows_makes_an_event_for_each(account_id, stock_id):
    for _ in range(5):
        insert_order(account_id, stock_id)
    run(CANCEL)
    assert told(account_id) == ["account.updated"] + ["order.pending"] * 5 + ["order.cancelled"] * 5
    ids = rows("SELECT DISTINCT data ->> 'id' FROM event WHERE type = 'order.cancelled'")
    assert len(ids) == 5


def test_a_rollback_leaves_no_gap(account_id, stock_id):
    with database.session(), database.db.atomic() as transaction:
        database.execute("UPDATE account SET balance = 5")
        transaction.rollback()
    insert_order(account_id, stock_id)
    assert told(account_id) == ["account.updated", "order.pending"]


def test_a_rolled_back_savepoint_leaves_no_gap(account_id, stock_id):
    insert_order(account_id, stock_id)
    with database.session(), database.db.atomic():
        database.execute("UPDATE account SET balance = 5")
        with database.db.savepoint() as savepoint:
            database.execute(CANCEL)
            database.execute("UPDATE account SET balance = 6")
            savepoint.rollback()
        database.execute("UPDATE account SET balance = 7")
    assert told(account_id) == ["account.updated", "order.pending", "account.updated", "account.updated"]
    assert last_data(account_id)["balance"] == 7


def test_sessions_at_once_leave_no_gap_and_no_repeat(account_id, stock_id):
    def work(number):
        for _ in range(10):
            insert_order(account_id, stock_id)
            run("UPDATE account SET balance = balance + 1")

    at_once([functools.partial(work, number) for number in range(4)])
    types = told(account_id)
    assert (types.count("order.pending"), types.count("account.updated")) == (40, 41)


def test_an_event_is_seen_only_with_its_change(account_id, connect):
    other = connect()
    other.cursor().execute("UPDATE account SET balance = 5")
    assert told(account_id) == ["account.updated"]
    other.commit()
    assert told(account_id) == ["account.updated"] * 2


def test_events_of_an_account_commit_in_the_order_of_their_numbers(account_id, connect):
    first, second = connect(), connect()
    first.cursor().execute("UPDATE account SET balance = 5")
    cursor = second.cursor()
    cursor.execute("SET lock_timeout = 50")
    with pytest.raises(Exception, match="lock timeout"):  # the second number waits for the first one's commit
        cursor.execute("UPDATE account SET balance = 6")
    first.commit()
