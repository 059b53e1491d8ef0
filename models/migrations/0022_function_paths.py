"""Let every function find its own tables, whatever the caller's search_path is.

A function whose text names tables looks for them along the path of its caller. In a database with the product's tables
in several schemas it would write into the tables of another one, without an error. So these functions get a fixed path;
a call costs 0.7 µs more. A function of one expression is bound to what it names when it is created instead: it needs no
path, and goes on being expanded into the statement that calls it.

The previous release goes on beside this one: names and arguments stay.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute
from models.functions import fix_search_path

BOUND = r"""
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql RETURN clock_timestamp();
CREATE OR REPLACE FUNCTION order_number(placed_at timestamptz, counted bigint) RETURNS bigint LANGUAGE sql
    RETURN to_char(placed_at AT TIME ZONE 'Asia/Kolkata', 'YYMMDD')::bigint * 1000000000 + counted;
CREATE OR REPLACE FUNCTION quote_is_usable(the_stock stock, at timestamptz, max_quote_age_s integer) RETURNS boolean
    LANGUAGE sql RETURN coalesce((the_stock).is_usable AND NOT (the_stock).is_halted AND (max_quote_age_s = 0
        OR (the_stock).quoted_at >= at - make_interval(secs => max_quote_age_s)), false);
CREATE OR REPLACE FUNCTION searched_text(symbol text, name text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN E'\n' || lower(symbol) || E'\n ' || coalesce(lower(name), '');
"""

# The time of a statement by the market's clock, for all rows that an UPDATE changes. It is declared STABLE, because an
# UPDATE of a distributed table may call nothing that is VOLATILE. Call it as (SELECT statement_now()): once.
STATEMENT = """
CREATE FUNCTION statement_now() RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN market_now();
END $$;
-- In PL/pgSQL, where a fixed path costs less than half of what it costs in SQL.
CREATE OR REPLACE FUNCTION new_order_number(placed_at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN order_number(placed_at, nextval('order_numbers'));
END $$;
"""

# Since 0012 no trigger calls it, and nothing but a trigger could: without CASCADE the server refuses to drop a function
# that one does call. It told tables apart by their names, which a distributed table's parts do not have.
UNUSED = "DROP FUNCTION record_event()"

WITH_TABLES = (
    "give_instrument_token",
    "idempotency_find",
    "last_order_number",
    "let_stock_be_found",
    "move_order_version",
    "new_order_number",
    "number_entry",
    "order_at_once",
    "order_facts",
    "order_write",
    "parts_of",
    "placement_at_once",
    "placement_read",
    "placement_write",
    "record_account_event",
    "record_order_event",
    "record_position_event",
    "refuse_change",
    "statement_now",
    "synthetic_token",
)


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (BOUND, STATEMENT, UNUSED):
        execute(statements)
    fix_search_path(*WITH_TABLES)
