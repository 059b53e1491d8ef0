"""The book of a day is read along indexes: the orders of the account's past are left alone."""

import json

import pytest

from models.identifiers import new_id
from tests.support.trading import buy, one
from trading.orders import order_book

PAST, MAX_ROWS = 3_000, 10
READ = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
OLD_ORDERS = """
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           status, closing_quantity, blocked_margin, charges, charge_items, placed_at, updated_at)
SELECT gen_random_uuid(), account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
       'CANCELLED', 0, 0, 0, '{}', placed_at - interval '10 days', placed_at - interval '10 days'
FROM trading_order, generate_series(1, %s)
"""
STATEMENTS = {
    "orders": (order_book.BOOK, ("order_list", "order_changed_late", "order_live")),
    "trades": (order_book.TRADES, ("order_trades",)),
    "one order": (order_book.ORDER, ("order_by_number",)),
}


@pytest.fixture
def account_id(account, cleaner):
    """Return the id of an account with one order of today and thousands of earlier days."""
    order = buy(account().id, 1, "10.00")
    with cleaner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(OLD_ORDERS, (PAST,))
        cursor.execute("SET session_replication_role = DEFAULT; ANALYZE trading_order")
    return order["account_id"]


def nodes_of(plan):
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes_of(part)


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_past_of_an_account_is_not_read(account_id, database, name):
    sql, indexes = STATEMENTS[name]
    given = {
        "account_id": account_id,
        "begins": one(order_book.TODAY),
        "order_number": one("SELECT max(order_number) FROM trading_order"),
    }
    (row,) = database.fetch_all(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", given)
    plan = row["QUERY PLAN"][0]["Plan"]
    nodes = list(nodes_of(plan))
    assert set(indexes) <= {node["Index Name"] for node in nodes if "Index Name" in node}, json.dumps(plan, default=str)
    scans = [node for node in nodes if node.get("Relation Name") == "trading_order"]
    assert sum(node.get(name, 0) for node in scans for name in READ) <= MAX_ROWS


def test_a_book_of_very_many_orders_has_the_newest(account_id, monkeypatch):
    newest = [buy(account_id, 1, "10.00")["id"] for _ in range(3)]
    monkeypatch.setattr(order_book, "BOOK", order_book.BOOK.replace(f"LIMIT {order_book.MAX_ORDERS}", "LIMIT 2"))
    assert [order["id"] for order in order_book.orders_of_today(account_id)] == newest[1:]


def test_an_account_has_no_orders_of_others(account_id, account):
    assert order_book.orders_of_today(account().id) == []
    assert order_book.orders_of_today(new_id()) == []
