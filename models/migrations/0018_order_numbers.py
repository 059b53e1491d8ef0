"""Number the orders: 15 digits, the day in India and nine digits of a sequence, as bots for Kite Connect know them.

The database numbers an order when it is placed, so that the previous release, which does not know the column, numbers
its orders too. Live orders get a number here; orders that were final before keep none. Modifications are counted from
now on.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute, fetch_one

atomic = False  # CREATE INDEX CONCURRENTLY runs in no transaction

HAS_COLUMNS = """
SELECT FROM pg_attribute WHERE attrelid = 'trading_order'::regclass AND attname = 'order_number'
"""

# The sequence begins with nine digits, and begins anew long before a day has used them up. No table is rewritten: the
# default of order_number is set after the column is there, and the domains have no constraint before the end.
COLUMNS = """
CREATE DOMAIN order_number AS bigint;
CREATE DOMAIN change_count AS integer;
CREATE SEQUENCE order_numbers MINVALUE 100000000 MAXVALUE 999999999 CYCLE;

CREATE FUNCTION order_number(placed_at timestamptz, counted bigint) RETURNS bigint LANGUAGE sql AS $$
    SELECT to_char(placed_at AT TIME ZONE 'Asia/Kolkata', 'YYMMDD')::bigint * 1000000000 + counted
$$;
CREATE FUNCTION new_order_number(placed_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT order_number(placed_at, nextval('order_numbers'))
$$;
-- The number of the order that this connection has written last. In PL/pgSQL, because the statement that calls it is
-- planned each time, and would have the bodies of the functions above in it: 30 µs more (2026-11-27).
CREATE FUNCTION last_order_number(placed_at timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    RETURN order_number(placed_at, currval('order_numbers'));
END $$;

ALTER TABLE trading_order
    ADD COLUMN order_number  order_number,
    ADD COLUMN modifications change_count NOT NULL DEFAULT 0,
    ADD COLUMN modified_at   timestamptz;
ALTER TABLE trading_order ALTER COLUMN order_number SET DEFAULT new_order_number(market_now());

CREATE TRIGGER order_keeps_its_number BEFORE UPDATE OF order_number ON trading_order
    FOR EACH ROW WHEN (OLD.order_number IS NOT NULL)
    EXECUTE FUNCTION refuse_change('an order keeps its number');

ALTER DOMAIN order_number ADD CONSTRAINT order_number_has_15_digits
    CHECK (VALUE BETWEEN 100000000000000 AND 999999999999999) NOT VALID;
ALTER DOMAIN change_count ADD CONSTRAINT change_count_is_not_negative CHECK (VALUE >= 0) NOT VALID;
"""

# As in 0011, with the number of the day of placed_at. It is not returned: another type of the result would break the
# statements of the previous release that run meanwhile. The caller asks for it by last_order_number.
WRITE = """
CREATE OR REPLACE FUNCTION order_write(
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
        expires_at, closing_quantity, blocked_margin, charges, charge_items, placed_at, due_at, waiting_for,
        order_number)
    VALUES (
        new_id, the_account, the_stock, the_exchange, the_symbol, the_client_order_id, the_side, the_product,
        the_order_type, the_quantity, the_price, the_trigger_price, the_validity, the_validity_minutes,
        the_market_protection, the_after_market, the_tag, the_fill_model, the_limit_fills,
        CASE WHEN waits_for_session THEN ends_at
             ELSE least(ends_at, placed_now + make_interval(mins => the_validity_minutes)) END,
        the_closing_quantity, the_margin, the_charges, the_items, placed_now,
        CASE WHEN waits_for_session THEN NULL ELSE placed_now END,
        CASE WHEN waits_for_session THEN 'session' END, new_order_number(placed_now))
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

# In steps of 500, because quotes wait for the rows meanwhile.
NUMBER_LIVE_ORDERS = """
UPDATE trading_order SET order_number = new_order_number(placed_at)
WHERE id IN (SELECT id FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND order_number IS NULL
             ORDER BY id LIMIT 500 FOR NO KEY UPDATE)
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply; a part that a failed attempt has finished is left as it is."""
    if fetch_one(HAS_COLUMNS) is None:
        execute(COLUMNS + WRITE)  # sent as one text, the statements are one transaction
    while execute(NUMBER_LIVE_ORDERS):
        pass
    execute("DROP INDEX CONCURRENTLY IF EXISTS order_by_number")  # one that a failure left unfinished
    execute("CREATE UNIQUE INDEX CONCURRENTLY order_by_number ON trading_order (order_number)")
