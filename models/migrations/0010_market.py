"""Let orders rest: quotes with a book on the stock, fill models, and the columns, guards and events of resting orders.

The previous release goes on beside this one: it places IMMEDIATE orders and executes what is PENDING. No table is
rewritten: each new column has a constant default, and its domain has no constraint yet when the column is added.

An order is inserted and updated one or a few at a time, and PostgreSQL reads the text of every CHECK, and of the
condition of every trigger, anew for each statement. The constraints of domains it keeps. So a rule of one column is a
domain, and a trigger names the columns that it is for. Placement and execution are about a tenth faster for it.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

# One function gives the time to rules and statements, so that a replay can put its own clock in its place.
CLOCK = """
CREATE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';
"""

# Without constraints, which come last: see above.
DOMAINS = """
CREATE DOMAIN market_price     AS numeric(12, 2);
CREATE DOMAIN tick_size        AS numeric(8, 2);
CREATE DOMAIN positive_count   AS bigint;
CREATE DOMAIN day_volume       AS bigint;
CREATE DOMAIN lot_size         AS integer;
CREATE DOMAIN fill_model       AS text;
CREATE DOMAIN limit_fills      AS text;
CREATE DOMAIN order_validity   AS text;
CREATE DOMAIN validity_minutes AS integer;
CREATE DOMAIN percent          AS numeric(5, 2);
CREATE DOMAIN order_tag        AS text;
CREATE DOMAIN end_reason       AS text;
CREATE DOMAIN awaited          AS text;
CREATE DOMAIN match_class      AS smallint;
CREATE DOMAIN order_exchange   AS text;
CREATE DOMAIN order_side       AS text;
CREATE DOMAIN order_product    AS text;
CREATE DOMAIN order_type       AS text;
CREATE DOMAIN order_status     AS text;
CREATE DOMAIN ledger_kind      AS text;
CREATE DOMAIN account_status   AS text;
"""

# NOT VALID, because the new columns hold nothing but their defaults, and the CHECKs before these allowed no more:
# without it the tables would be read to the end.
CONSTRAINTS = """
ALTER DOMAIN market_price     ADD CHECK (VALUE > 0 AND VALUE <> 'NaN') NOT VALID;
ALTER DOMAIN tick_size        ADD CHECK (VALUE > 0 AND VALUE <> 'NaN') NOT VALID;
ALTER DOMAIN positive_count   ADD CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN day_volume       ADD CHECK (VALUE >= 0) NOT VALID;
ALTER DOMAIN lot_size         ADD CHECK (VALUE > 0) NOT VALID;
ALTER DOMAIN fill_model       ADD CHECK (VALUE IN ('IMMEDIATE', 'QUOTES')) NOT VALID;
ALTER DOMAIN limit_fills      ADD CHECK (VALUE IN ('book', 'touch', 'through')) NOT VALID;
ALTER DOMAIN order_validity   ADD CHECK (VALUE IN ('DAY', 'IOC', 'TTL', 'GTC')) NOT VALID;
ALTER DOMAIN validity_minutes ADD CHECK (VALUE BETWEEN 1 AND 1440) NOT VALID;
ALTER DOMAIN percent          ADD CHECK (VALUE > 0 AND VALUE <= 100) NOT VALID;
ALTER DOMAIN order_tag        ADD CHECK (VALUE ~ '^[ -~]{1,20}$') NOT VALID;
ALTER DOMAIN end_reason       ADD CHECK (VALUE IN ('client', 'ioc', 'square_off', 'oco', 'reset', 'stock_inactive'))
    NOT VALID;
ALTER DOMAIN awaited          ADD CHECK (VALUE IN ('price', 'trigger', 'quote', 'session')) NOT VALID;
ALTER DOMAIN match_class      ADD CHECK (VALUE IN (0, 1)) NOT VALID; -- 0: a stop triggered by the matching quote
ALTER DOMAIN order_exchange ADD CONSTRAINT trading_order_exchange_check
    CHECK (VALUE IN ('NSE', 'BSE')) NOT VALID;
ALTER DOMAIN order_side ADD CONSTRAINT trading_order_side_check
    CHECK (VALUE IN ('BUY', 'SELL')) NOT VALID;
