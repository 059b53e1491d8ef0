"""Record prices minute by minute, so that the worth of an account can be told for times that are over.

No quote writes here: a worker reads the prices once a minute (docs/decisions/recorded-prices.md).
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

TABLES = """
-- The last price of a stock at the end of a minute, if it differs from the one that was recorded before it.
CREATE TABLE recorded_price (
    stock_id uuid NOT NULL,              -- no foreign key: its check would lock rows that quotes are writing
    minute   timestamptz NOT NULL CHECK (minute = date_bin('1 minute', minute, '2000-01-01 00:00+00')),
    price    price NOT NULL,
    PRIMARY KEY (stock_id, minute)
);
-- The minutes at whose end prices were read, each with the time of reading.
CREATE TABLE price_recording (
    minute  timestamptz PRIMARY KEY,
    read_at timestamptz NOT NULL DEFAULT market_now()
);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(TABLES)
