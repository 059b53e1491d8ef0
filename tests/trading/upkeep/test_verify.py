"""Each rule of the ledger check finds its own violation."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.processes import wait_until
from tests.support.trading import buy, cancel, execute, hold, order_now, rows, run, sell
from tests.trading.execution import market
from trading.accounts import administration
from trading.upkeep import verify

SUMS = "running sums of the ledger"
LEDGER = "balance and blocked margin are the ledger's"
BLOCKED = "blocked margin is that of pending orders and positions"
FILLS = "a position is the sum of its fills"
ORDER = "an order's ledger entries match its status"
EVENTS = "an order has its events"
ENTRIES = "ledger entries are numbered without a gap"
NUMBERS = "events are numbered without a gap"
LAST = "the last events match the rows"
SHORT = "no delivery position is short"
FLAT = "a flat position has no cost and no margin"
PNL = "realized profit is the ledger's"


@pytest.fixture
def traded(trader, account, quote):
    """Return an account with orders of every status and positions of profit and loss, beside another one."""
    quote("RELIANCE", "100.00")
    hold(trader, "BUY", 10, "100.00")
    hold(trader, "SELL", 4, "120.00")
    hold(trader, "BUY", 5, "10.00", product="DELIVERY", symbol="TCS")
    cancel(buy(trader, 10, "1000.00", client_order_id="cancelled"))
    rejected = buy(trader, 1, client_order_id="rejected")
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL")
    assert execute(rejected).rejected == 1
    buy(trader, 7, "10.00", client_order_id="pending")
    market.quote("10.00", "10.10", "10.05", symbol="INFY")
    ends_now = market.rest(trader, "BUY", 3, symbol="INFY", price="9.00", ends_at=market.now())
    assert execute(ends_now).expired == 1
    resting = market.rest(trader, "BUY", 3, symbol="INFY", price="9.10")
    assert execute(resting).opened == 1
    sell(trader, 6, "10.00")
    administration.move_funds(trader, "WITHDRAWAL", 5)
    hold(account().id, "BUY", 1, "10.00")
    assert verify.verify() == []
    return trader


def breaking(cleaner, *statements):
    """Break rows without firing triggers, and return the violated rules and their accounts."""
    with cleaner.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
            assert cursor.rowcount == 1, statement
    found = verify.verify()
    assert sorted(in_slices()) == sorted(found)
    assert all(violation.detail for violation in found)
    return {violation.rule for violation in found}, {violation.account_id for violation in found}


def in_slices():
    """Return the violations that the periodic check finds with one account at a time."""
    accounts = [row["id"] for row in rows("SELECT id FROM account")]
    return [
        violation for account_id in accounts for violation in verify.verify_accounts([account_id], time_limit_s=60.0)
    ]


def entry(kind, client_order_id=None):
    """Return the WHERE clause for the first ledger entry of a kind (of an order)."""
    order = f"AND client_order_id = '{client_order_id}'" if client_order_id else ""
    return (
        "WHERE (account_id, id) = (SELECT entry.account_id, entry.id FROM fund_transaction AS entry"
        f" LEFT JOIN trading_order ON trading_order.id = order_id WHERE kind = '{kind}' {order}"
        " ORDER BY entry.created_at, entry.id LIMIT 1)"
    )


CHARGES, DEPOSIT, RELEASE = entry("CHARGES"), entry("DEPOSIT"), entry("MARGIN_RELEASE", "cancelled")
OF_EXPIRED = (
    "WHERE (account_id, id) = (SELECT entry.account_id, max(entry.id) FROM fund_transaction AS entry"
    " JOIN trading_order ON trading_order.id = order_id WHERE status = 'EXPIRED' GROUP BY 1)"
)
TCS = "(SELECT id FROM position WHERE symbol = 'TCS')"


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        (SUMS, f"UPDATE fund_transaction SET balance_after = balance_after + 0.01 {CHARGES}"),
        (SUMS, f"UPDATE fund_transaction SET blocked_after = blocked_after + 0.01 {CHARGES}"),
        (SUMS, f"UPDATE fund_transaction SET amount = amount + 0.01 {DEPOSIT}"),
        (SUMS, f"DELETE FROM fund_transaction {DEPOSIT}"),
        (LEDGER, "UPDATE account SET balance = balance + 0.01 WHERE id = %(trader)s"),
        (LEDGER, "UPDATE fund_transaction SET amount = amount + 0.01 WHERE kind = 'WITHDRAWAL'"),
        (LEDGER, "UPDATE account SET blocked_margin = blocked_margin + 0.01 WHERE id = %(trader)s"),
        (BLOCKED, "UPDATE account SET blocked_margin = blocked_margin + 0.01 WHERE id = %(trader)s"),
        (BLOCKED, "UPDATE trading_order SET blocked_margin = 0 WHERE client_order_id = 'pending'"),
        (BLOCKED, "UPDATE position SET blocked_margin = blocked_margin - 0.01 WHERE product = 'DELIVERY'"),
        (FILLS, "UPDATE position SET quantity = quantity + 1 WHERE product = 'DELIVERY'"),
        (PNL, "UPDATE position SET realized_pnl = 1 WHERE product = 'DELIVERY'"),
        (PNL, "UPDATE account SET realized_pnl = realized_pnl + 0.01 WHERE id = %(trader)s"),
        (ORDER, "UPDATE trading_order SET charges = charges + 0.01 WHERE client_order_id = 'pending'"),
        (ORDER, "UPDATE trading_order SET charges = charges + 0.01 WHERE product = 'DELIVERY'"),
        (ORDER, "UPDATE fund_transaction SET position_id = NULL WHERE kind = 'PROFIT'"),
        (ORDER, f"UPDATE fund_transaction SET position_id = {TCS} WHERE kind = 'PROFIT'"),
        (ORDER, f"DELETE FROM fund_transaction {RELEASE}"),
        (ORDER, f"UPDATE fund_transaction SET kind = 'CHARGES_REFUND' {RELEASE}"),
        (ORDER, f"UPDATE fund_transaction SET amount = amount + 0.01 {RELEASE}"),
        (BLOCKED, "UPDATE trading_order SET blocked_margin = 0 WHERE status = 'OPEN'"),
        (ORDER, "UPDATE trading_order SET charges = charges + 0.01 WHERE status = 'OPEN'"),
        (ORDER, f"DELETE FROM fund_transaction {OF_EXPIRED}"),
        (EVENTS, "DELETE FROM event WHERE type = 'order.expired'"),
        (EVENTS, "UPDATE event SET type = 'order.cancelled' WHERE type = 'order.open'"),
        (EVENTS, "DELETE FROM event WHERE type = 'order.cancelled'"),
        (EVENTS, "UPDATE event SET type = 'order.modified' WHERE type = 'order.rejected'"),
        (EVENTS, "UPDATE trading_order SET status = 'CANCELLED' WHERE client_order_id = 'pending'"),
        (NUMBERS, "DELETE FROM event WHERE id = 4 AND account_id = %(trader)s"),
        (NUMBERS, "UPDATE account SET last_event_id = last_event_id + 1 WHERE id = %(trader)s"),
        (ENTRIES, f"DELETE FROM fund_transaction {CHARGES}"),
        (ENTRIES, f"UPDATE fund_transaction SET id = 0 {DEPOSIT}"),
        (ENTRIES, f"UPDATE fund_transaction SET id = id + 1000 {OF_EXPIRED}"),
        (ENTRIES, "UPDATE account SET last_entry_id = last_entry_id + 1 WHERE id = %(trader)s"),
        (LAST, "UPDATE account SET name = 'Somebody else' WHERE id = %(trader)s"),
        (LAST, "UPDATE account SET status = 'SUSPENDED' WHERE id = %(trader)s"),
        (LAST, "UPDATE position SET cost = cost + 0.01 WHERE product = 'DELIVERY'"),
    ],
)  # fmt: skip
def test_a_broken_row_is_noticed_by_its_rule(traded, cleaner, rule, statement):
    rules, whose = breaking(cleaner, statement.replace("%(trader)s", f"'{traded}'"))
    assert rule in rules
    assert whose == {traded}


FOREIGN_ORDER = "(SELECT id FROM trading_order WHERE account_id <> %(trader)s)"
FOREIGN = "(SELECT id FROM position WHERE account_id <> %(trader)s)"


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        (FILLS, f"UPDATE trading_order SET position_id = {FOREIGN} WHERE product = 'DELIVERY'"),
        (PNL, f"UPDATE fund_transaction SET position_id = {FOREIGN} WHERE kind = 'PROFIT'"),
        (ORDER, f"UPDATE fund_transaction SET order_id = {FOREIGN_ORDER} {RELEASE}"),
    ],
)
def test_a_row_that_refers_to_another_account_is_noticed_at_its_own_account(traded, cleaner, rule, statement):
    rules, whose = breaking(cleaner, statement.replace("%(trader)s", f"'{traded}'"))
    assert rule in rules
    assert whose == {traded}


def test_entries_under_another_accounts_order_are_noticed_even_if_they_net_to_zero(traded, cleaner):
    with cleaner.cursor() as cursor:
        cursor.execute(
            "UPDATE fund_transaction SET order_id = (SELECT id FROM trading_order WHERE account_id <> %s)"
            " WHERE order_id = (SELECT id FROM trading_order WHERE client_order_id = 'cancelled')",
            (str(traded),),
        )
        assert cursor.rowcount == 4
    found = verify.verify()
    assert {(violation.rule, violation.account_id) for violation in found} == {(ORDER, traded)}
    assert in_slices() == found


def test_the_periodic_check_goes_through_all_accounts(traded, cleaner):
    assert verify.check_and_note(accounts=1) == 0
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE account SET balance = balance + 0.01")
    assert verify.check_and_note(accounts=1) == len(verify.verify()) > 2
    assert [row["violations"] > 0 for row in rows("SELECT violations FROM ledger_check ORDER BY id")] == [False, True]


def test_a_periodic_check_that_is_cut_short_notes_nothing(traded):
    assert verify.check_and_note(is_over=lambda: True) is None
    assert verify.check_and_note(time_limit_s=0.0) is None
    assert rows("SELECT FROM ledger_check") == []


@pytest.mark.parametrize(
    ("kind", "number"),
    [
        *(("position.updated", number) for number in ("quantity", "cost", "blocked_margin", "realized_pnl")),
        *(("account.updated", number) for number in ("balance", "blocked_margin", "available_margin", "realized_pnl")),
    ],
)
def test_the_last_event_of_a_position_and_of_an_account_must_match_the_row(traded, cleaner, kind, number):
    rules, _ = breaking(
        cleaner,
        f"""UPDATE event SET data = data || '{{"{number}": 12345}}' WHERE (account_id, id) IN
            (SELECT account_id, max(id) FROM event WHERE type = '{kind}' AND account_id = '{traded}'
             GROUP BY account_id)""",
    )
    assert rules == {LAST}


def without(cleaner, table, constraint, statement):
    """Break a row without the CHECK that protects it, and return the violated rules."""
    definition = rows("SELECT pg_get_constraintdef(oid) AS is FROM pg_constraint WHERE conname = %s", constraint)[0][
        "is"
    ]
    with cleaner.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
        try:
            return breaking(cleaner, statement)[0]
        finally:
            cursor.execute(f"DELETE FROM {table}")
            cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {definition}")


def test_a_short_delivery_position_is_noticed(traded, cleaner):
    statement = "UPDATE position SET quantity = -1 WHERE product = 'DELIVERY'"
    assert SHORT in without(cleaner, "position", "position_delivery_is_never_short", statement)


def test_an_executed_order_that_was_not_filled_whole_is_noticed(traded, cleaner):
    statement = "UPDATE trading_order SET filled_quantity = 4 WHERE product = 'DELIVERY'"
    assert {ORDER, FILLS} <= without(cleaner, "trading_order", "order_is_filled_once_and_whole", statement)


def test_an_executed_order_without_a_position_is_noticed(traded, cleaner):
    statement = "UPDATE trading_order SET position_id = NULL WHERE product = 'DELIVERY'"
    assert ORDER in without(cleaner, "trading_order", "order_is_filled_once_and_whole", statement)


def test_a_cost_without_a_quantity_is_noticed(traded, cleaner):
    statement = "UPDATE position SET cost = 0 WHERE product = 'DELIVERY'"
    assert FLAT in without(cleaner, "position", "position_cost_is_zero_exactly_when_flat", statement)


def test_a_margin_without_a_quantity_is_noticed(traded, cleaner):
    run_down = "UPDATE position SET blocked_margin = 1, quantity = 0, cost = 0 WHERE product = 'DELIVERY'"
    assert FLAT in without(cleaner, "position", "position_margin_is_zero_when_flat", run_down)


def test_an_order_older_than_the_kept_events_needs_no_events(traded, cleaner):
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET placed_at = placed_at - interval '8 days'")
        cursor.execute("DELETE FROM event WHERE id <= 5")
    assert verify.verify() == []


def test_an_empty_database_breaks_no_rule(clean):
    assert verify.verify() == []


def test_the_check_finds_nothing_under_live_traffic(trader):
    stop, trades = threading.Event(), []

    def trade():
        while not stop.is_set():
            execute(buy(trader, 1, "10.00"))
            cancel(sell(trader, 1, "10.00"))
            trades.append(1)

    with ThreadPoolExecutor(1) as pool:
        trading = pool.submit(trade)
        try:
            for _ in range(10):
                before = len(trades)
                assert verify.verify() == []
                wait_until(lambda before=before: len(trades) > before or trading.done())
        finally:
            stop.set()
    assert trading.exception() is None
    assert len(trades) >= 10


@pytest.mark.one_bucket("its session is of one bucket, and the check is of all")
def test_the_check_leaves_the_callers_connection_open(database, trader):
    order = buy(trader, 1, "10.00")
    assert verify.verify() == []
    assert database.fetch_one("SELECT 1 AS one") == {"one": 1}
    assert order_now(order)["status"] == "PENDING"
