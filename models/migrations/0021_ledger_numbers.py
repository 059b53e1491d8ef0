"""Number the ledger's entries by a counter of their account, which the update of its balance raises: 1, 2, 3 …

An identity of the server loses the order of entries as soon as accounts live on several servers, and has gaps.

Entries that are there keep their numbers, so that every id and cursor that a client has stays valid. An account that is
there counts on from the last number that the identity has given to anybody; `numbered_after` keeps it, because only the
entries after it have no gap. Both columns begin with a constant, so that no row is rewritten.

The previous release goes on beside this one: it writes entries without a number, and a trigger counts for it.
See docs/decisions/ledger-numbers.md.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

# With both tables locked, no transaction holds a number that is not written yet.
COUNTERS = """
LOCK TABLE account, fund_transaction IN ACCESS EXCLUSIVE MODE;
DO $$
DECLARE
    given bigint;
BEGIN
    EXECUTE format('SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM %%s',
                   pg_get_serial_sequence('fund_transaction', 'id')) INTO given;
    EXECUTE format('ALTER TABLE account ADD COLUMN last_entry_id bigint NOT NULL DEFAULT %%s,
                                        ADD COLUMN numbered_after bigint NOT NULL DEFAULT %%s', given, given);
END $$;
ALTER TABLE account
    ALTER COLUMN last_entry_id SET DEFAULT 0,
    ALTER COLUMN numbered_after SET DEFAULT 0;
ALTER TABLE fund_transaction ALTER COLUMN id DROP IDENTITY;

-- For the previous release and for work by hand. A transaction that writes an entry has locked the account's row.
-- Without WHEN, because the text of a condition is read anew for each statement, which takes longer than this call.
CREATE FUNCTION number_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id IS NULL THEN
        UPDATE account SET last_entry_id = last_entry_id + 1 WHERE id = NEW.account_id
            RETURNING last_entry_id INTO NEW.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_gets_a_number BEFORE INSERT ON fund_transaction FOR EACH ROW EXECUTE FUNCTION number_entry();
"""

# As in 0018, with the numbers of the entries.
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
    has_charges integer := (the_charges > 0)::integer;
    new_balance numeric;
    new_blocked numeric;
    last_entry bigint;
    placed_now timestamptz;
BEGIN
    UPDATE account a SET balance = a.balance - the_charges, blocked_margin = a.blocked_margin + the_margin,
            last_entry_id = a.last_entry_id + (the_margin > 0)::integer + has_charges
        WHERE a.id = the_account
        RETURNING a.balance, a.blocked_margin, a.last_entry_id INTO new_balance, new_blocked, last_entry;
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
        CASE WHEN waits_for_session THEN 'session' END,
        order_number(placed_now, nextval('order_numbers')))
    RETURNING * INTO placed;
    inserted := clock_timestamp();

    INSERT INTO fund_transaction (account_id, id, kind, amount, balance_after, blocked_after, order_id)
        SELECT the_account, entry.id, entry.kind, entry.amount, entry.balance, new_blocked, new_id
        FROM (VALUES (last_entry - has_charges, 'MARGIN_BLOCK', the_margin, new_balance + the_charges),
                     (last_entry, 'CHARGES', the_charges, new_balance))
            AS entry (id, kind, amount, balance)
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


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (COUNTERS, WRITE):
        execute(statements)
