"""A statement on an order names its account, and the planner reads it by the order all the same."""

import re
from typing import Any
from uuid import UUID

import pytest

from trading.accounts.position_rows import UPDATE_TEMPLATES, UPDATES
from trading.events.reading import ORDER_EVENTS
from trading.execution.batch import EXECUTE_ORDERS, EXECUTED_ROW, LINK_ENTRIES
from trading.execution.marks import MARK, OPEN, TELL
from trading.execution.sweeping import COUNT_ATTEMPT, RETRY_PAUSE
from trading.matching import crossing
from trading.orders import mass_cancellation, promises
from trading.orders.order_book import ORDER as ORDER_IN_BOOK
from trading.orders.order_statements import (
    END_ORDERS,
    ENTRIES_OF_ORDER,
    JUDGED_ORDERS,
    LIVE_ORDER,
    ORDER,
    ORDER_WITH_ENTRIES,
)
from trading.orders.trades import TRADES
from trading.rules.terms import Product

ONE, OTHER, OWNER = UUID(int=1), UUID(int=2), UUID(int=3)
# Each account has one order with one ledger entry and one event when the statistics are made: by them, all orders of an
# account are as quickly read as one order.
ROWS = """
SET LOCAL session_replication_role = replica;
INSERT INTO account (id, name) SELECT gen_random_uuid(), 'A' FROM generate_series(1, 1000);
INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
                           status, closing_quantity, blocked_margin, charges, charge_items)
SELECT gen_random_uuid(), id, id, 'NSE', 'S', 'BUY', 'INTRADAY', 'LIMIT', 1, 10, 'CANCELLED', 0, 0, 0, '{}'
FROM account;
INSERT INTO fund_transaction (account_id, id, kind, amount, balance_after, blocked_after, order_id)
SELECT account_id, 1, 'CHARGES', 1, 1, 1, id FROM trading_order;
INSERT INTO event (account_id, id, type, at, data)
SELECT account_id, 1, 'order.pending', now(), jsonb_build_object('id', id) FROM trading_order;
ANALYZE trading_order, fund_transaction, event;
SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
"""


def written(statement: str, *rows: str) -> str:
    """Return a statement with rows in place of its VALUES."""
    return statement.replace("VALUES %s", f"VALUES {', '.join(rows)}")


def rows_of(template: str, values: str) -> list[str]:
    """Return two rows of a template, of the orders ONE and OTHER, with these values behind the account."""
    assert template.count("%s") == 2 + values.count(",") + bool(values)
    return [f"('{order_id}'::uuid, '{OWNER}'::uuid{values and ', '}{values})" for order_id in (ONE, OTHER)]


NUMBER = "NULL::numeric"
STATEMENTS: dict[str, tuple[str, Any]] = {
    "an order": (ORDER, (ONE, OWNER)),
    "a live order": (LIVE_ORDER, (ONE, OWNER)),
    "an order with its entries": (ORDER_WITH_ENTRIES, (ONE, OWNER)),
    "an order's entries": (ENTRIES_OF_ORDER, (ONE, OWNER)),
    "an order's events": (ORDER_EVENTS, (ONE, OWNER, 10)),
    "an order's trades": (f"{TRADES} WHERE id = %s AND (account_id = %s) IS TRUE", (ONE, OWNER)),
    "an order of the book": (ORDER_IN_BOOK, {"account_id": OWNER, "order_number": 1}),
    "judged orders": (JUDGED_ORDERS, ([ONE, OTHER], OWNER)),
    "orders to cancel": (mass_cancellation.OF_ACCOUNT, (f"{{{ONE},{OTHER}}}", OWNER)),
    "awaited orders": (promises.WAIT, ([ONE, OTHER], OWNER)),
    "an attempt": (COUNT_ATTEMPT, {"id": ONE, "account_id": OWNER, "pause": RETRY_PAUSE}),
    "the entries of fills": (LINK_ENTRIES, ([ONE, OTHER],)),
    "fills": (written(EXECUTE_ORDERS, *rows_of(EXECUTED_ROW, f"1, NULL::uuid, {NUMBER}, NULL::jsonb")), ()),
    "ends": (written(END_ORDERS, *rows_of("(%s, %s, %s, %s, %s)", "'CANCELLED', NULL::text, NULL::text")), ()),
    "marks": (written(MARK, *rows_of("(%s, %s, %s, %s)", "true, NULL::jsonb")), ()),
    "told triggers": (written(TELL, *rows_of("(%s, %s)", "")), ()),
    "openings": (
        written(OPEN, *rows_of("%s" * 8, f"{NUMBER}, {NUMBER}, NULL::text, 1, {NUMBER}, NULL::timestamptz")),
        (),
    ),
    "matches": (crossing.MATCH, {"rows": "[]", "ids": f"{{{ONE}}}", "now": "2026-01-01"}),
    "watches": (crossing.REST, {"rows": "[]", "ids": f"{{{ONE}}}", "now": "2026-01-01"}),
}


@pytest.fixture
def plan_of(clean: None, cleaner: Any) -> Any:
    """Return a function that tells the plan of a statement by statistics of an hour with few orders."""
    with cleaner.cursor() as cursor:
        cursor.execute(f"BEGIN; {ROWS}")

        def plan(sql: str, parameters: Any) -> str:
            cursor.execute(f"EXPLAIN {sql}", parameters)
            return "\n".join(row[0] for row in cursor.fetchall())

        yield plan
        # The sizes that ANALYZE has noted outlive the rollback, and other tests of plans would meet them.
        cursor.execute("ROLLBACK; TRUNCATE trading_order, fund_transaction, event CASCADE")


def test_each_statement_on_orders_names_the_account_and_reads_by_the_order(plan_of: Any) -> None:
    for name, (sql, parameters) in STATEMENTS.items():
        plan = plan_of(sql, parameters)
        assert re.search(r"(Filter|Cond): .*account_id = ", plan), (name, plan)
        conditions = re.findall(r"Index Cond: (.*)", plan)
        assert conditions, (name, plan)
        assert not [condition for condition in conditions if "account_id =" in condition], (name, plan)


def test_a_row_of_a_position_names_the_account(plan_of: Any) -> None:
    for product in Product:
        template = UPDATE_TEMPLATES[product]
        assert "(position.account_id = changed.account_id) IS TRUE" in UPDATES[product]
        assert template is None or template.startswith("(%s, %s, ")
