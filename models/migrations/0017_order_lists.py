"""Index the live orders of an account, and its orders that changed more than a day after their placement.

Without the first, whoever asks for the live orders of an account, to list or to cancel them, walks through all that it
ever placed. With the second, `updatedFrom` finds old orders that changed lately; it has few rows, because most orders
end within a day.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

atomic = False  # CREATE INDEX CONCURRENTLY runs in no transaction

INDEXES = {
    "order_live": "(account_id, placed_at, id) WHERE status IN ('PENDING', 'OPEN')",
    "order_changed_late": "(account_id, updated_at) WHERE updated_at - placed_at > interval '1 day'",
}


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    for name, columns in INDEXES.items():
        execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")  # one that a failure left unfinished
        execute(f"CREATE INDEX CONCURRENTLY {name} ON trading_order {columns}")
