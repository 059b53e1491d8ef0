"""The triggers refuse forbidden changes of rows."""

import pytest
from peewee import IntegrityError

from tests.models.rows import insert_entry, insert_order, insert_position
from tests.support.trading import one, rows, run


def refused(statement, *parameters, match="is refused"):
    with pytest.raises(IntegrityError, match=match):
        run(statement, *parameters)


@pytest.fixture
def everything(account_id, stock_id):
    """Insert a row into every guarded table."""
    order_id = insert_order(account_id, stock_id)
    insert_position(account_id, stock_id)
    insert_entry(account_id, kind="CHARGES", order_id=order_id)
    return account_id


GUARDED = ["account", "position", "trading_order", "fund_transaction", "event"]


@pytest.mark.parametrize("table", GUARDED)
def test_rows_are_never_deleted(everything, table):
    before = one(f"SELECT count(*) FROM {table}")
    assert before > 0
    refused(f"DELETE FROM {table}")
    assert one(f"SELECT count(*) FROM {table}") == before


@pytest.mark.parametrize("table", GUARDED)
def test_tables_are_never_truncated(everything, table):
    refused(f"TRUNCATE {table} CASCADE")
    assert one(f"SELECT count(*) FROM {table}") > 0


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1",
        "balance_after = 5",
        "blocked_after = 5",
        "kind = 'CHARGES_REFUND'",
        "created_at = now()",
        "order_id = NULL, kind = 'DEPOSIT'",
        "account_id = gen_random_uuid()",
        "id = DEFAULT",
    ],
)
def test_a_ledger_row_is_never_rewritten(everything, change):
    before = rows("SELECT * FROM fund_transaction")
    refused(f"UPDATE fund_transaction SET {change}")
    assert rows("SELECT * FROM fund_transaction") == before


def test_a_ledger_row_is_linked_to_its_position_once(everything):
    link = "UPDATE fund_transaction SET position_id = (SELECT id FROM position)"
    assert run(link) == 1
    refused(link)
    refused("UPDATE fund_transaction SET position_id = NULL")
    assert one("SELECT position_id FROM fund_transaction") is not None


def test_a_link_and_another_change_at_once_are_refused(everything):
    refused("UPDATE fund_transaction SET position_id = (SELECT id FROM position), amount = 5")


FINAL = {
    "CANCELLED": "status = 'CANCELLED'",
    "REJECTED": "status = 'REJECTED', rejection_reason = 'no_price'",
    "EXECUTED": "status = 'EXECUTED', filled_quantity = quantity, average_price = 100, executed_at = now(),"
    " position_id = (SELECT id FROM position)",
}


@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize(
    "change",
    ["status = 'PENDING'", "charges = 0", "attempts = 1", "updated_at = now()", "quantity = quantity", *FINAL.values()],
)
def test_a_final_order_stays_as_it_is(everything, status, change):
    run(f"UPDATE trading_order SET {FINAL[status]}")
    before = rows("SELECT * FROM trading_order")
    refused(f"UPDATE trading_order SET {change}", match="final")
    assert rows("SELECT * FROM trading_order") == before


def test_a_pending_order_may_change(everything):
    assert run("UPDATE trading_order SET quantity = 20, attempts = 1, retry_at = now()") == 1


@pytest.mark.parametrize("change", ["data = '{}'", "type = 'order.modified'", "id = id + 100", "at = now()"])
def test_an_event_is_never_rewritten(everything, change):
    before = rows("SELECT * FROM event ORDER BY id")
    refused(f"UPDATE event SET {change}")
    assert rows("SELECT * FROM event ORDER BY id") == before


def test_an_event_is_kept_for_seven_days_and_may_go_then(everything, cleaner):
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE event SET at = now() - interval '7 days 1 second' WHERE id = 1")
        cursor.execute("UPDATE event SET at = now() - interval '6 days 23 hours' WHERE id = 2")
    assert run("DELETE FROM event WHERE id = 1") == 1
    refused("DELETE FROM event WHERE id = 2")


def test_a_refusal_names_the_change_and_the_reason(everything):
    refused("DELETE FROM fund_transaction", match="DELETE of fund_transaction is refused: the ledger is append-only")
