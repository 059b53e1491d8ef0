"""The rows that a placement reads while many orders are PENDING."""

from models import database
from tests.support.trading import buy, hold, one, run, sell

COPIED = (
    "account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price, closing_quantity,"
    " blocked_margin, charges, charge_items"
)
FEW, MANY = 150, 2_000


def copy(order, status, count):
    """Insert a number of copies of an order, without their events, whose triggers would take most of the time."""
    with database.session(), database.db.atomic():
        database.execute("SET LOCAL session_replication_role = replica")
        database.execute(
            f"INSERT INTO trading_order (id, status, {COPIED}) SELECT gen_random_uuid(), %s, {COPIED}"
            " FROM trading_order, generate_series(1, %s) WHERE id = %s",
            (status, count, order["id"]),
        )


def rows_read():
    """Return the number of rows of the order table that were read so far."""
    one("SELECT pg_stat_force_next_flush()::text")
    return one("SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relid = 'trading_order'::regclass")


def test_a_closing_order_reads_only_its_own_account_among_many_pending_orders(trader, account):
    hold(trader, "BUY", 100, "100.00")
    other = buy(account().id, 1, "100.00")
    copy(other, "CANCELLED", MANY)
    copy(other, "PENDING", FEW)
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE status = 'PENDING'")
    with database.session():
        database.execute("VACUUM ANALYZE trading_order")  # no order is PENDING, and each index has the size it had
    with database.session():
        for _ in range(10):  # plans of this connection are kept after the fifth
            mine = sell(trader, 1, "100.00")
        copy(buy(account().id, 1, "100.00"), "PENDING", MANY)
        read = []
        for _ in range(3):
            before = rows_read()
            assert sell(trader, 1, "100.00")["closing_quantity"] == mine["closing_quantity"] == 1
            read.append(rows_read() - before)
    assert min(read) < 100  # reads of other sessions may be counted late, in one of the rounds
