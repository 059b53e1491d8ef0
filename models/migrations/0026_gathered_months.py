"""Keep the sums of a month that has ended, before it is detached.

To sum a month up takes its size's time, and a month that ended a month ago does not change: workers gather its sums,
so that detaching only adds them to the openings. See trading/upkeep/gathering.py.

The previous release goes on beside this one: it sums a month up itself when it detaches it.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.parts import execute_in_buckets

TABLES = """
CREATE TABLE gathered_month (
    ended_at timestamptz PRIMARY KEY,
    entries  numeric NOT NULL  -- the sum of the last numbers of all accounts: one more entry of the month changes it
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