ALTER DOMAIN order_product ADD CONSTRAINT trading_order_product_check
    CHECK (VALUE IN ('INTRADAY', 'DELIVERY')) NOT VALID;
ALTER DOMAIN order_type ADD CONSTRAINT trading_order_order_type_check
    CHECK (VALUE IN ('MARKET', 'LIMIT', 'STOP_LIMIT', 'STOP_MARKET')) NOT VALID;
ALTER DOMAIN order_status ADD CONSTRAINT trading_order_status_check
    CHECK (VALUE IN ('PENDING', 'OPEN', 'EXECUTED', 'CANCELLED', 'REJECTED', 'EXPIRED')) NOT VALID;
ALTER DOMAIN ledger_kind ADD CONSTRAINT fund_transaction_kind_check
    CHECK (VALUE IN ('DEPOSIT', 'WITHDRAWAL', 'CHARGES', 'CHARGES_REFUND', 'PROFIT', 'LOSS', 'MARGIN_BLOCK',
                     'MARGIN_RELEASE')) NOT VALID;
ALTER DOMAIN account_status ADD CONSTRAINT account_status_check
    CHECK (VALUE IN ('ACTIVE', 'SUSPENDED')) NOT VALID;
"""

# No index on any of these columns: a quote's update stays within its page.
QUOTES = """
ALTER TABLE stock
    ADD COLUMN quote_number     bigint NOT NULL DEFAULT 0,      -- of the last stored quote
    ADD COLUMN usable_number    bigint NOT NULL DEFAULT 0,      -- of the last quote that was usable when it came
    ADD COLUMN is_usable        boolean NOT NULL DEFAULT false, -- the last stored quote was usable when it came
    ADD COLUMN bid_price        market_price,
    ADD COLUMN ask_price        market_price,
    ADD COLUMN bid_quantity     positive_count,
    ADD COLUMN ask_quantity     positive_count,
    ADD COLUMN quoted_at        timestamptz,
    ADD COLUMN newest_trade_at  timestamptz,                    -- the newest lastTradedAt of all usable quotes
    ADD COLUMN largest_volume   day_volume, -- of all usable quotes of volume_day
    ADD COLUMN volume_day       date,
    ADD COLUMN open_price       market_price,
    ADD COLUMN high_price       market_price,
    ADD COLUMN low_price        market_price,
    ADD COLUMN previous_close   market_price,
    ADD COLUMN close_price      market_price,                          -- the official close
    ADD COLUMN lower_circuit    market_price,
    ADD COLUMN upper_circuit    market_price,
    ADD COLUMN circuit_day      date,                           -- the session day for which the circuits hold
    ADD COLUMN is_halted        boolean NOT NULL DEFAULT false,
    ADD COLUMN tick_size        tick_size,
    ADD COLUMN lot_size         lot_size,
    ADD COLUMN allows_intraday  boolean NOT NULL DEFAULT true;
"""

# The triggers and indexes that stand in the way are made anew below.
OLD_COLUMNS = """
DROP TRIGGER account_changed ON account;
DROP TRIGGER ledger_is_append_only ON fund_transaction;
DROP TRIGGER order_stays_final ON trading_order;
DROP TRIGGER order_stays_the_same_order ON trading_order;
DROP TRIGGER order_changed ON trading_order;
DROP TRIGGER order_version_moves ON trading_order;
DROP INDEX order_promises, order_pending_by_age;

ALTER TABLE account DROP CONSTRAINT account_status_check, ALTER COLUMN status TYPE account_status;
ALTER TABLE fund_transaction DROP CONSTRAINT fund_transaction_kind_check, ALTER COLUMN kind TYPE ledger_kind;
ALTER TABLE trading_order
    DROP CONSTRAINT trading_order_exchange_check,
    DROP CONSTRAINT trading_order_side_check,
    DROP CONSTRAINT trading_order_product_check,
    DROP CONSTRAINT trading_order_order_type_check,
    DROP CONSTRAINT trading_order_status_check,
    DROP CONSTRAINT order_limit_has_a_price,
    ALTER COLUMN exchange TYPE order_exchange,
    ALTER COLUMN side TYPE order_side,
    ALTER COLUMN product TYPE order_product,
    ALTER COLUMN order_type TYPE order_type,
    ALTER COLUMN status TYPE order_status;
