"""The rows that a sweep and a claim read in a large backlog, with the statistics of an hour without one."""

from datetime import timedelta

import pytest

from models import database
from tests.support.trading import buy, one, run
from tests.trading.execution.market import now, quote, rest
from tests.trading.orders.test_placement_plans import copy, rows_read
from trading.day import release
from trading.execution import expiry
from trading.execution.claiming import claim
from trading.execution.sweeping import sweep_once
from trading.upkeep.backlog import count_pending

FEW, MANY, LIMIT = 150, 5_000, 5
PORTION = 500  # of one statement: the event triggers are quadratic in its orders


@pytest.fixture
def backlog(trader, account):
    """Create many PENDING orders of an account, unknown to the planner; return the oldest one, of another account."""
    first, other = buy(account().id, 1, "10.00"), buy(trader, 1, "10.00")
    copy(other, "CANCELLED", MANY)
    copy(other, "PENDING", FEW)
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE status = 'PENDING' AND id <> %s", first["id"])
    with database.session():
        database.execute("VACUUM ANALYZE trading_order")
    copy(other, "PENDING", MANY)
    return first


def read_by(work):
    """Return the number of rows of the order table that a function reads, on its own connection."""
    with database.session():
        read = []
        for _ in range(3):
            before = rows_read()
            work()
            read.append(rows_read() - before)
    return min(read)  # reads of other sessions may be counted late, in one of the three


def test_a_sweep_reads_the_oldest_orders_and_no_others(backlog, trader):
    assert read_by(lambda: sweep_once(limit=LIMIT)) < 20 * LIMIT
    assert one("SELECT count(*) FROM trading_order WHERE status = 'EXECUTED'") == 3 * LIMIT


def test_a_claim_reads_only_the_orders_that_it_is_asked_for(backlog):
    def look():
        with database.db.atomic() as transaction:
            assert len(claim([backlog["id"]], unsuspected_only=True).orders) == 1
            transaction.rollback()

    assert read_by(look) < 20


def test_a_sweep_that_leaves_out_an_account_executes_the_oldest_other_order(backlog, trader):
    run(
        "UPDATE trading_order SET due_at = due_at - interval '1 s' WHERE account_id = %s AND status = 'PENDING'",
        trader,
    )
    assert sweep_once(limit=LIMIT, but={trader}).executed == 1


RESTING = """
INSERT INTO trading_order (
    id, status, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
    closing_quantity, blocked_margin, charges, charge_items, fill_model, watch_price, due_at, expires_at)
SELECT gen_random_uuid(), 'OPEN', account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
    0, 0, 0, charge_items, 'QUOTES', price, NULL, market_now() + interval '1 day'
FROM trading_order, generate_series(1, %s) WHERE id = %s
"""

WAITING = """
INSERT INTO trading_order (
    id, account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
    closing_quantity, blocked_margin, charges, charge_items, fill_model, after_market, waiting_for, due_at)
SELECT gen_random_uuid(), account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price,
    0, 0, 0, charge_items, 'QUOTES', true, 'session', NULL
FROM trading_order, generate_series(1, %s) WHERE id = %s
"""


@pytest.fixture
def resting(trader, account):
    """Create many resting orders of an account, unknown to the planner, and return one PENDING order of it."""
    copy(buy(account().id, 1, "10.00"), "CANCELLED", MANY)
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE status = 'PENDING'")
    quote("9.00", "20.00", "15.00")
    order = rest(trader, "BUY", 1, price="10.00", ends_at=now() + timedelta(days=1))
    with database.session():
        database.execute("VACUUM ANALYZE trading_order")
    with database.session(), database.db.atomic():
        database.execute("SET LOCAL session_replication_role = replica")  # as in copy()
        database.execute(RESTING, (MANY, order["id"]))
    return order


@pytest.mark.one_bucket("its session is of one bucket, and the count is of all")
def test_a_sweep_and_an_expiry_read_no_resting_order(resting):
    assert read_by(lambda: sweep_once(limit=LIMIT)) < 20
    assert read_by(lambda: expiry.run_once(LIMIT)) < 5
    assert read_by(count_pending) < 5


def test_a_claim_reads_no_resting_order_of_its_account(resting):
    def look():
        with database.db.atomic() as transaction:
            assert len(claim([resting["id"]], unsuspected_only=True).orders) == 1
            transaction.rollback()

    assert read_by(look) < 20


def test_a_release_reads_the_orders_that_wait_and_no_others(trader):
    """The planner has the statistics of an evening on which every order waits for its session."""
    quote("9.00", "20.00", "15.00")
    first = rest(trader, "BUY", 1, price="10.00")
    run("UPDATE trading_order SET waiting_for = 'session', due_at = NULL")
    run(WAITING, MANY, first["id"])
    with database.session():
        database.execute("VACUUM ANALYZE trading_order")
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE id <> %s", first["id"])
    with database.session():
        database.execute("VACUUM (ANALYZE false) trading_order")
    assert read_by(lambda: release.run_once(LIMIT, calendar="NSE")) < 5  # the market is closed
    assert read_by(lambda: release.run_once(LIMIT, calendar=None)) < 5
    assert one("SELECT count(*) FROM trading_order WHERE status = 'PENDING' AND waiting_for IS NULL") == 1


def test_an_expiry_reads_the_orders_whose_time_is_over_and_no_others(resting):
    run(
        "UPDATE trading_order SET expires_at = market_now() WHERE id IN"
        " (SELECT id FROM trading_order WHERE status = 'OPEN' LIMIT 20)"
    )
    assert read_by(lambda: expiry.run_once(LIMIT)) < 40 * LIMIT
    assert one("SELECT count(*) FROM trading_order WHERE status = 'EXPIRED'") == 3 * LIMIT
