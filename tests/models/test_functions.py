"""Every function of the database finds its own tables, whatever the caller's search_path is."""

import pytest
from peewee import ProgrammingError

from models.database import db, execute, session
from models.identifiers import new_id
from tests.models.rows import insert_order, insert_position
from tests.support.market_clock import clock  # noqa: F401  a fixture
from tests.support.trading import one, rows, run

# A body that is bound at its creation needs no path.
LATE_BOUND = """
SELECT proname FROM pg_proc WHERE pronamespace = current_schema()::regnamespace AND prosqlbody IS NULL
    AND NOT EXISTS (SELECT FROM unnest(proconfig) AS setting
        WHERE setting = 'search_path=' || array_to_string(current_schemas(false), ', ') || ', pg_temp')
    AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""
OTHER_TABLES = ("account", "event", "trading_order", "position", "fund_transaction", "stock", "idempotency_key")


def test_every_function_has_a_fixed_search_path_or_a_body_that_is_bound(clean):
    assert [row["proname"] for row in rows(LATE_BOUND)] == []
    run("CREATE FUNCTION forgotten() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    assert [row["proname"] for row in rows(LATE_BOUND)] == ["forgotten"]
    run("DROP FUNCTION forgotten")


def test_no_function_decides_by_the_name_of_a_table(clean):
    named = rows("SELECT proname FROM pg_proc WHERE prosrc LIKE '%%TG_TABLE_NAME%%' OR prosrc LIKE '%%TG_RELID%%'")
    assert [row["proname"] for row in named] == ["refuse_change"]  # which only says it


@pytest.fixture
def other_schema(clean):
    """Return the name of a schema with tables of the same names, and drop it afterwards."""
    run("CREATE SCHEMA other")
    for table in OTHER_TABLES:
        run(f"CREATE TABLE other.{table} (LIKE public.{table} INCLUDING DEFAULTS)")
    yield "other"
    run("DROP SCHEMA other CASCADE")


def test_events_go_to_the_schema_of_their_account(other_schema, account_id, stock_id):
    with session(), db.atomic():
        execute("SET LOCAL search_path = other, public")
        execute("UPDATE public.account SET balance = balance + 1 WHERE id = %s", (account_id,))
        execute(
            "INSERT INTO public.fund_transaction (account_id, kind, amount, balance_after, blocked_after)"
            " VALUES (%s, 'DEPOSIT', 1, 1001, 0)",
            (account_id,),
        )
    insert_order(account_id, stock_id)
    insert_position(account_id, stock_id)
    assert one("SELECT count(*) FROM other.event") == 0
    assert one("SELECT last_event_id FROM account") == one("SELECT count(*) FROM event") == 4
    assert one("SELECT last_entry_id FROM account") == 1


TERMS = (
    "'NSE', 'TCS', NULL, 'BUY', 'INTRADAY', 'LIMIT', 1, 100, NULL, 'DAY', NULL, NULL, false, NULL, 'book', NULL, 20, 1,"
    " '{}', (now() AT TIME ZONE 'Asia/Kolkata')::date, 'POST', 'key', decode(repeat('00', 32), 'hex')"
)


@pytest.mark.parametrize("call", ["order_at_once(%s, %s, {})", "order_opened(ROW(%s, %s, {})::public.order_terms)"])
def test_a_placement_is_written_into_the_schema_of_its_function(other_schema, account_id, stock_id, call):
    with session(), db.atomic():
        execute("SET LOCAL search_path = other, public")
        execute(f"SELECT public.{call.format(TERMS)}", (new_id(), account_id))
    assert [one(f"SELECT count(*) FROM other.{table}") for table in OTHER_TABLES] == [0] * len(OTHER_TABLES)
    assert one("SELECT count(*) FROM trading_order") == 1
    assert one("SELECT count(*) FROM idempotency_key") == 1


def test_a_temporary_table_takes_the_place_of_no_table(account_id):
    with session(), db.atomic():
        execute("CREATE TEMPORARY TABLE event (LIKE public.event) ON COMMIT DROP")
        execute("UPDATE public.account SET balance = balance + 1")
    assert one("SELECT count(*) FROM event") == 2


def test_the_time_of_a_statement_is_the_markets(account_id, clock):  # noqa: F811
    clock("2026-11-02 15:12")
    assert one("SELECT to_char(statement_now() AT TIME ZONE 'Asia/Kolkata', 'DD.MM. HH24:MI')") == "02.11. 15:12"


def test_the_unused_function_is_gone(clean):
    with pytest.raises(ProgrammingError, match="record_event"):
        run("SELECT record_event()")
