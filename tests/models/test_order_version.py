"""An order's version moves with every change that a client can see, and with no other."""

import re

import pytest

from models.rows import OrderRow
from tests.models.rows import insert_order, insert_position
from tests.support.trading import one, run

FIXED = {"id", "account_id", "stock_id", "exchange", "symbol", "side", "product"}
FIXED |= {"fill_model", "limit_fills", "validity", "validity_minutes", "market_protection", "after_market", "tag"}
FIXED |= {"origin", "order_number"}
UNSEEN = {"attempts", "retry_at", "due_at", "claimed_at", "version", "transactions"}
# The market's own marks; matched_at and triggered_at tell a client of them.
UNSEEN |= {"opened_number", "watch_price", "watch_trigger", "trigger_is_told", "match_sequence", "match_class"}
UNSEEN |= {"match_price", "fill"}
# They change with the terms that a modification changes.
UNSEEN |= {"modifications", "modified_at"}
SEEN = [
    "quantity = 5",
    "price = 5",
    "blocked_margin = 5",
    "charges = 5",
    "charge_items = '{\"gst\": 1}'",
    "average_price = 5",
    "client_order_id = 'x'",
    "placed_at = now()",
    "updated_at = now()",
    "status = 'CANCELLED'",
    "status = 'REJECTED', rejection_reason = 'no_price'",
]


@pytest.fixture
def order_id(account_id, stock_id):
    return insert_order(account_id, stock_id)


def version():
    return one("SELECT version FROM trading_order")


def test_an_order_begins_with_version_1(order_id):
    assert version() == 1


@pytest.mark.parametrize("change", SEEN)
def test_a_visible_change_moves_the_version(order_id, change):
    run(f"UPDATE trading_order SET {change}")
    assert version() > 1


def test_an_execution_moves_the_version(order_id, account_id, stock_id):
    run(
        "UPDATE trading_order SET status = 'EXECUTED', filled_quantity = quantity, average_price = 1,"
        " executed_at = now(), position_id = %s",
        insert_position(account_id, stock_id),
    )
    assert version() > 1


@pytest.mark.parametrize(
    "change", ["attempts = attempts + 1", "retry_at = now()", "due_at = now()", "quantity = quantity"]
)
def test_an_invisible_change_leaves_the_version(order_id, change):
    run(f"UPDATE trading_order SET {change}")
    assert version() == 1


def test_every_change_moves_the_version_up_though_the_clock_went_back(order_id):
    run("UPDATE trading_order SET quantity = 5")
    first = version()
    run("UPDATE trading_order SET quantity = 6")
    second = version()
    run("ALTER TABLE trading_order DISABLE TRIGGER order_version_moves")
    run("UPDATE trading_order SET version = version + 1000000000")
    run("ALTER TABLE trading_order ENABLE TRIGGER order_version_moves")
    run("UPDATE trading_order SET quantity = 7")
    assert 1 < first < second < second + 1_000_000_000 < version()


def test_the_trigger_looks_at_every_column_that_a_client_sees(database):
    watched = one("SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'order_version_moves'")
    compared = one("SELECT prosrc FROM pg_proc WHERE proname = 'move_order_version'")
    for column in OrderRow.__annotations__.keys() - FIXED - UNSEEN:
        assert re.search(rf"\b{column}\b", watched), column
        assert re.search(rf"OLD\.{column}\b", compared), column
        assert re.search(rf"NEW\.{column}\b", compared), column
