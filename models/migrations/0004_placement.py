"""The functions that placement calls: what it decides on, read under the account's lock, and what it writes.

They hold no rule of money; trading/placement.py decides between the two calls. Functions, because
their statements are planned once per connection and cost one round trip each.
See docs/decisions/placement-functions.md.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

FUNCTIONS = """
-- Wait for a request with the same key that has not finished, then find its answer, if it left one.
CREATE FUNCTION idempotency_find(the_account uuid, the_scope text, the_key text)
RETURNS TABLE (fingerprint bytea, answer jsonb) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtextextended(concat_ws(' ', the_account, the_scope, the_key), 0));
    EXCEPTION WHEN lock_not_available THEN
        RAISE EXCEPTION USING ERRCODE = 'TP409', MESSAGE = 'the first request with this key has not finished';
    END;
    RETURN QUERY SELECT k.fingerprint, k.answer FROM idempotency_key k
        WHERE k.account_id = the_account AND k.scope = the_scope AND k.key = the_key;
END $$;

CREATE FUNCTION placement_read(
    the_account uuid, the_exchange text, the_symbol text, the_side text, the_product text,
    the_client_order_id text, new_stock_id uuid, the_scope text, the_key text
) RETURNS TABLE (
    fingerprint bytea, answer jsonb, status text, available_margin numeric, duplicate_of uuid,
    stock_id uuid, last_price numeric, held bigint, promised bigint, read_at timestamptz
) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    active boolean;
BEGIN
    IF the_key IS NOT NULL THEN
        SELECT f.fingerprint, f.answer INTO fingerprint, answer
            FROM idempotency_find(the_account, the_scope, the_key) f;
        IF answer IS NOT NULL THEN RETURN NEXT; RETURN; END IF;
    END IF;
    SELECT a.status, a.available_margin INTO status, available_margin
        FROM account a WHERE a.id = the_account FOR NO KEY UPDATE;
    IF NOT FOUND THEN RETURN; END IF;
    read_at := clock_timestamp();
    IF the_client_order_id IS NOT NULL THEN
        SELECT o.id INTO duplicate_of FROM trading_order o
            WHERE o.account_id = the_account AND o.client_order_id = the_client_order_id;
    END IF;

    SELECT s.id, s.last_price, s.is_active INTO stock_id, last_price, active
        FROM stock s WHERE s.exchange = the_exchange AND s.symbol = the_symbol;
    IF NOT FOUND THEN
        INSERT INTO stock (id, exchange, symbol) VALUES (new_stock_id, the_exchange, the_symbol)
            ON CONFLICT (exchange, symbol) DO NOTHING;
        SELECT s.id, s.last_price, s.is_active INTO stock_id, last_price, active
            FROM stock s WHERE s.exchange = the_exchange AND s.symbol = the_symbol;
    END IF;
    IF NOT active THEN
        UPDATE stock s SET is_active = true WHERE s.id = stock_id;
    END IF;

    SELECT p.quantity INTO held FROM position p
        WHERE p.account_id = the_account AND p.stock_id = placement_read.stock_id AND p.product = the_product;
    held := coalesce(held, 0);
    promised := 0;
    -- What others promised matters to an order that could close. It is planned each time: a plan kept from
    -- an hour with few PENDING orders walks through all of them in an hour with many.
    IF (the_side = 'BUY' AND held < 0) OR (the_side = 'SELL' AND held > 0) THEN
        EXECUTE 'SELECT coalesce(sum(closing_quantity), 0) FROM trading_order
            WHERE account_id = $1 AND stock_id = $2 AND product = $3 AND side = $4
              AND status = ''PENDING'''
            INTO promised USING the_account, stock_id, the_product, the_side;
    END IF;
    RETURN NEXT;
END $$;

CREATE FUNCTION placement_write(
    new_id uuid, the_account uuid, the_stock uuid, the_exchange text, the_symbol text,
    the_client_order_id text, the_side text, the_product text, the_order_type text, the_quantity integer,
    the_price numeric, the_closing_quantity integer, the_margin numeric, the_charges numeric, the_items jsonb,
    the_scope text, the_key text, the_fingerprint bytea
) RETURNS TABLE (placed trading_order, reserve_ms float8, order_ms float8, ledger_ms float8)
LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    reserved timestamptz;
    inserted timestamptz;
    new_balance numeric;
    new_blocked numeric;
BEGIN
    UPDATE account a SET balance = a.balance - the_charges, blocked_margin = a.blocked_margin + the_margin
        WHERE a.id = the_account RETURNING a.balance, a.blocked_margin INTO new_balance, new_blocked;
    IF the_closing_quantity < the_quantity AND new_balance < new_blocked THEN
        RAISE EXCEPTION 'an order that opens may not take the available margin below zero'
            USING ERRCODE = 'check_violation';
    END IF;
    reserved := clock_timestamp();

    INSERT INTO trading_order (id, account_id, stock_id, exchange, symbol, client_order_id, side, product,
                               order_type, quantity, price, closing_quantity, blocked_margin, charges, charge_items)
    VALUES (new_id, the_account, the_stock, the_exchange, the_symbol, the_client_order_id, the_side, the_product,
            the_order_type, the_quantity, the_price, the_closing_quantity, the_margin, the_charges, the_items)
    RETURNING * INTO placed;
    inserted := clock_timestamp();

    IF the_margin > 0 THEN
        INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id)
        VALUES (the_account, 'MARGIN_BLOCK', the_margin, new_balance + the_charges, new_blocked, new_id);
    END IF;
    IF the_charges > 0 THEN
        INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id)
        VALUES (the_account, 'CHARGES', the_charges, new_balance, new_blocked, new_id);
    END IF;
    IF the_key IS NOT NULL THEN
        INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer)
        VALUES (the_account, the_scope, the_key, the_fingerprint, to_jsonb(placed));
    END IF;
    reserve_ms := extract(epoch FROM reserved - began) * 1000;
    order_ms := extract(epoch FROM inserted - reserved) * 1000;
    ledger_ms := extract(epoch FROM clock_timestamp() - inserted) * 1000;
    RETURN NEXT;
END $$;

-- The common placement in one statement: an order that only opens, by an account that may and can, with
-- margin and charges worked out beforehand. What is not common is raised, rolled back, and done in steps.
CREATE FUNCTION placement_at_once(
    new_id uuid, the_account uuid, new_stock_id uuid, the_exchange text, the_symbol text,
    the_client_order_id text, the_side text, the_product text, the_order_type text, the_quantity integer,
    the_price numeric, the_margin numeric, the_charges numeric, the_items jsonb, charged_on date,
    the_scope text, the_key text, the_fingerprint bytea
) RETURNS TABLE (placed trading_order, stock_ms float8, reserve_ms float8, order_ms float8, ledger_ms float8)
LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    state record;
    read_ms float8;
BEGIN
    SELECT * INTO state FROM placement_read(
        the_account, the_exchange, the_symbol, the_side, the_product, the_client_order_id, new_stock_id,
        the_scope, the_key);
    IF NOT FOUND OR state.answer IS NOT NULL OR state.duplicate_of IS NOT NULL OR state.status <> 'ACTIVE'
        OR (the_side = 'BUY' AND state.held < 0)
        OR (the_side = 'SELL' AND (state.held > 0 OR the_product = 'DELIVERY'))
        OR state.available_margin < the_margin + the_charges
        OR (state.read_at AT TIME ZONE 'Asia/Kolkata')::date <> charged_on
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TP100', MESSAGE = 'this placement is done in steps';
    END IF;
    read_ms := extract(epoch FROM clock_timestamp() - began) * 1000;
    RETURN QUERY SELECT w.placed, read_ms, w.reserve_ms, w.order_ms, w.ledger_ms FROM placement_write(
        new_id, the_account, state.stock_id, the_exchange, the_symbol, the_client_order_id, the_side,
        the_product, the_order_type, the_quantity, the_price, 0, the_margin, the_charges, the_items,
        the_scope, the_key, the_fingerprint) AS w;
END $$;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(FUNCTIONS)
