"""Migrations: apply the numbered scripts of models/migrations."""

import contextlib
import datetime
import pathlib
import time
from collections.abc import Iterator

from peewee import OperationalError
from playhouse.migrations import Runner

from models import buckets, parts, server
from models.database import db, execute, fetch_all, fetch_one, session, sqlstate, unbounded
from models.parts import Part
from models.server import DatabaseUnfit

DIRECTORY = pathlib.Path(__file__).with_name("migrations")
# One process migrates at a time, however many dynos are released at once ("trad" in ASCII).
LOCK_KEY = 0x74726164
# Other statements queue behind a migration that waits for their table. So the migration gives up before their
# lock_timeout (models.connections) ends, lets them through, and tries again.
LOCK_TIMEOUT_MS = 2_000
LOCK_PAUSE_S = 1.0
LOCK_ATTEMPTS = 40  # two minutes
# The lock is not available, or a reader that has one table waits for another one that the migration has.
LOCK_STATES = frozenset({"55P03", "40P01"})
# Up to this migration the schema of a bucket has copies of the tables that all buckets share (0023).
LAST_WHOLE = "0022_function_paths"
MISSING_RECORDS = """
SELECT to_regclass(schema || '.schema_migration') IS NULL AS missing FROM unnest(%s::text[]) AS schema
"""


def upgrade() -> list[str]:
    """Apply the missing migrations in order, in each schema, and return their names.

    The previous release may be running. Raises DatabaseUnavailable if a table is not free for two minutes, and
    DatabaseUnfit, before the first write, if the database or the rights of its role do not suffice.
    """
    with unbounded(), _alone():
        server.refuse_unfit()
        execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        missing = [name for name, applied in _status() if not applied]
        if not missing:
            return []
        if reason := server.missing_right():
            raise DatabaseUnfit(reason)
        _make_schemas()
        for part in parts.all_parts():
            _upgrade(part)
        return missing


def status() -> list[tuple[str, datetime.datetime | None]]:
    """Return each migration's name with the time of its application, None if it is missing in any schema."""
    with session():
        return _status()


def is_current() -> bool:
    """Return True if every migration is applied."""
    return all(applied for _, applied in status())


def _status() -> list[tuple[str, datetime.datetime | None]]:
    known = [(migration.name, migration.applied) for migration in _runner(parts.all_parts()[0]).status()]
    if not buckets.are_several():
        return known
    applied = _applied_in_all_buckets()
    return [(name, at and applied.get(name)) for name, at in known]


def _applied_in_all_buckets() -> dict[str, datetime.datetime]:
    """Return the migrations that every bucket has, each with its last time; with one statement for all buckets."""
    schemas = [buckets.schema_of(shard) for shard in buckets.shards()]
    if any(row["missing"] for row in fetch_all(MISSING_RECORDS, (schemas,))):
        return {}
    records = " UNION ALL ".join(f"SELECT name, applied FROM {schema}.schema_migration" for schema in schemas)
    rows = fetch_all(f"SELECT name, max(applied) AS at, count(*) AS count FROM ({records}) AS record GROUP BY name")
    return {row["name"]: row["at"] for row in rows if row["count"] == len(schemas)}


def _make_schemas() -> None:
    """Make the schemas of the buckets, all at once: their number tells with how many buckets a database was made."""
    if buckets.are_several():
        execute("".join(f"CREATE SCHEMA IF NOT EXISTS {buckets.schema_of(shard)};" for shard in buckets.shards()))


def _upgrade(part: Part) -> None:
    """Apply the missing migrations of one schema."""
    with parts.migrating(part):
        if part.shard is None:
            _up(part)
            return
        try:
            # Until the shared tables are shared, nothing but the bucket's own may be found.
            execute(f"SET search_path = {buckets.schema_of(part.shard)}")
            _up(part, LAST_WHOLE)
            execute(f"SET search_path = {buckets.path_of(part.shard)}")
            _up(part)
        finally:
            execute("RESET search_path")


def _up(part: Part, target: str | None = None) -> None:
    """Apply the missing migrations up to one; try again while a table is locked."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            _runner(part).up(target)
            return
        except OperationalError as error:
            if attempt == LOCK_ATTEMPTS or sqlstate(error) not in LOCK_STATES:
                raise
            time.sleep(LOCK_PAUSE_S)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold the migration lock; wait until no other process has it.

    It polls: a statement that waits holds a snapshot, and a CREATE INDEX CONCURRENTLY of the other process would wait
    for that snapshot in turn.
    """
    while not _try_lock():
        time.sleep(LOCK_PAUSE_S)
    try:
        yield
    finally:
        execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def _try_lock() -> bool:
    found = fetch_one("SELECT pg_try_advisory_lock(%s) AS taken", (LOCK_KEY,))
    return bool(found and found["taken"])


def _runner(part: Part) -> Runner:
    schema = None if part.shard is None else buckets.schema_of(part.shard)
    return Runner(db, str(DIRECTORY), schema=schema)
