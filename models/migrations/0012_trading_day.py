"""Let a trading day run: dated sessions, square-off, settlement of deliveries, work that is done once a day.

The previous release goes on beside this one. No table is rewritten: each new column has a constant default, and its
domain has no constraint yet when the column is added.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

# The times that a client reads go by the market's clock, as the rules do.
TIMES = """
ALTER TABLE fund_transaction ALTER COLUMN created_at SET DEFAULT market_now();
ALTER TABLE trading_order
    ALTER COLUMN placed_at SET DEFAULT market_now(),
    ALTER COLUMN updated_at SET DEFAULT market_now();
ALTER TABLE position
    ALTER COLUMN created_at SET DEFAULT market_now(),
    ALTER COLUMN updated_at SET DEFAULT market_now();
"""

SESSIONS = """
CREATE DOMAIN session_class AS text;
CREATE DOMAIN order_origin AS text;

CREATE TABLE session (
    calendar      text NOT NULL CHECK (calendar IN ('NSE')),
    day           date NOT NULL,
    class         session_class NOT NULL,
    opens_at      timestamptz NOT NULL,
    closes_at     timestamptz NOT NULL,
    square_off_at timestamptz,               -- NULL: nothing is squared off in this session
    kind          text NOT NULL DEFAULT 'REGULAR' CHECK (kind IN ('REGULAR', 'SPECIAL')),
    PRIMARY KEY (calendar, day, class),
    CHECK (opens_at < closes_at),
    CHECK (square_off_at > opens_at AND square_off_at <= closes_at),
    CONSTRAINT session_lies_within_its_day CHECK (
        (opens_at AT TIME ZONE 'Asia/Kolkata')::date = day AND (closes_at AT TIME ZONE 'Asia/Kolkata')::date = day)
);
ALTER TABLE market_holiday ADD COLUMN kind text NOT NULL DEFAULT 'TRADING' CHECK (kind IN ('TRADING', 'SETTLEMENT'));
-- The sessions that take place: a day may have become a holiday after its regular sessions were made.
CREATE VIEW trading_session AS SELECT * FROM session WHERE kind = 'SPECIAL' OR NOT EXISTS (
    SELECT FROM market_holiday AS holiday
    WHERE holiday.calendar = session.calendar AND holiday.day = session.day AND holiday.kind = 'TRADING');
ALTER TABLE stock ADD COLUMN session_class session_class NOT NULL DEFAULT 'NORMAL';
ALTER TABLE trading_order ADD COLUMN origin order_origin NOT NULL DEFAULT 'CLIENT';

ALTER DOMAIN session_class ADD CHECK (VALUE IN ('NORMAL', 'AUCTION')) NOT VALID;
ALTER DOMAIN order_origin ADD CHECK (VALUE IN ('CLIENT', 'SQUARE_OFF')) NOT VALID;
"""

# The orders that wait for a session, in the order of their release, and the trades of an account, the newest last.
ORDERS = """
CREATE INDEX order_waiting_for_session ON trading_order (placed_at, id)
    WHERE status = 'PENDING' AND waiting_for = 'session';
CREATE TRIGGER order_keeps_its_origin BEFORE UPDATE OF origin ON trading_order
    FOR EACH ROW EXECUTE FUNCTION refuse_change('an order keeps its origin');
CREATE INDEX order_trades ON trading_order (account_id, executed_at, id) WHERE status = 'EXECUTED';
"""

DAYS = """
-- Work that is done once a day. A process has claimed it until a time, and another one may do it after that time.
CREATE TABLE job_run (
    day           date NOT NULL,
    name          text NOT NULL,
    started_at    timestamptz NOT NULL DEFAULT market_now(),
    claimed_until timestamptz,                -- by the machine's clock; NULL: by nobody
    finished_at   timestamptz,
    detail        jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (day, name)
);
-- The square-off of a position on a day: done when the position is flat and none of its day's orders is live.
CREATE TABLE square_off (
    account_id    uuid NOT NULL REFERENCES account,
    stock_id      uuid NOT NULL REFERENCES stock,
    day           date NOT NULL,
    session_class session_class NOT NULL,
    due_at        timestamptz NOT NULL,
    orders        integer NOT NULL DEFAULT 0,   -- closing orders that were placed
    finished_at   timestamptz,
    PRIMARY KEY (account_id, stock_id, day)
);
CREATE INDEX square_off_unfinished ON square_off (day, session_class, account_id, stock_id) WHERE finished_at IS NULL;
-- The session day for which the official close holds.
ALTER TABLE stock ADD COLUMN close_day date;
"""

# The buckets of a DELIVERY position add up to its quantity, as of bucket_day. It is NULL while nobody has kept them:
# then all is settled. The figures of a day are those of figures_day; what they do not explain was carried into it.
POSITIONS = """
ALTER TABLE position
    ADD COLUMN bucket_day         date,
    ADD COLUMN today_quantity     bigint NOT NULL DEFAULT 0,
    ADD COLUMN t1_quantity        bigint NOT NULL DEFAULT 0,
    ADD COLUMN t1_settles_on      date,
    ADD COLUMN later_quantity     bigint NOT NULL DEFAULT 0,  -- of t1 too: trades of a weekend settle after a Friday's
    ADD COLUMN later_settles_on   date,
    ADD COLUMN settled_quantity   bigint NOT NULL DEFAULT 0,
    ADD COLUMN figures_day        date,
    ADD COLUMN day_buy_quantity   bigint NOT NULL DEFAULT 0,
    ADD COLUMN day_buy_value      numeric(20, 2) NOT NULL DEFAULT 0,
    ADD COLUMN day_sell_quantity  bigint NOT NULL DEFAULT 0,
    ADD COLUMN day_sell_value     numeric(20, 2) NOT NULL DEFAULT 0;

