"""The history of a server: two that both take writes have the same data up to a promotion, and not after it."""

import threading
from decimal import Decimal
from typing import Any, NamedTuple

import psycopg2

# The control file's own timeline is that of the last checkpoint, which may be older than a promotion.
HISTORY = """SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int,
    extract(epoch FROM pg_postmaster_start_time())
FROM pg_control_system()"""
REPLACED = "another server has been promoted since (if this one is a restored backup, restart the processes)"


class History(NamedTuple):
    """A cluster, its timeline, and the start of the server: each promotion begins a timeline with a higher number."""

    cluster: int
    timeline: int
    started_at: Decimal

    def is_older_than(self, other: "History") -> bool:
        """Return True if the other one is of the same cluster after a later promotion."""
        return self.cluster == other.cluster and self.timeline < other.timeline


UNKNOWN = History(0, 0, Decimal(0))


class Newest:
    """The newest history that a process has seen on the hosts of its URL."""

    def __init__(self) -> None:
        self.history = UNKNOWN
        self._lock = threading.Lock()  # threads connect at the same time

    def admit(self, history: History) -> bool:
        """Remember a history and return True; return False if a newer one is known."""
        with self._lock:
            if history.is_older_than(self.history):
                return False
            if history != UNKNOWN:
                self.history = history
            return True


def history_of(connection: Any) -> History:
    """Return a primary's history; UNKNOWN if it does not say, as a relative of PostgreSQL may not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(HISTORY)
            return History(*cursor.fetchone())
    except psycopg2.OperationalError:  # it does not answer
        raise
    except psycopg2.Error:
        return UNKNOWN
