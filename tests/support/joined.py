"""Views over the tables of all buckets of accounts, for tests that read the rows which processes have written."""

from models import buckets
from models.database import db, execute, session
from tests.support.servers import OF_ACCOUNTS

SCHEMA = "joined"


def read_all_buckets() -> None:
    """Let the statements of this process that nobody has routed read all buckets; those of other processes fail."""
    with session():
        for statement in creation():  # Citus takes one at a time
            execute(statement)
    path_of = buckets.path_of

    def with_views(shard: int | None) -> str:
        return f"{SCHEMA},{path_of(shard)}" if shard is None else path_of(shard)

    setattr(buckets, "path_of", with_views)  # noqa: B010  mypy takes no assignment to a function
    db.pool.retire()


def creation() -> list[str]:
    """Return the statements that make the views."""
    return [f"CREATE SCHEMA {SCHEMA}", *map(_view_of, OF_ACCOUNTS)]


def _view_of(table: str) -> str:
    rows = [f"SELECT * FROM {buckets.schema_of(shard)}.{table}" for shard in buckets.shards()]
    return f"CREATE VIEW {SCHEMA}.{table} AS {' UNION ALL '.join(rows)}"