-- A change of a position that no order made: a conversion, or the write-off of a reset account. The quantity is signed:
-- from_position loses it, to_position gets it. cost is the part of the cost that goes with it.
CREATE TABLE position_change (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    uuid NOT NULL REFERENCES account,
    from_position uuid NOT NULL REFERENCES position,
    to_position   uuid REFERENCES position,
    quantity      bigint NOT NULL CHECK (quantity <> 0),
    cost          rupees NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('CONVERSION', 'RESET')),
    changed_at    timestamptz NOT NULL DEFAULT market_now(),
    CHECK ((kind = 'RESET') = (to_position IS NULL))
);
CREATE INDEX position_change_of_account ON position_change (account_id, id);
CREATE TRIGGER position_changes_are_append_only BEFORE UPDATE OR DELETE ON position_change
    FOR EACH ROW EXECUTE FUNCTION refuse_change('changes of positions are append-only');
CREATE TRIGGER position_changes_are_not_truncated BEFORE TRUNCATE ON position_change
    EXECUTE FUNCTION refuse_change('changes of positions are append-only');
"""

# The housekeeping of buckets is no change of a position.
POSITION_EVENTS = """
CREATE FUNCTION record_position_event() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    event_id bigint;
BEGIN
    UPDATE account SET last_event_id = last_event_id + 1 WHERE id = NEW.account_id
        RETURNING last_event_id INTO event_id;
    INSERT INTO event (account_id, id, type, at, data)
    VALUES (NEW.account_id, event_id, 'position.updated', clock_timestamp(),
            to_jsonb(NEW) - '{bucket_day, today_quantity, t1_quantity, t1_settles_on, later_quantity,
                              later_settles_on, settled_quantity, figures_day}'::text[]);
    RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER position_opened AFTER INSERT ON position
    FOR EACH ROW EXECUTE FUNCTION record_position_event();
CREATE OR REPLACE TRIGGER position_changed
    AFTER UPDATE OF quantity, cost, blocked_margin, realized_pnl ON position
    FOR EACH ROW WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION record_position_event();
"""

# A reset adjusts the balance, and a conversion settles the margin of a position; no order does.
LEDGER = """
ALTER DOMAIN ledger_kind DROP CONSTRAINT fund_transaction_kind_check;
ALTER DOMAIN ledger_kind ADD CONSTRAINT fund_transaction_kind_check
    CHECK (VALUE IN ('DEPOSIT', 'WITHDRAWAL', 'CHARGES', 'CHARGES_REFUND', 'PROFIT', 'LOSS', 'MARGIN_BLOCK',
                     'MARGIN_RELEASE', 'ADJUST_CREDIT', 'ADJUST_DEBIT')) NOT VALID;
ALTER TABLE fund_transaction
    DROP CONSTRAINT transaction_belongs_to_an_order,
    ADD CONSTRAINT transaction_belongs_to_an_order CHECK (
        (order_id IS NULL) = (kind ~ '^(DEP|WIT|ADJ)') OR position_id IS NOT NULL) NOT VALID;
ALTER TABLE fund_transaction VALIDATE CONSTRAINT transaction_belongs_to_an_order;
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for statements in (TIMES, SESSIONS, ORDERS, DAYS, POSITIONS, POSITION_EVENTS, LEDGER):
        execute(statements)
