"""The database numbers each order: the day in India and a sequence, for ever the same and for no other order."""

import contextlib
import threading

import psycopg2
import pytest
from peewee import IntegrityError
from playhouse.migrations import Runner

from models import database, migrate
from models.identifiers import new_id
from tests.models.rows import insert_order
from tests.support.trading import at_once, one, rows, run

# As a web process of the release before migration 0018 places an order on a connection that it keeps.
PLACE = """
SELECT * FROM order_at_once(
    %s, %s, 'NSE', 'TCS', NULL, 'BUY', 'INTRADAY', 'LIMIT', 1, 100, NULL, 'DAY', NULL, NULL, false, NULL, 'book', NULL,
    20, 1, '{}', (market_now() AT TIME ZONE 'Asia/Kolkata')::date, NULL, NULL, NULL)
"""
LAST_BEFORE = "0017_order_lists"


def test_a_number_is_the_day_in_india_and_nine_digits(account_id, stock_id):
    insert_order(account_id, stock_id)
    number = one("SELECT order_number FROM trading_order")
    assert len(str(number)) == 15
    assert str(number)[:6] == one("SELECT to_char(placed_at AT TIME ZONE 'Asia/Kolkata', 'YYMMDD') FROM trading_order")


@pytest.mark.parametrize(
    ("moment", "day"), [("2026-11-27 18:29:59.999999+00", "261127"), ("2026-11-27 18:30:00+00", "261128")]
)
def test_the_day_changes_at_midnight_in_india(database, moment, day):
    assert str(one("SELECT new_order_number(%s::timestamptz)", moment)).startswith(day)


def test_the_sequence_begins_anew_within_its_nine_digits(database):
    run("SELECT setval('order_numbers', 999999999)")
    assert str(one("SELECT new_order_number(now())"))[6:] == "100000000"


def test_orders_at_the_same_time_have_different_numbers(account_id, stock_id):
    at_once([lambda: [insert_order(account_id, stock_id) for _ in range(20)]] * 4)
    assert one("SELECT count(DISTINCT order_number) FROM trading_order") == 80


def test_two_orders_never_have_one_number(account_id, stock_id):
    insert_order(account_id, stock_id)
    with pytest.raises(IntegrityError, match="order_by_number"):
        insert_order(account_id, stock_id, order_number=one("SELECT order_number FROM trading_order"))


def test_an_order_keeps_its_number(account_id, stock_id):
    insert_order(account_id, stock_id)
    with pytest.raises(IntegrityError, match="an order keeps its number"):
        run("UPDATE trading_order SET order_number = order_number + 1")


@pytest.mark.parametrize("number", [99_999_999_999_999, 1_000_000_000_000_000])
def test_a_number_has_15_digits(account_id, stock_id, number):
    with pytest.raises(IntegrityError, match="order_number_has_15_digits"):
        insert_order(account_id, stock_id, order_number=number)


def test_modifications_are_not_negative(account_id, stock_id):
    with pytest.raises(IntegrityError, match="change_count_is_not_negative"):
        insert_order(account_id, stock_id, modifications=-1)


@pytest.fixture
def before(other_database):
    """Set a database of the release before numbers, with an account and a stock; return the account's id."""
    other_database()
    with database.session():
        Runner(database.db, str(migrate.DIRECTORY)).up(LAST_BEFORE)
    account_id, stock_id = new_id(), new_id()
    run("INSERT INTO account (id, name, balance) VALUES (%s, 'Plain', 100000)", account_id)
    run("INSERT INTO stock (id, exchange, symbol) VALUES (%s, 'NSE', 'TCS')", stock_id)
    return account_id


@pytest.fixture
def previous_release(before):
    """Return a function that places an order on one connection, as a process of that release does, again and again."""
    with contextlib.closing(psycopg2.connect(database.db.database)) as connection:
        connection.autocommit = True

        def place():
            with connection.cursor() as cursor:
                order_id = str(new_id())
                cursor.execute(PLACE, (order_id, str(before)))
                assert cursor.fetchone() is not None
                return order_id

        yield place


def test_live_orders_are_numbered_by_their_day_and_final_ones_are_not(previous_release):
    final, live = previous_release(), previous_release()
    run("UPDATE trading_order SET status = 'CANCELLED' WHERE id = %s", final)
    run("UPDATE trading_order SET placed_at = '2026-01-02 03:04:05+00' WHERE id = %s", live)
    events = one("SELECT count(*) FROM event")
    migrate.upgrade()
    numbers = {str(row["id"]): row["order_number"] for row in rows("SELECT id, order_number FROM trading_order")}
    assert numbers[final] is None
    assert str(numbers[live]).startswith("260102")
    assert one("SELECT count(*) FROM event") == events


def test_a_process_of_the_previous_release_goes_on_placing_while_the_migration_runs(previous_release):
    previous_release()
    migrated = threading.Event()

    def place_until_then():
        for _ in iter(migrated.is_set, True):
            previous_release()
        return previous_release()

    def upgrade():
        try:
            return migrate.upgrade()
        finally:
            migrated.set()

    last, _ = at_once([place_until_then, upgrade])
    assert one("SELECT order_number IS NOT NULL FROM trading_order WHERE id = %s", last)
    assert one("SELECT count(*) FROM trading_order WHERE order_number IS NULL") == 0


def test_a_migration_that_was_cut_off_before_its_index_is_finished(before):
    with database.session():
        Runner(database.db, str(migrate.DIRECTORY)).up("0018_order_numbers")
    run("DROP INDEX order_by_number")
    run("DELETE FROM schema_migration WHERE name = '0018_order_numbers'")
    assert "0018_order_numbers" in migrate.upgrade()
    assert one("SELECT count(*) FROM pg_indexes WHERE indexname = 'order_by_number'") == 1
