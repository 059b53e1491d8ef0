"""Let orders rest: quotes with a book on the stock, fill models, and the columns, guards and events of resting orders.

The previous release goes on beside this one: it places IMMEDIATE orders and executes what is PENDING. Each new column
has a constant default, so that no table is rewritten.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

# One function gives the time to rules and statements, so that a replay can put its own clock in its place.
CLOCK = """
CREATE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT clock_timestamp()';
"""

# No index on any of these columns: a quote's update stays within its page.
QUOTES = """
ALTER TABLE stock
    ADD COLUMN quote_number     bigint NOT NULL DEFAULT 0,      -- of the last stored quote
    ADD COLUMN usable_number    bigint NOT NULL DEFAULT 0,      -- of the last quote that was usable when it came
    ADD COLUMN is_usable        boolean NOT NULL DEFAULT false, -- the last stored quote was usable when it came
    ADD COLUMN bid_price        price,
    ADD COLUMN ask_price        price,
    ADD COLUMN bid_quantity     bigint CHECK (bid_quantity > 0),
    ADD COLUMN ask_quantity     bigint CHECK (ask_quantity > 0),
    ADD COLUMN quoted_at        timestamptz,
    ADD COLUMN newest_trade_at  timestamptz,                    -- the newest lastTradedAt of all usable quotes
    ADD COLUMN largest_volume   bigint CHECK (largest_volume >= 0), -- of all usable quotes of volume_day
    ADD COLUMN volume_day       date,
    ADD COLUMN open_price       price,
    ADD COLUMN high_price       price,
    ADD COLUMN low_price        price,
    ADD COLUMN previous_close   price,
    ADD COLUMN close_price      price,                          -- the official close
    ADD COLUMN lower_circuit    price,
    ADD COLUMN upper_circuit    price,
    ADD COLUMN circuit_day      date,                           -- the session day for which the circuits hold
    ADD COLUMN is_halted        boolean NOT NULL DEFAULT false,
    ADD COLUMN tick_size        numeric(8, 2) CHECK (tick_size > 0),
    ADD COLUMN lot_size         integer CHECK (lot_size > 0),
    ADD COLUMN allows_intraday  boolean NOT NULL DEFAULT true;
"""

ORDERS = """
ALTER TABLE account
    ADD COLUMN fill_model text NOT NULL DEFAULT 'IMMEDIATE' CHECK (fill_model IN ('IMMEDIATE', 'QUOTES'));

ALTER TABLE trading_order
    ADD COLUMN fill_model        text NOT NULL DEFAULT 'IMMEDIATE' CHECK (fill_model IN ('IMMEDIATE', 'QUOTES')),
    ADD COLUMN limit_fills       text NOT NULL DEFAULT 'book' CHECK (limit_fills IN ('book', 'touch', 'through')),
    ADD COLUMN validity          text NOT NULL DEFAULT 'DAY' CHECK (validity IN ('DAY', 'IOC', 'TTL', 'GTC')),
    ADD COLUMN validity_minutes  integer CHECK (validity_minutes BETWEEN 1 AND 1440),
    ADD COLUMN trigger_price     price,
    ADD COLUMN market_protection numeric(5, 2) CHECK (market_protection > 0 AND market_protection <= 100),
    ADD COLUMN protection_price  price,
    ADD COLUMN after_market      boolean NOT NULL DEFAULT false,
    ADD COLUMN tag               text CHECK (tag ~ '^[ -~]{1,20}$'),
    ADD COLUMN expires_at        timestamptz,
    ADD COLUMN end_reason        text CHECK (end_reason IN ('client', 'ioc', 'square_off', 'oco', 'reset',
                                                            'stock_inactive')),
    -- The market's marks on an order.
    ADD COLUMN waiting_for       text CHECK (waiting_for IN ('price', 'trigger', 'quote', 'session')),
    ADD COLUMN opened_number     bigint,   -- the stock's quote number when the order opened without a usable quote
    ADD COLUMN watch_price       price,    -- a quote that reaches it matches; NULL while no price is watched
    ADD COLUMN watch_trigger     price,    -- a last price that reaches it triggers; NULL while no trigger is watched
    ADD COLUMN triggered_at      timestamptz,
    ADD COLUMN trigger_is_told   boolean NOT NULL DEFAULT false,
    ADD COLUMN match_sequence    bigint,
    ADD COLUMN match_class       smallint CHECK (match_class IN (0, 1)), -- 0: a stop triggered by this quote
    ADD COLUMN match_price       price,
    ADD COLUMN matched_at        timestamptz,
    ADD COLUMN fill              jsonb,    -- the evidence of a match or a first look
    ADD COLUMN due_at            timestamptz; -- when a worker is due; NULL while the order rests
