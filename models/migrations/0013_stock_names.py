"""Give stocks the names of their companies.

The previous release goes on beside this one: it neither reads nor writes the new column.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

NAMES = """
ALTER TABLE stock ADD COLUMN name text CONSTRAINT stock_name_check CHECK (length(name) BETWEEN 1 AND 120);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(NAMES)
