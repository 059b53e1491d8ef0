"""Keep the sums of a month that has ended, before it is detached.

To sum a month up takes the longer the larger it is. A month that ended a month ago should not change any more, so
workers gather its sums, and detaching only adds them to the openings. See trading/upkeep/gathering.py.

The previous release goes on beside this one, but for two things, once the clientOrderIds of a month are noted: its
preview of an order with one of them fails, and its `db detach` of that month fails and changes nothing.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.parts import execute_in_buckets

TABLES = """
CREATE TABLE gathered_month (
    ended_at timestamptz PRIMARY KEY,
    mark     numeric NOT NULL  -- one more order or entry of the month changes it
);
-- The fills and the profit of a position in the month.
CREATE TABLE gathered_position (
    ended_at     timestamptz NOT NULL,
    position_id  uuid NOT NULL,
    account_id   uuid NOT NULL,
    quantity     bigint NOT NULL,
    realized_pnl rupees NOT NULL,
    PRIMARY KEY (ended_at, position_id)
);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute_in_buckets(TABLES)
