"""Keep the last day on which each token was used, and find the tokens of an account.

The day stands in a table of its own: a token's row keeps its version (trading.accounts.tokens), so that no process has
to read the token again because it was used. The previous release goes on beside this one and keeps no days.
"""

from peewee import Database
from playhouse.migrate import SchemaMigrator

from models.database import execute

USES = """
CREATE TABLE token_use (
    token_id     uuid PRIMARY KEY REFERENCES api_token ON DELETE CASCADE,
    last_used_on date NOT NULL               -- in India
);
CREATE INDEX api_token_of_account ON api_token (account_id, id);
"""


def up(migrator: SchemaMigrator, db: Database) -> None:
    """Apply."""
    execute(USES)
