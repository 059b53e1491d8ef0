"""Let clients search stocks by any part of the symbol or the name.

Quotes rewrite the rows of `stock` all day. So the texts stand in a table of their own, which is written only when a
stock is created, renamed, activated or deactivated: no quote touches its index, and no search reads the wide rows.

The index has the texts' parts of two and three characters. pg_trgm would do the same, but it is an extension, which
some servers do not have, or do not let a role create.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

atomic = False  # a transaction that has created a trigger keeps quotes waiting until it ends

TABLE = r"""
DROP TABLE IF EXISTS stock_search;       -- one that a failure left unfinished
CREATE TABLE stock_search (
    stock_id uuid PRIMARY KEY REFERENCES stock ON DELETE CASCADE,
    exchange text NOT NULL,
    symbol   text COLLATE "C" NOT NULL,
    text     text NOT NULL               -- a line break, the symbol, a line break, a blank, the name; in lower case
);
CREATE INDEX stock_search_by_symbol ON stock_search (symbol, exchange) INCLUDE (text);

-- Return the parts of a text that have at least `shortest` and at most three characters.
-- Expensive: otherwise the planner would compute the parts of all rows rather than use the index.
CREATE OR REPLACE FUNCTION parts_of(given text, shortest integer) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT COST 10000 AS $$
DECLARE
    parts text[] := '{}';
BEGIN
    FOR size IN shortest .. 3 LOOP
        FOR place IN 1 .. length(given) - size + 1 LOOP
            parts := parts || substr(given, place, size);
        END LOOP;
    END LOOP;
    RETURN parts;
END $$;
CREATE OR REPLACE FUNCTION searched_text(symbol text, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT E'\n' || lower(symbol) || E'\n ' || coalesce(lower(name), '')
$$;
CREATE OR REPLACE FUNCTION let_stock_be_found() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.is_active THEN
        INSERT INTO stock_search (stock_id, exchange, symbol, text)
        VALUES (NEW.id, NEW.exchange, NEW.symbol, searched_text(NEW.symbol, NEW.name))
        ON CONFLICT (stock_id) DO UPDATE SET text = excluded.text;
    ELSE
        DELETE FROM stock_search WHERE stock_id = NEW.id;
    END IF;
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER new_stock_is_found AFTER INSERT ON stock
    FOR EACH ROW EXECUTE FUNCTION let_stock_be_found();
CREATE OR REPLACE TRIGGER changed_stock_is_found AFTER UPDATE OF name, is_active ON stock
    FOR EACH ROW WHEN ((OLD.name, OLD.is_active) IS DISTINCT FROM (NEW.name, NEW.is_active))
    EXECUTE FUNCTION let_stock_be_found();
"""
STOCKS = """
INSERT INTO stock_search (stock_id, exchange, symbol, text)
SELECT id, exchange, symbol, searched_text(symbol, name) FROM stock WHERE is_active ON CONFLICT (stock_id) DO NOTHING
"""
# A search reads the list of pending entries too: it must stay short.
INDEX = """
CREATE INDEX stock_search_by_part ON stock_search USING gin (parts_of(text, 2)) WITH (gin_pending_list_limit = 256);
ANALYZE stock_search;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (TABLE, STOCKS, INDEX):
        execute(statements)