"""

ORDERS = """
ALTER TABLE account
    ADD COLUMN fill_model fill_model NOT NULL DEFAULT 'IMMEDIATE';

ALTER TABLE trading_order
    ADD COLUMN fill_model        fill_model NOT NULL DEFAULT 'IMMEDIATE',
    ADD COLUMN limit_fills       limit_fills NOT NULL DEFAULT 'book',
    ADD COLUMN validity          order_validity NOT NULL DEFAULT 'DAY',
    ADD COLUMN validity_minutes  validity_minutes,
    ADD COLUMN trigger_price     market_price,
    ADD COLUMN market_protection percent,
    ADD COLUMN protection_price  market_price,
    ADD COLUMN after_market      boolean NOT NULL DEFAULT false,
    ADD COLUMN tag               order_tag,
    ADD COLUMN expires_at        timestamptz,
    ADD COLUMN end_reason        end_reason,
    -- The market's marks on an order.
    ADD COLUMN waiting_for       awaited,
    ADD COLUMN opened_number     bigint,   -- the stock's quote number when the order opened without a usable quote
    ADD COLUMN watch_price       market_price, -- a quote that reaches it matches; NULL while none is watched
    ADD COLUMN watch_trigger     market_price, -- a last price that reaches it triggers; NULL while none is watched
    ADD COLUMN triggered_at      timestamptz,
    ADD COLUMN trigger_is_told   boolean NOT NULL DEFAULT false,
    ADD COLUMN match_sequence    bigint,
    ADD COLUMN match_class       match_class,
    ADD COLUMN match_price       market_price,
    ADD COLUMN matched_at        timestamptz,
    ADD COLUMN fill              jsonb,    -- the evidence of a match or a first look
    ADD COLUMN due_at            timestamptz; -- when a worker is due; NULL while the order rests
-- Set afterwards, because a column with a changing default is written into every row. The previous release uses it.
ALTER TABLE trading_order ALTER COLUMN due_at SET DEFAULT market_now();
UPDATE trading_order SET due_at = placed_at WHERE status = 'PENDING';
CREATE SEQUENCE match_sequence;

ALTER TABLE trading_order
    ADD CONSTRAINT order_limit_has_a_price CHECK ((order_type IN ('LIMIT', 'STOP_LIMIT')) = (price IS NOT NULL)),
    ADD CONSTRAINT order_stop_has_a_trigger
        CHECK ((order_type IN ('STOP_LIMIT', 'STOP_MARKET')) = (trigger_price IS NOT NULL)),
    ADD CONSTRAINT order_rests_only_on_quotes CHECK (fill_model = 'QUOTES' OR (
        status NOT IN ('OPEN', 'EXPIRED') AND validity = 'DAY' AND trigger_price IS NULL
        AND market_protection IS NULL AND NOT after_market)),
    ADD CONSTRAINT order_ttl_has_minutes CHECK ((validity = 'TTL') = (validity_minutes IS NOT NULL)),
    ADD CONSTRAINT order_match_is_whole CHECK (
        num_nonnulls(match_sequence, match_price, match_class, matched_at) IN (0, 4)
        AND (matched_at IS NULL OR fill IS NOT NULL)),
    -- The market has traded a matched order: nobody may take it back.
    ADD CONSTRAINT order_matched_is_not_taken_back
        CHECK (matched_at IS NULL OR status IN ('OPEN', 'EXECUTED', 'REJECTED')),
    ADD CONSTRAINT order_end_has_its_reason CHECK (end_reason IS NULL OR status IN ('CANCELLED', 'EXPIRED'));
"""

INDEXES = """
CREATE INDEX order_watched_price ON trading_order (stock_id, side, watch_price)
    WHERE status = 'OPEN' AND matched_at IS NULL AND watch_price IS NOT NULL;
CREATE INDEX order_watched_trigger ON trading_order (stock_id, side, watch_trigger)
    WHERE status = 'OPEN' AND matched_at IS NULL AND watch_trigger IS NOT NULL;
CREATE INDEX order_matched ON trading_order (account_id, match_sequence)
    WHERE status = 'OPEN' AND matched_at IS NOT NULL;
CREATE INDEX order_due ON trading_order (due_at, placed_at, id)
    WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL;
CREATE INDEX order_expiry ON trading_order (expires_at)
    WHERE status IN ('PENDING', 'OPEN') AND matched_at IS NULL AND expires_at IS NOT NULL;
