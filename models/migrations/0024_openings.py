"""Keep what the ledger check and placements need of the months that were detached.

Empty tables change nothing: see models/partitions.py, which splits orders and ledger entries by month if an operator
asks for it, and trading/upkeep/detaching.py, which writes these tables.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.functions import fix_search_path
from models.parts import execute_in_buckets, migrated

TABLES = """
CREATE TABLE detached_month (
    ended_at       timestamptz PRIMARY KEY,
    first_order_id uuid NOT NULL,  -- the smallest id that an order of the time after it can have
    detached_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- The sums of an account's entries that were detached, and the number of the last of them.
CREATE TABLE ledger_opening (
    account_id uuid PRIMARY KEY REFERENCES account,
    last_id    bigint NOT NULL,
    balance    rupees NOT NULL,
    blocked    rupees NOT NULL CHECK (blocked >= 0)
);
-- The fills and the profit of a position that were detached.
CREATE TABLE position_opening (
    position_id  uuid PRIMARY KEY REFERENCES position,
    account_id   uuid NOT NULL REFERENCES account,
    quantity     bigint NOT NULL,
    realized_pnl rupees NOT NULL
);
CREATE INDEX position_opening_of_account ON position_opening (account_id);
-- A clientOrderId is unique for ever.
CREATE TABLE taken_client_order_id (
    account_id      uuid NOT NULL REFERENCES account,
    client_order_id text NOT NULL,
    order_id        uuid NOT NULL,
    PRIMARY KEY (account_id, client_order_id)
);
"""

# As in 0011, with the clientOrderIds of detached orders.
FACTS = """
CREATE OR REPLACE FUNCTION order_facts(
    the_account uuid, the_exchange text, the_symbol text, the_side text, the_product text,
    the_client_order_id text, the_scope text, the_key text, max_quote_age_s integer
) RETURNS order_facts LANGUAGE plpgsql AS $$
DECLARE
    facts order_facts;
    the_stock stock;
BEGIN
    IF the_key IS NOT NULL THEN
        SELECT f.fingerprint, f.answer INTO facts.fingerprint, facts.answer
            FROM idempotency_find(the_account, the_scope, the_key) f;
        IF facts.answer IS NOT NULL THEN RETURN facts; END IF;
    END IF;
    SELECT a.status, a.available_margin, a.fill_model INTO facts.status, facts.available_margin, facts.fill_model
        FROM account a WHERE a.id = the_account FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN NULL; END IF;
    facts.read_at := market_now();
    IF the_client_order_id IS NOT NULL THEN
        SELECT o.id INTO facts.duplicate_of FROM trading_order o
            WHERE o.account_id = the_account AND o.client_order_id = the_client_order_id;
        IF NOT FOUND THEN
            SELECT t.order_id INTO facts.duplicate_of FROM taken_client_order_id t
                WHERE t.account_id = the_account AND t.client_order_id = the_client_order_id;
        END IF;
    END IF;

    SELECT * INTO the_stock FROM stock s WHERE s.exchange = the_exchange AND s.symbol = the_symbol;
    IF NOT the_stock.is_active THEN
        UPDATE stock s SET is_active = true WHERE s.id =
            (SELECT free.id FROM stock free WHERE free.id = the_stock.id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    facts.stock_id := the_stock.id;
    facts.last_price := the_stock.last_price;
    facts.session_class := coalesce(the_stock.session_class, 'NORMAL');
    facts.allows_intraday := true;
    facts.quote_number := 0;
    facts.usable_number := 0;
    facts.is_usable := false;
    -- An IMMEDIATE order asks for nothing more.
    IF facts.fill_model = 'QUOTES' AND the_stock.id IS NOT NULL THEN
        facts.tick_size := the_stock.tick_size;
        facts.lot_size := the_stock.lot_size;
        facts.allows_intraday := the_stock.allows_intraday;
        facts.quote_number := the_stock.quote_number;
        facts.usable_number := the_stock.usable_number;
        facts.is_usable := quote_is_usable(the_stock, facts.read_at, max_quote_age_s);
        facts.bid_price := the_stock.bid_price;
        facts.ask_price := the_stock.ask_price;
        facts.quoted_at := the_stock.quoted_at;
        IF the_stock.circuit_day = (facts.read_at AT TIME ZONE 'Asia/Kolkata')::date THEN
            facts.lower_circuit := the_stock.lower_circuit;
            facts.upper_circuit := the_stock.upper_circuit;
        END IF;
    END IF;

    SELECT p.quantity, p.blocked_margin INTO facts.held, facts.held_margin FROM position p
        WHERE p.account_id = the_account AND p.stock_id = the_stock.id AND p.product = the_product;
    facts.held := coalesce(facts.held, 0);
    facts.held_margin := coalesce(facts.held_margin, 0);
    facts.promised := 0;
    -- What others promised matters to an order that could close. It is planned each time: a plan kept from
    -- an hour with few live orders walks through all of them in an hour with many.
    IF (the_side = 'BUY' AND facts.held < 0) OR (the_side = 'SELL' AND facts.held > 0) THEN
        EXECUTE 'SELECT coalesce(sum(closing_quantity), 0) FROM trading_order
            WHERE account_id = $1 AND stock_id = $2 AND product = $3 AND side = $4
              AND status IN (''PENDING'', ''OPEN'') AND closing_quantity > 0'
            INTO facts.promised USING the_account, facts.stock_id, the_product, the_side;
    END IF;
    RETURN facts;
END $$;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute_in_buckets(TABLES)
    execute_in_buckets(FACTS)
    if migrated().has_accounts:
        fix_search_path("order_facts")
