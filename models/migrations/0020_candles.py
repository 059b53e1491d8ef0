"""Keep candles: those of minutes, recorded from quotes or imported, and those of days.

The processes that take quotes gather the candles, and write them every few seconds (docs/decisions/candles.md).
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

TABLES = """
-- The trades of a stock in a minute. Quotes in different processes make one candle: the quote with the smallest number
-- gives its opening price, the one with the largest number its closing price, and its volume is the difference of the
-- day's volumes. To write the same quotes twice changes nothing. An imported candle has no numbers.
CREATE TABLE candle (
    stock_id     uuid NOT NULL,          -- no foreign key: its check would lock rows that quotes are writing
    minute       timestamptz NOT NULL CHECK (minute = date_bin('1 minute', minute, '2000-01-01 00:00+00')),
    open_price   price NOT NULL,
    high_price   price NOT NULL,
    low_price    price NOT NULL,
    close_price  price NOT NULL,
    first_number bigint,
    last_number  bigint,
    volume_from  bigint,                 -- the day's volume before the first trade; unknown if no quote gave a volume
    volume_to    bigint,
    PRIMARY KEY (stock_id, minute),
    CHECK (low_price <= least(open_price, close_price) AND high_price >= greatest(open_price, close_price)),
    CHECK ((first_number IS NULL) = (last_number IS NULL) AND first_number <= last_number),
    CHECK ((volume_from IS NULL) = (volume_to IS NULL) AND volume_from >= 0 AND volume_from <= volume_to)
) WITH (fillfactor = 50);  -- updated every 2 s for a minute: with 70 the table is a third larger, with 100 sixfold
-- The candles of days of which there are no minutes any more, and imported ones.
CREATE TABLE day_candle (
    stock_id    uuid NOT NULL,
    day         date NOT NULL,
    open_price  price NOT NULL,
    high_price  price NOT NULL,
    low_price   price NOT NULL,
    close_price price NOT NULL,
    volume      bigint NOT NULL CHECK (volume >= 0),
    PRIMARY KEY (stock_id, day),
    CHECK (low_price <= least(open_price, close_price) AND high_price >= greatest(open_price, close_price))
);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(TABLES)