-- Only statements that ask for closing quantities may choose it: a quote must not search by its stock here.
CREATE INDEX order_live_promises ON trading_order (account_id, stock_id, product, side)
    WHERE status IN ('PENDING', 'OPEN') AND closing_quantity > 0;
"""

GUARDS = """
CREATE TRIGGER order_stays_final BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.status NOT IN ('PENDING', 'OPEN'))
    EXECUTE FUNCTION refuse_change('the order is final');
CREATE TRIGGER order_stays_open BEFORE UPDATE OF status ON trading_order
    FOR EACH ROW WHEN (OLD.status = 'OPEN' AND NEW.status = 'PENDING')
    EXECUTE FUNCTION refuse_change('an OPEN order does not become PENDING again');
CREATE TRIGGER order_stays_triggered BEFORE UPDATE OF triggered_at ON trading_order
    FOR EACH ROW WHEN (OLD.triggered_at IS NOT NULL AND OLD.triggered_at IS DISTINCT FROM NEW.triggered_at)
    EXECUTE FUNCTION refuse_change('a trigger is never unset');
CREATE TRIGGER order_stays_matched BEFORE UPDATE
    OF matched_at, match_sequence, match_price, match_class, fill, quantity, price, trigger_price ON trading_order
    FOR EACH ROW WHEN (OLD.matched_at IS NOT NULL
        AND (OLD.matched_at, OLD.match_sequence, OLD.match_price, OLD.match_class, OLD.fill,
             OLD.quantity, OLD.price, OLD.trigger_price)
            IS DISTINCT FROM
            (NEW.matched_at, NEW.match_sequence, NEW.match_price, NEW.match_class, NEW.fill,
             NEW.quantity, NEW.price, NEW.trigger_price))
    EXECUTE FUNCTION refuse_change('the market has traded the order');

CREATE TRIGGER order_stays_the_same_order BEFORE UPDATE
    OF id, account_id, stock_id, exchange, symbol, side, product, fill_model, limit_fills, validity, validity_minutes,
       after_market, tag, order_type ON trading_order
    FOR EACH ROW WHEN ((OLD.id, OLD.account_id, OLD.stock_id, OLD.exchange, OLD.symbol, OLD.side, OLD.product,
                        OLD.fill_model, OLD.limit_fills, OLD.validity, OLD.validity_minutes, OLD.after_market, OLD.tag)
        IS DISTINCT FROM
           (NEW.id, NEW.account_id, NEW.stock_id, NEW.exchange, NEW.symbol, NEW.side, NEW.product,
            NEW.fill_model, NEW.limit_fills, NEW.validity, NEW.validity_minutes, NEW.after_market, NEW.tag)
        OR (OLD.order_type <> NEW.order_type AND (OLD.order_type, NEW.order_type) NOT IN (
            ('LIMIT', 'MARKET'), ('STOP_LIMIT', 'LIMIT'), ('STOP_LIMIT', 'MARKET'), ('STOP_MARKET', 'LIMIT'),
            ('STOP_MARKET', 'MARKET'))))
    EXECUTE FUNCTION refuse_change('only quantity and price of an order may change, and some types');

-- The one change that a ledger row knows is its link to the position that the execution found.
CREATE TRIGGER ledger_is_append_only BEFORE UPDATE
    OF id, account_id, kind, amount, balance_after, blocked_after, order_id, created_at ON fund_transaction
    FOR EACH ROW EXECUTE FUNCTION refuse_change('the ledger is append-only');
CREATE TRIGGER ledger_keeps_its_positions BEFORE UPDATE OF position_id ON fund_transaction
    FOR EACH ROW WHEN (OLD.position_id IS NOT NULL)
    EXECUTE FUNCTION refuse_change('the ledger is append-only');
"""

EVENTS = """
ALTER TABLE event DROP CONSTRAINT event_type_check;
ALTER TABLE event ADD CONSTRAINT event_type_check CHECK (type ~
    '^(order[.](pending|open|triggered|executed|modified|cancelled|rejected|expired)|(position|account)[.]updated)$'
    ) NOT VALID;
ALTER TABLE event VALIDATE CONSTRAINT event_type_check;

