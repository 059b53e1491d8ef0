"""The functions that placement calls, for orders that may rest: beside those of 0004, which the previous release calls.

As there, they hold no rule of money: trading/orders/placement_in_steps.py decides between reading and writing.
See docs/decisions/placement-functions.md.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

READ = """
CREATE TYPE order_facts AS (
    fingerprint bytea, answer jsonb, status text, available_margin numeric, fill_model text, duplicate_of uuid,
    stock_id uuid, last_price numeric, tick_size numeric, lot_size integer, allows_intraday boolean,
    quote_number bigint, usable_number bigint, is_usable boolean, bid_price numeric, ask_price numeric,
    quoted_at timestamptz, lower_circuit numeric, upper_circuit numeric, session_class text,
    held bigint, held_margin numeric, promised bigint, read_at timestamptz);

-- The facts on which a placement is decided, read under the account's lock. Without a stock its columns are NULL: the
-- caller creates it in a transaction of its own, because who holds an account waits for no stock.
CREATE FUNCTION order_facts(
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

# One home for "usable now": a stock's present quote may fill an order. max_quote_age_s 0 means any age.
USABLE = """
CREATE FUNCTION quote_is_usable(the_stock stock, at timestamptz, max_quote_age_s integer) RETURNS boolean
LANGUAGE sql AS $$
    SELECT coalesce(the_stock.is_usable AND NOT the_stock.is_halted AND (max_quote_age_s = 0
        OR the_stock.quoted_at >= at - make_interval(secs => max_quote_age_s)), false)
$$;
"""

WRITE = """
-- An order that waits for its session is due when the session opens. Its minutes, if it has any, count from then on and
-- are part of ends_at.
-- The values of a new order that the caller does not know, and the lengths of the steps.
CREATE TYPE placed_order AS (
    stock_id uuid, fill_model text, placed_at timestamptz, expires_at timestamptz, updated_at timestamptz,
    version bigint, stock_ms float8, reserve_ms float8, order_ms float8, ledger_ms float8);

CREATE FUNCTION order_write(
    new_id uuid, the_account uuid, the_stock uuid, the_exchange text, the_symbol text,
    the_client_order_id text, the_side text, the_product text, the_order_type text, the_quantity integer,
    the_price numeric, the_trigger_price numeric, the_validity text, the_validity_minutes integer,
    the_market_protection numeric, the_after_market boolean, the_tag text, the_fill_model text, the_limit_fills text,
    ends_at timestamptz, the_closing_quantity integer, the_margin numeric, the_charges numeric, the_items jsonb,
    the_scope text, the_key text, the_fingerprint bytea,
    waits_for_session boolean DEFAULT false
) RETURNS placed_order LANGUAGE plpgsql AS $$
DECLARE
    done placed_order;
    placed trading_order;
    began timestamptz := clock_timestamp();
    reserved timestamptz;
    inserted timestamptz;
    new_balance numeric;
    new_blocked numeric;
    placed_now timestamptz;
BEGIN
    UPDATE account a SET balance = a.balance - the_charges, blocked_margin = a.blocked_margin + the_margin
        WHERE a.id = the_account RETURNING a.balance, a.blocked_margin INTO new_balance, new_blocked;
    IF the_closing_quantity < the_quantity AND new_balance < new_blocked THEN
        RAISE EXCEPTION 'an order that opens may not take the available margin below zero'
            USING ERRCODE = 'check_violation';
    END IF;
    reserved := clock_timestamp();

    placed_now := market_now();
    INSERT INTO trading_order (
        id, account_id, stock_id, exchange, symbol, client_order_id, side, product, order_type, quantity, price,
        trigger_price, validity, validity_minutes, market_protection, after_market, tag, fill_model, limit_fills,
        expires_at, closing_quantity, blocked_margin, charges, charge_items, placed_at, due_at, waiting_for)
    VALUES (
        new_id, the_account, the_stock, the_exchange, the_symbol, the_client_order_id, the_side, the_product,
        the_order_type, the_quantity, the_price, the_trigger_price, the_validity, the_validity_minutes,
        the_market_protection, the_after_market, the_tag, the_fill_model, the_limit_fills,
        CASE WHEN waits_for_session THEN ends_at
             ELSE least(ends_at, placed_now + make_interval(mins => the_validity_minutes)) END,
        the_closing_quantity, the_margin, the_charges, the_items, placed_now,
        CASE WHEN waits_for_session THEN NULL ELSE placed_now END,
        CASE WHEN waits_for_session THEN 'session' END)
    RETURNING * INTO placed;
    inserted := clock_timestamp();

    INSERT INTO fund_transaction (account_id, kind, amount, balance_after, blocked_after, order_id)
        SELECT the_account, entry.kind, entry.amount, entry.balance, new_blocked, new_id
        FROM (VALUES ('MARGIN_BLOCK', the_margin, new_balance + the_charges), ('CHARGES', the_charges, new_balance))
            AS entry (kind, amount, balance)
        WHERE entry.amount > 0;
    IF the_key IS NOT NULL THEN
        INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer)
        VALUES (the_account, the_scope, the_key, the_fingerprint, to_jsonb(placed));
    END IF;
    done := (the_stock, the_fill_model, placed.placed_at, placed.expires_at, placed.updated_at, placed.version, 0,
             extract(epoch FROM reserved - began) * 1000, extract(epoch FROM inserted - reserved) * 1000,
             extract(epoch FROM clock_timestamp() - inserted) * 1000);
    RETURN done;
END $$;
"""

AT_ONCE = """
-- The common placement in one statement: a LIMIT order that only opens, by an account that may and can, with
-- margin and charges worked out beforehand. An order that rests needs no quote for this if it is a BUY, whose limit is
-- what it may cost at most. What is not common is raised, rolled back, and done in steps.
CREATE FUNCTION order_at_once(
    new_id uuid, the_account uuid, the_exchange text, the_symbol text,
    the_client_order_id text, the_side text, the_product text, the_order_type text, the_quantity integer,
    the_price numeric, the_trigger_price numeric, the_validity text, the_validity_minutes integer,
    the_market_protection numeric, the_after_market boolean, the_tag text, the_limit_fills text, ends_at timestamptz,
    the_margin numeric, the_charges numeric, the_items jsonb, charged_on date,
    the_scope text, the_key text, the_fingerprint bytea
) RETURNS placed_order LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
    state order_facts;
    done placed_order;
    read_ms float8;
BEGIN
    state := order_facts(
        the_account, the_exchange, the_symbol, the_side, the_product, the_client_order_id, the_scope, the_key, 0);
    IF state.answer IS NOT NULL OR state.stock_id IS NULL OR state.duplicate_of IS NOT NULL OR state.status <> 'ACTIVE'
        OR (the_side = 'BUY' AND state.held < 0)
        OR (the_side = 'SELL' AND (state.held > 0 OR the_product = 'DELIVERY'))
        OR state.available_margin < the_margin + the_charges
        OR (state.read_at AT TIME ZONE 'Asia/Kolkata')::date <> charged_on
        OR (state.fill_model = 'IMMEDIATE' AND the_validity <> 'DAY') OR the_after_market
        OR (state.fill_model = 'QUOTES' AND (the_side = 'SELL'
            OR (the_product = 'INTRADAY' AND NOT state.allows_intraday)
            OR mod(the_quantity, state.lot_size) <> 0 OR mod(the_price, state.tick_size) <> 0
            OR the_price < state.lower_circuit OR the_price > state.upper_circuit))
    THEN
        RAISE EXCEPTION USING ERRCODE = 'TP100', MESSAGE = 'this placement is done in steps';
    END IF;
    read_ms := extract(epoch FROM clock_timestamp() - began) * 1000;
    done := order_write(
        new_id, the_account, state.stock_id, the_exchange, the_symbol, the_client_order_id, the_side,
        the_product, the_order_type, the_quantity, the_price, the_trigger_price, the_validity, the_validity_minutes,
        the_market_protection, the_after_market, the_tag, state.fill_model, the_limit_fills,
        CASE WHEN state.fill_model = 'QUOTES' THEN ends_at END, 0, the_margin, the_charges, the_items,
        the_scope, the_key, the_fingerprint);
    done.stock_ms := read_ms;
    RETURN done;
END $$;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statement in (USABLE, READ, WRITE, AT_ONCE):
        execute(statement)
