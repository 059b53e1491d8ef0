"""Give every stock the instrument token, the ISIN and the series by which Kite Connect knows it.

A token is exchange_token * 256 + segment (Kite Connect 3, market quotes, read 2026-11). An import brings the real one.
A stock without one gets a token from the database, whoever creates it, the previous release too. Its exchange_token is
above those of the exchanges, and the token stays below 2**31: packets of Kite's ticker have 31 bits for it.

The index is unique and partial. Otherwise the token would be a part of the row's key, which new orders lock, and an
import of tokens would keep them waiting.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute, fetch_one

atomic = False  # CREATE INDEX CONCURRENTLY runs in no transaction, and quotes must not wait for all the tokens

IS_BEGUN = "SELECT FROM pg_attribute WHERE attrelid = 'stock'::regclass AND attname = 'instrument_token'"
# One transaction. The domains get their constraints when the columns are there: otherwise the table would be rewritten.
COLUMNS = """
CREATE DOMAIN instrument_token AS integer;
CREATE DOMAIN isin AS text;
CREATE DOMAIN series AS text;
ALTER TABLE stock
    ADD COLUMN instrument_token instrument_token,
    ADD COLUMN isin             isin,
    ADD COLUMN series           series;
ALTER DOMAIN instrument_token ADD CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN isin ADD CHECK (VALUE ~ '^[A-Z]{2}[A-Z0-9]{9}[0-9]$') NOT VALID;
ALTER DOMAIN series ADD CHECK (VALUE ~ '^[A-Z0-9]{1,4}$') NOT VALID;

CREATE SEQUENCE synthetic_exchange_token AS integer MINVALUE 4000000 MAXVALUE 8388607;
-- Return a new token for a stock of which no real one is known.
CREATE FUNCTION synthetic_token(exchange text) RETURNS integer LANGUAGE sql VOLATILE AS $$
    SELECT nextval('synthetic_exchange_token')::integer * 256 + CASE exchange WHEN 'BSE' THEN 4 ELSE 1 END
$$;
CREATE FUNCTION give_instrument_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.instrument_token := synthetic_token(NEW.exchange);
    RETURN NEW;
END $$;
CREATE TRIGGER new_stock_has_a_token BEFORE INSERT ON stock
    FOR EACH ROW WHEN (NEW.instrument_token IS NULL) EXECUTE FUNCTION give_instrument_token();
"""
# In the order in which quotes lock stocks, a few at a time.
FILL = """
UPDATE stock SET instrument_token = synthetic_token(exchange) WHERE id IN (
    SELECT id FROM stock WHERE instrument_token IS NULL ORDER BY exchange, symbol LIMIT 2000 FOR NO KEY UPDATE)
"""
DROP_UNFINISHED = "DROP INDEX CONCURRENTLY IF EXISTS stock_by_instrument_token"  # one that a failure left
INDEX = """
CREATE UNIQUE INDEX CONCURRENTLY stock_by_instrument_token ON stock (instrument_token)
    WHERE instrument_token IS NOT NULL
"""
REQUIRE = "ALTER TABLE stock ALTER COLUMN instrument_token SET NOT NULL"


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    if fetch_one(IS_BEGUN) is None:
        execute(COLUMNS)
    while execute(FILL):
        pass
    for statement in (DROP_UNFINISHED, INDEX, REQUIRE):
        execute(statement)
