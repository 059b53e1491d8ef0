"""The pools of a process whose accounts are in several buckets: one for each bucket, and one for the shared tables."""

import contextlib
import functools
from collections import Counter
from collections.abc import Callable

import psycopg2

from models import buckets
from models.connections import Connection
from models.pool import Pool

# The number of buckets' schemas, and whether accounts are in the schema that others share.
FOUND = f"SELECT ({buckets.COUNT_SCHEMAS}), to_regclass('{buckets.SHARED_SCHEMA}.account') IS NOT NULL"


class Pools:
    """A pool for each bucket and one for the shared tables, used as if they were one: the current bucket's lends."""

    def __init__(self, connect: Callable[[str], Connection], size: int) -> None:
        self.size = size
        self._pools: dict[int | None, Pool] = {
            shard: Pool(functools.partial(_connect, connect, shard), size) for shard in (None, *buckets.shards())
        }

    @property
    def allowed(self) -> int:
        """Return the number of connections that the pools may have together."""
        return self.size * len(self._pools)

    @property
    def in_use(self) -> int:
        """Return the number of lent connections."""
        return sum(pool.in_use for pool in self._pools.values())

    @property
    def open(self) -> int:
        """Return the number of open connections, lent or idle."""
        return sum(pool.open for pool in self._pools.values())

    @property
    def waiting(self) -> int:
        """Return the number of threads that wait for a connection."""
        return sum(pool.waiting for pool in self._pools.values())

    def take_counts(self) -> tuple[int, dict[str, int]]:
        """Return the number of waits and the number of connects by outcome since the last call."""
        counts = [pool.take_counts() for pool in self._pools.values()]
        return sum(waits for waits, _ in counts), dict(sum((Counter(made) for _, made in counts), Counter[str]()))

    def take(self, timeout_s: float) -> Connection:
        """Return a connection of the current bucket, as Pool.take does."""
        return self._pools[buckets.current()].take(timeout_s)

    def refuse_other(self, connection: Connection) -> None:
        """Raise RuntimeError if a connection is not of the current bucket."""
        if connection.pool is not self._pools[buckets.current()]:
            raise RuntimeError(f"the open session is not of the bucket {buckets.current()}")

    def renew(self) -> None:
        """Replace all open connections, as Pool.renew does."""
        for pool in self._pools.values():
            pool.renew()

    def retire(self) -> None:
        """Close the idle connections now, and the lent ones when they come back."""
        for pool in self._pools.values():
            pool.retire()


def _connect(connect: Callable[[str], Connection], shard: int | None) -> Connection:
    """Return a new connection; raise psycopg2.OperationalError if the database has another number of buckets."""
    connection = connect(buckets.path_of(shard))
    if shard is None:  # with which a new database is migrated
        return connection
    with contextlib.ExitStack() as stack:
        stack.callback(connection.close)
        with connection.cursor() as cursor:
            cursor.execute(FOUND)
            count, is_whole = cursor.fetchone() or (0, False)
        if count != len(buckets.shards()):
            is_made = count or is_whole
            reason = buckets.made_with_other(count or 1) if is_made else "it has no tables: run `tradepost db upgrade`"
            raise psycopg2.OperationalError(f"the database cannot be used: {reason}")
        stack.pop_all()
    return connection
