"""Divide the tables between what all buckets of accounts share and what each bucket has, where SHARDS is over 1.

The migrations before this one have made all tables in each schema. Here the schema that is shared loses the tables of
accounts, and the schema of a bucket loses what is shared: its references and functions go to the shared tables. With
one bucket nothing changes. See docs/decisions/buckets.md.

A later migration names the part of each of its statements: models.parts.execute_in_shared and execute_in_buckets.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models import parts
from models.buckets import SHARED_SCHEMA, shards
from models.database import execute

# The clock is the shared one. Numbers of orders are of the whole product: each bucket counts in steps of its own.
ACCOUNT_TABLES = (
    "account, position, trading_order, fund_transaction, event, lost_event, idempotency_key, position_change,"
    " square_off"
)
SHARED_TABLES = (
    "stock, stock_search, session, market_holiday, api_token, token_use, admin_action, ledger_check,"
    " recorded_price, price_recording, candle, day_candle"
)
ACCOUNT_FUNCTIONS = """
    idempotency_find, last_order_number, move_order_version, new_order_number, number_entry, order_at_once, order_facts,
    order_number, order_write, placement_read, record_account_event, record_order_event, record_position_event
"""
SHARED_FUNCTIONS = "give_instrument_token, let_stock_be_found, parts_of, searched_text, synthetic_token"

# Those functions whose results or arguments are rows of a table go with the table.
WITHOUT_ACCOUNTS = f"""
DROP TABLE {ACCOUNT_TABLES} CASCADE;
DROP FUNCTION {ACCOUNT_FUNCTIONS};
DROP TYPE order_facts, placed_order;
DROP SEQUENCE match_sequence, order_numbers;
"""
WITHOUT_SHARED = f"""
DROP TABLE {SHARED_TABLES} CASCADE;
DROP FUNCTION {SHARED_FUNCTIONS};
DROP SEQUENCE synthetic_exchange_token;
ALTER TABLE position ADD CONSTRAINT position_stock_id_fkey FOREIGN KEY (stock_id) REFERENCES {SHARED_SCHEMA}.stock;
ALTER TABLE trading_order
    ADD CONSTRAINT trading_order_stock_id_fkey FOREIGN KEY (stock_id) REFERENCES {SHARED_SCHEMA}.stock;
ALTER TABLE square_off ADD CONSTRAINT square_off_stock_id_fkey FOREIGN KEY (stock_id) REFERENCES {SHARED_SCHEMA}.stock;
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql RETURN {SHARED_SCHEMA}.market_now();
"""
COUNT_IN_STEPS = """
ALTER SEQUENCE order_numbers INCREMENT BY {count} MINVALUE {first} START WITH {first} RESTART WITH {first};
"""
FIRST_NUMBER = 100_000_000
# Every function with a path of its own finds the shared tables after those of its bucket.
WIDEN_PATHS = """
DO $$
DECLARE
    the_function regprocedure;
BEGIN
    FOR the_function IN SELECT oid FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
        AND array_to_string(proconfig, ' ') LIKE '%%search_path=%%'
    LOOP
        EXECUTE format('ALTER FUNCTION %%s SET search_path = %%I, {shared}, pg_temp', the_function, current_schema());
    END LOOP;
END $$;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    part = parts.migrated()
    if not part.has_accounts:
        execute(WITHOUT_ACCOUNTS)
    if part.shard is not None:
        execute(WITHOUT_SHARED)
        execute(COUNT_IN_STEPS.format(count=len(shards()), first=FIRST_NUMBER + part.shard))
        execute(WIDEN_PATHS.format(shared=SHARED_SCHEMA))