-- Set afterwards, because a column with a changing default is written into every row. The previous release uses it.
ALTER TABLE trading_order ALTER COLUMN due_at SET DEFAULT market_now();
UPDATE trading_order SET due_at = placed_at WHERE status = 'PENDING';
CREATE SEQUENCE match_sequence;

ALTER TABLE trading_order
    DROP CONSTRAINT trading_order_order_type_check,
    DROP CONSTRAINT trading_order_status_check,
    DROP CONSTRAINT order_limit_has_a_price,
    ADD CONSTRAINT trading_order_order_type_check
        CHECK (order_type IN ('MARKET', 'LIMIT', 'STOP_LIMIT', 'STOP_MARKET')),
    ADD CONSTRAINT trading_order_status_check
        CHECK (status IN ('PENDING', 'OPEN', 'EXECUTED', 'CANCELLED', 'REJECTED', 'EXPIRED')),
    ADD CONSTRAINT order_limit_has_a_price CHECK ((order_type IN ('LIMIT', 'STOP_LIMIT')) = (price IS NOT NULL)),
    ADD CONSTRAINT order_stop_has_a_trigger
        CHECK ((order_type IN ('STOP_LIMIT', 'STOP_MARKET')) = (trigger_price IS NOT NULL)),
    ADD CONSTRAINT order_rests_only_on_quotes CHECK (fill_model = 'QUOTES' OR (
        status NOT IN ('OPEN', 'EXPIRED') AND validity = 'DAY' AND trigger_price IS NULL
        AND market_protection IS NULL AND NOT after_market)),
    ADD CONSTRAINT order_ttl_has_minutes CHECK ((validity = 'TTL') = (validity_minutes IS NOT NULL)),
    ADD CONSTRAINT order_match_is_whole CHECK (
        (match_sequence IS NULL) = (matched_at IS NULL) AND (match_price IS NULL) = (matched_at IS NULL)
        AND (match_class IS NULL) = (matched_at IS NULL) AND (matched_at IS NULL OR fill IS NOT NULL)),
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
CREATE INDEX order_live_promises ON trading_order (account_id, stock_id, product, side)
    WHERE status IN ('PENDING', 'OPEN');
DROP INDEX order_promises;
DROP INDEX order_pending_by_age;
"""

GUARDS = """
CREATE OR REPLACE TRIGGER order_stays_final BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.status NOT IN ('PENDING', 'OPEN'))
    EXECUTE FUNCTION refuse_change('the order is final');
CREATE TRIGGER order_stays_open BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.status = 'OPEN' AND NEW.status = 'PENDING')
    EXECUTE FUNCTION refuse_change('an OPEN order does not become PENDING again');
CREATE TRIGGER order_stays_triggered BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.triggered_at IS NOT NULL AND OLD.triggered_at IS DISTINCT FROM NEW.triggered_at)
    EXECUTE FUNCTION refuse_change('a trigger is never unset');
CREATE TRIGGER order_stays_matched BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN (OLD.matched_at IS NOT NULL
        AND (OLD.matched_at, OLD.match_sequence, OLD.match_price, OLD.match_class, OLD.fill,
             OLD.quantity, OLD.price, OLD.trigger_price)
            IS DISTINCT FROM
            (NEW.matched_at, NEW.match_sequence, NEW.match_price, NEW.match_class, NEW.fill,
             NEW.quantity, NEW.price, NEW.trigger_price))
    EXECUTE FUNCTION refuse_change('the market has traded the order');

