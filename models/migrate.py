"""Migrations: apply the numbered scripts of models/migrations."""

import contextlib
import datetime
import pathlib
import time
from collections.abc import Iterator

from peewee import OperationalError
from playhouse.migrations import Runner

from models import server
from models.database import db, execute, fetch_one, session, sqlstate, unbounded
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


def upgrade() -> list[str]:
    """Apply the missing migrations in order and return their names.

    The previous release may be running. Raises DatabaseUnavailable if a table is not free for two minutes, and
    DatabaseUnfit, before the first write, if the database or the rights of its role do not suffice.
    """
    with unbounded(), _alone():
        if reason := server.unfit_reason():
            raise DatabaseUnfit(reason)
        execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        missing = [migration.name for migration in _runner().status() if not migration.applied]
        if not missing:
            return []
        if reason := server.missing_right():
            raise DatabaseUnfit(reason)
        for attempt in range(1, LOCK_ATTEMPTS + 1):
            try:
                _runner().up()
                break
            except OperationalError as error:
                if attempt == LOCK_ATTEMPTS or sqlstate(error) not in LOCK_STATES:
                    raise
                time.sleep(LOCK_PAUSE_S)
        return missing


def status() -> list[tuple[str, datetime.datetime | None]]:
    """Return each migration's name with the time of its application, or None."""
    with session():
        return [(migration.name, migration.applied) for migration in _runner().status()]


def is_current() -> bool:
    """Return True if every migration is applied."""
    return all(applied for _, applied in status())


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


def _runner() -> Runner:
    return Runner(db, str(DIRECTORY))
