"""Keep which numbers of events a failover or a restored backup took back after listeners had been told.

The same numbers stand for other events now: who resumes from one of them is reset. See trading.event_history.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

TABLE = """
CREATE TABLE lost_event (
    account_id uuid NOT NULL,  -- no foreign key: its lock would wait for whoever holds the account's row
    first_id   bigint NOT NULL CHECK (first_id > 0),
    last_id    bigint NOT NULL CHECK (last_id >= first_id),
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, first_id)
)
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(TABLE)