CREATE OR REPLACE TRIGGER order_stays_the_same_order BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.id, OLD.account_id, OLD.stock_id, OLD.exchange, OLD.symbol, OLD.side, OLD.product,
                        OLD.fill_model, OLD.limit_fills, OLD.validity, OLD.validity_minutes, OLD.after_market, OLD.tag)
        IS DISTINCT FROM
           (NEW.id, NEW.account_id, NEW.stock_id, NEW.exchange, NEW.symbol, NEW.side, NEW.product,
            NEW.fill_model, NEW.limit_fills, NEW.validity, NEW.validity_minutes, NEW.after_market, NEW.tag)
        OR (OLD.order_type <> NEW.order_type AND (OLD.order_type, NEW.order_type) NOT IN (
            ('LIMIT', 'MARKET'), ('STOP_LIMIT', 'LIMIT'), ('STOP_LIMIT', 'MARKET'), ('STOP_MARKET', 'LIMIT'),
            ('STOP_MARKET', 'MARKET'))))
    EXECUTE FUNCTION refuse_change('only quantity and price of an order may change, and some types');
"""

EVENTS = """
ALTER TABLE event DROP CONSTRAINT event_type_check;
ALTER TABLE event ADD CONSTRAINT event_type_check CHECK (type IN (
    'order.pending', 'order.open', 'order.triggered', 'order.executed', 'order.modified', 'order.cancelled',
    'order.rejected', 'order.expired', 'position.updated', 'account.updated')) NOT VALID;
ALTER TABLE event VALIDATE CONSTRAINT event_type_check;

-- A new status names the event. An order that keeps its status was modified, or its trigger is told.
CREATE FUNCTION record_order_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
    event_type text := 'order.' || lower(NEW.status);
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = OLD.status THEN
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
-- Matching marks an order without its account, so that those marks are housekeeping like the attempts: the worker tells
-- a trigger, at the latest with the fill.
CREATE OR REPLACE TRIGGER order_changed AFTER UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.status, OLD.order_type, OLD.quantity, OLD.price, OLD.trigger_price, OLD.filled_quantity,
                        OLD.average_price, OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges,
                        OLD.charge_items, OLD.rejection_reason, OLD.client_order_id, OLD.trigger_is_told)
        IS DISTINCT FROM (NEW.status, NEW.order_type, NEW.quantity, NEW.price, NEW.trigger_price, NEW.filled_quantity,
                          NEW.average_price, NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges,
                          NEW.charge_items, NEW.rejection_reason, NEW.client_order_id, NEW.trigger_is_told))
    EXECUTE FUNCTION record_order_event();

CREATE OR REPLACE TRIGGER account_changed BEFORE UPDATE ON account
    FOR EACH ROW WHEN ((OLD.balance, OLD.blocked_margin, OLD.realized_pnl, OLD.status, OLD.name, OLD.fill_model)
        IS DISTINCT FROM (NEW.balance, NEW.blocked_margin, NEW.realized_pnl, NEW.status, NEW.name, NEW.fill_model))
    EXECUTE FUNCTION record_account_event();

CREATE OR REPLACE TRIGGER order_version_moves BEFORE UPDATE ON trading_order
    FOR EACH ROW WHEN ((OLD.status, OLD.order_type, OLD.quantity, OLD.price, OLD.trigger_price, OLD.filled_quantity,
                        OLD.average_price, OLD.position_id, OLD.closing_quantity, OLD.blocked_margin, OLD.charges,
                        OLD.charge_items, OLD.rejection_reason, OLD.client_order_id, OLD.placed_at, OLD.executed_at,
                        OLD.updated_at, OLD.triggered_at, OLD.waiting_for, OLD.matched_at, OLD.expires_at,
                        OLD.protection_price, OLD.end_reason)
        IS DISTINCT FROM (NEW.status, NEW.order_type, NEW.quantity, NEW.price, NEW.trigger_price, NEW.filled_quantity,
                          NEW.average_price, NEW.position_id, NEW.closing_quantity, NEW.blocked_margin, NEW.charges,
                          NEW.charge_items, NEW.rejection_reason, NEW.client_order_id, NEW.placed_at, NEW.executed_at,
                          NEW.updated_at, NEW.triggered_at, NEW.waiting_for, NEW.matched_at, NEW.expires_at,
                          NEW.protection_price, NEW.end_reason))
    EXECUTE FUNCTION move_order_version();
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (CLOCK, QUOTES, ORDERS, INDEXES, GUARDS, EVENTS):
        execute(statements)
