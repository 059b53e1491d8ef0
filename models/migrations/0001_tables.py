"""Create the tables, with every rule that a CHECK, a key or an index can hold."""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

TABLES = """
-- PostgreSQL takes NaN for a number, and for one that is over 0.
CREATE DOMAIN rupees AS numeric(20, 2) CHECK (VALUE <> 'NaN');
CREATE DOMAIN price AS numeric(12, 2) CHECK (VALUE > 0 AND VALUE <> 'NaN');

CREATE TABLE account (
    id               uuid PRIMARY KEY,
    name             text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    status           text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'SUSPENDED')),
    balance          rupees NOT NULL DEFAULT 0,
    blocked_margin   rupees NOT NULL DEFAULT 0 CHECK (blocked_margin >= 0),
    available_margin rupees GENERATED ALWAYS AS (balance - blocked_margin) STORED,
    realized_pnl     rupees NOT NULL DEFAULT 0,
    last_event_id    bigint NOT NULL DEFAULT 0 CHECK (last_event_id >= 0),
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 70);  -- updated several times an order: room for HOT updates

CREATE TABLE stock (
    id            uuid PRIMARY KEY,
    exchange      text NOT NULL CHECK (exchange IN ('NSE', 'BSE')),
    -- by bytes, in whatever language the database sorts: then one index serves the order and the search by prefix
    symbol        text COLLATE "C" NOT NULL CHECK (symbol ~ '^[A-Z0-9&_.-]{1,32}$'),
    last_price    price,
    last_price_at timestamptz,
    is_active     boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (exchange, symbol),
    CHECK ((last_price IS NULL) = (last_price_at IS NULL))
) WITH (fillfactor = 70);
CREATE INDEX stock_by_symbol ON stock (symbol, exchange);

CREATE TABLE position (
    id             uuid PRIMARY KEY,
    account_id     uuid NOT NULL REFERENCES account,
    stock_id       uuid NOT NULL REFERENCES stock,
    exchange       text NOT NULL,
    symbol         text NOT NULL,
    product        text NOT NULL CHECK (product IN ('INTRADAY', 'DELIVERY')),
    quantity       bigint NOT NULL DEFAULT 0,
    cost           rupees NOT NULL DEFAULT 0 CHECK (cost >= 0),
    blocked_margin rupees NOT NULL DEFAULT 0 CHECK (blocked_margin >= 0),
    realized_pnl   rupees NOT NULL DEFAULT 0,
    created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (account_id, stock_id, product),
    CONSTRAINT position_cost_is_zero_exactly_when_flat CHECK ((quantity = 0) = (cost = 0)),
    CONSTRAINT position_margin_is_zero_when_flat CHECK (quantity <> 0 OR blocked_margin = 0),
    CONSTRAINT position_delivery_is_never_short CHECK (product <> 'DELIVERY' OR quantity >= 0)
) WITH (fillfactor = 80);
CREATE INDEX position_list ON position (account_id, id);

CREATE TABLE trading_order (
    id               uuid PRIMARY KEY,
    account_id       uuid NOT NULL REFERENCES account,
    stock_id         uuid NOT NULL REFERENCES stock,
    exchange         text NOT NULL CHECK (exchange IN ('NSE', 'BSE')),
    symbol           text NOT NULL,
    client_order_id  text CHECK (client_order_id ~ '^[ -~]{1,64}$'),
    side             text NOT NULL CHECK (side IN ('BUY', 'SELL')),
    product          text NOT NULL CHECK (product IN ('INTRADAY', 'DELIVERY')),
    order_type       text NOT NULL CHECK (order_type IN ('MARKET', 'LIMIT')),
    quantity         integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    price            price,
    status           text NOT NULL DEFAULT 'PENDING'
                     CHECK (status IN ('PENDING', 'EXECUTED', 'CANCELLED', 'REJECTED')),
    filled_quantity  integer NOT NULL DEFAULT 0,
    average_price    price,
    position_id      uuid REFERENCES position,
    closing_quantity integer NOT NULL CHECK (closing_quantity BETWEEN 0 AND quantity),
    blocked_margin   rupees NOT NULL CHECK (blocked_margin >= 0),
    charges          rupees NOT NULL CHECK (charges >= 0),
    charge_items     jsonb NOT NULL,
    rejection_reason text,
    attempts         smallint NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    retry_at         timestamptz,
    placed_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    executed_at      timestamptz,
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT order_limit_has_a_price CHECK ((order_type = 'LIMIT') = (price IS NOT NULL)),
    CONSTRAINT order_is_filled_once_and_whole CHECK (
        CASE WHEN status = 'EXECUTED'
             THEN filled_quantity = quantity AND average_price IS NOT NULL
                  AND position_id IS NOT NULL AND executed_at IS NOT NULL
             ELSE filled_quantity = 0 AND executed_at IS NULL END),
    CONSTRAINT order_rejection_has_a_reason CHECK ((status = 'REJECTED') = (rejection_reason IS NOT NULL)),
    CONSTRAINT order_delivery_sell_is_covered CHECK (
        product <> 'DELIVERY' OR side <> 'SELL' OR closing_quantity = quantity)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);
-- What has been PENDING stays in this index until a vacuum; by default that comes when a fifth of all rows changed.
CREATE INDEX order_pending_by_age ON trading_order (placed_at, id) WHERE status = 'PENDING';
CREATE INDEX order_promises ON trading_order (account_id, stock_id, product, side) WHERE status = 'PENDING';
CREATE INDEX order_list ON trading_order (account_id, placed_at, id);
CREATE UNIQUE INDEX order_client_order_id ON trading_order (account_id, client_order_id)
    WHERE client_order_id IS NOT NULL;

CREATE TABLE fund_transaction (
    id            bigint GENERATED ALWAYS AS IDENTITY,
    account_id    uuid NOT NULL REFERENCES account,
    kind          text NOT NULL CHECK (kind IN ('DEPOSIT', 'WITHDRAWAL', 'CHARGES', 'CHARGES_REFUND',
                                                'PROFIT', 'LOSS', 'MARGIN_BLOCK', 'MARGIN_RELEASE')),
    amount        rupees NOT NULL CHECK (amount > 0),
    balance_after rupees NOT NULL,
    blocked_after rupees NOT NULL CHECK (blocked_after >= 0),
    order_id      uuid REFERENCES trading_order,
    position_id   uuid REFERENCES position,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT transaction_belongs_to_an_order CHECK ((order_id IS NULL) = (kind IN ('DEPOSIT', 'WITHDRAWAL'))),
    -- The account comes first: by the number alone the newest rows of all accounts could be walked through for a list.
    PRIMARY KEY (account_id, id)
) WITH (fillfactor = 90);
CREATE INDEX fund_transaction_of_order ON fund_transaction (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE event (
    account_id uuid NOT NULL,  -- no foreign key: the triggers that write it have the account row in hand
    id         bigint NOT NULL CHECK (id > 0),
    type       text NOT NULL CHECK (type IN ('order.pending', 'order.executed', 'order.modified',
                                             'order.cancelled', 'order.rejected',
                                             'position.updated', 'account.updated')),
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    data       jsonb NOT NULL,
    PRIMARY KEY (account_id, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01);  -- retention reads over what it has deleted

CREATE TABLE api_token (
    id         uuid PRIMARY KEY,
    digest     bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
    account_id uuid REFERENCES account,
    scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0
                                      AND scopes <@ ARRAY['trade', 'read', 'feed', 'admin']),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT token_trades_for_one_account CHECK (
        (account_id IS NOT NULL) = (scopes && ARRAY['trade', 'read'])),
    CONSTRAINT token_of_an_account_only_trades CHECK (
        account_id IS NULL OR NOT scopes && ARRAY['feed', 'admin'])
);

CREATE INDEX api_token_revoked ON api_token (revoked_at) WHERE revoked_at IS NOT NULL;

-- An answer that is given again to a request with the same key; written with what it answers.
CREATE TABLE idempotency_key (
    account_id  uuid NOT NULL REFERENCES account,
    scope       text NOT NULL,  -- method and concrete path
    key         text NOT NULL CHECK (key ~ '^[ -~]{1,255}$'),
    fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
    answer      jsonb NOT NULL,  -- the row that was answered, as it stood then
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, scope, key)
);
CREATE INDEX idempotency_key_by_age ON idempotency_key (created_at);

-- Who asked for what, written before it is done, so that nothing is done without its row.
CREATE TABLE admin_action (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    action     text NOT NULL,
    token_id   uuid,  -- none on the command line
    address    text NOT NULL,
    request_id text,
    detail     jsonb NOT NULL
);

-- What the periodic proof of the books has found.
CREATE TABLE ledger_check (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    violations  integer NOT NULL CHECK (violations >= 0),
    duration_ms integer NOT NULL
);

CREATE TABLE market_holiday (
    calendar text NOT NULL CHECK (calendar IN ('NSE')),
    day      date NOT NULL,
    name     text NOT NULL,
    PRIMARY KEY (calendar, day)
);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(TABLES)
