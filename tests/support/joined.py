"""Views over the tables of all buckets of accounts, for tests that read and change rows without a bucket at hand."""

from models import buckets
from models.database import db, execute, session
from tests.support.servers import OF_ACCOUNTS

SCHEMA = "joined"
# No account owns the rows of these; each bucket has its own.
WITHOUT_ACCOUNT = ("detached_month", "gathered_month", "job_run")
# A row of a view is written where the account's bucket has it; a column without a value gets its default. The triggers
# there are switched off by joined.role = replica, since session_replication_role would switch this one off.
WRITE = """
CREATE FUNCTION {schema}.write() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    given jsonb := jsonb_strip_nulls(to_jsonb(NEW));
    present jsonb := to_jsonb(OLD);
    owner text := coalesce(given, present) ->> TG_ARGV[0];
    place text := 'bucket_' || mod(('x' || right(owner, 8))::bit(32)::bigint, {count}) || '.' || TG_TABLE_NAME;
    record text := ' FROM jsonb_populate_record(NULL::' || place || ', $1)';
    columns text;
BEGIN
    PERFORM set_config('session_replication_role', coalesce(current_setting('joined.role', true), 'origin'), true);
    IF TG_OP = 'INSERT' THEN
        SELECT string_agg(quote_ident(key), ', ') INTO columns FROM jsonb_object_keys(given) AS key;
        EXECUTE 'INSERT INTO ' || place || ' (' || columns || ') SELECT ' || columns || record USING given;
    ELSIF TG_OP = 'UPDATE' THEN
        SELECT coalesce(string_agg(quote_ident(key), ', '), TG_ARGV[0]) INTO columns
        FROM jsonb_each(to_jsonb(NEW)) WHERE value IS DISTINCT FROM present -> key;
        EXECUTE 'UPDATE ' || place || ' AS present SET (' || columns || ') = (SELECT ' || columns || record || ')'
            ' WHERE to_jsonb(present) = $2' USING to_jsonb(NEW), present;
    ELSE
        EXECUTE 'DELETE FROM ' || place || ' AS present WHERE to_jsonb(present) = $1' USING present;
    END IF;
    PERFORM set_config('session_replication_role', 'origin', true);
    RETURN coalesce(NEW, OLD);
END $$
"""


def read_all_buckets() -> None:
    """Let the statements of this process that nobody has routed read all buckets; those of other processes fail."""
    with session():
        for statement in creation():  # Citus takes one at a time
            execute(statement)
    path_of = buckets.path_of

    def with_views(shard: int | None) -> str:
        return f"{path_of(shard)},{SCHEMA}" if shard is None else path_of(shard)

    setattr(buckets, "path_of", with_views)  # noqa: B010  mypy takes no assignment to a function
    db.pool.retire()


def creation() -> list[str]:
    """Return the statements that make the views."""
    written = [table for table in OF_ACCOUNTS if table not in WITHOUT_ACCOUNT]
    return [
        f"CREATE SCHEMA {SCHEMA}",
        *map(_view_of, OF_ACCOUNTS),
        WRITE.format(schema=SCHEMA, count=len(buckets.shards())),
        *map(_trigger_of, written),
    ]


def _view_of(table: str) -> str:
    rows = [f"SELECT * FROM {buckets.schema_of(shard)}.{table}" for shard in buckets.shards()]
    return f"CREATE VIEW {SCHEMA}.{table} AS {' UNION ALL '.join(rows)}"


def _trigger_of(table: str) -> str:
    column = "id" if table == "account" else "account_id"
    return (
        f"CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON {SCHEMA}.{table}"
        f" FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.write({column})"
    )
