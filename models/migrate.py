"""Bring the schema up to date with the numbered scripts beside this file."""

import datetime
import pathlib

from playhouse.migrations import Runner

from models.database import db, execute, session, unbounded

DIRECTORY = pathlib.Path(__file__).with_name("migrations")
# One migration at a time, whatever number of dynos are released at once ("trad" in ASCII).
LOCK_KEY = 0x74726164


def upgrade() -> list[str]:
    """Apply what is missing, in order, and return the names applied."""
    with unbounded():
        execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        try:
            return list(_runner().up())
        finally:
            execute("SELECT pg_advisory_unlock(%s)", (LOCK_KEY,))


def status() -> list[tuple[str, datetime.datetime | None]]:
    """List every migration with the time at which it was applied, or None."""
    with session():
        return [(migration.name, migration.applied) for migration in _runner().status()]


def is_current() -> bool:
    """Tell whether nothing is left to apply."""
    return all(applied for _, applied in status())


def _runner() -> Runner:
    return Runner(db, str(DIRECTORY))