-- A new status names the event. An order that keeps its status was modified, or its trigger is told. Matching marks an
-- order without its account, so that those marks are housekeeping like the attempts: the worker tells a trigger, at the
-- latest with the fill.
CREATE FUNCTION record_order_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
    event_type text := 'order.' || lower(NEW.status);
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = OLD.status THEN
        IF (OLD.order_type, OLD.quantity, OLD.price, OLD.trigger_price, OLD.filled_quantity, OLD.average_price,
            OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges, OLD.charge_items,
            OLD.rejection_reason, OLD.client_order_id, OLD.trigger_is_told)
            IS NOT DISTINCT FROM
           (NEW.order_type, NEW.quantity, NEW.price, NEW.trigger_price, NEW.filled_quantity, NEW.average_price,
            NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges, NEW.charge_items,
            NEW.rejection_reason, NEW.client_order_id, NEW.trigger_is_told)
        THEN RETURN NULL; END IF;
        event_type := CASE WHEN NEW.trigger_is_told AND NOT OLD.trigger_is_told THEN 'order.triggered'
                           ELSE 'order.modified' END;
    END IF;
    UPDATE account SET last_event_id = last_event_id + 1 WHERE id = NEW.account_id
        RETURNING last_event_id INTO event_id;
    INSERT INTO event (account_id, id, type, at, data)
    VALUES (NEW.account_id, event_id, event_type, clock_timestamp(),
            to_jsonb(NEW) - '{opened_number, watch_price, watch_trigger, trigger_is_told, match_sequence, match_class,
                              match_price, due_at, attempts, retry_at}'::text[]);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER order_placed AFTER INSERT ON trading_order
    FOR EACH ROW EXECUTE FUNCTION record_order_event();
CREATE TRIGGER order_changed AFTER UPDATE
    OF status, order_type, quantity, price, trigger_price, filled_quantity, average_price, position_id,
       closing_quantity, blocked_margin, charges, charge_items, rejection_reason, client_order_id, trigger_is_told
    ON trading_order FOR EACH ROW EXECUTE FUNCTION record_order_event();

CREATE TRIGGER account_changed BEFORE UPDATE
    OF balance, blocked_margin, realized_pnl, status, name, fill_model ON account
    FOR EACH ROW WHEN ((OLD.balance, OLD.blocked_margin, OLD.realized_pnl, OLD.status, OLD.name, OLD.fill_model)
        IS DISTINCT FROM (NEW.balance, NEW.blocked_margin, NEW.realized_pnl, NEW.status, NEW.name, NEW.fill_model))
    EXECUTE FUNCTION record_account_event();

-- Every column that an UPDATE may change, but for those that no client sees.
CREATE OR REPLACE FUNCTION move_order_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, OLD.order_type, OLD.quantity, OLD.price, OLD.trigger_price, OLD.filled_quantity,
        OLD.average_price, OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges, OLD.charge_items,
        OLD.rejection_reason, OLD.client_order_id, OLD.placed_at, OLD.executed_at, OLD.updated_at, OLD.triggered_at,
        OLD.waiting_for, OLD.matched_at, OLD.expires_at, OLD.protection_price, OLD.end_reason)
        IS DISTINCT FROM
       (NEW.status, NEW.order_type, NEW.quantity, NEW.price, NEW.trigger_price, NEW.filled_quantity,
        NEW.average_price, NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges, NEW.charge_items,
        NEW.rejection_reason, NEW.client_order_id, NEW.placed_at, NEW.executed_at, NEW.updated_at, NEW.triggered_at,
        NEW.waiting_for, NEW.matched_at, NEW.expires_at, NEW.protection_price, NEW.end_reason)
    THEN
        NEW.version := greatest(OLD.version + 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_version_moves BEFORE UPDATE
    OF status, order_type, quantity, price, trigger_price, filled_quantity, average_price, position_id,
       closing_quantity, blocked_margin, charges, charge_items, rejection_reason, client_order_id, placed_at,
       executed_at, updated_at, triggered_at, waiting_for, matched_at, expires_at, protection_price, end_reason
    ON trading_order FOR EACH ROW EXECUTE FUNCTION move_order_version();
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (CLOCK, DOMAINS, OLD_COLUMNS, QUOTES, ORDERS, CONSTRAINTS, INDEXES, GUARDS, EVENTS):
        execute(statements)
