"""Peewee's database over a pool of connections, at less cost for each session and statement."""

from typing import Any

from peewee import (  # type: ignore[attr-defined]
    InterfaceError,
    OperationalError,
    PostgresqlDatabase,
    __exception_wrapper__,
)

from models.connections import Connection, Server
from models.pool import Pool
from models.pools import Pools

POOL_TIMEOUT_S = 2.0
BEGIN = b"BEGIN"


class PooledDatabase(PostgresqlDatabase):
    """Peewee's database with the pool of models.pool, or with one for each bucket of accounts."""

    pool: Pool | Pools = Pool(Server("", "tradepost").connect, 0)  # until `initialise` is called
    _state: Any

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Take a connection from the pool; return False if this thread has one already.

        Peewee's own method holds a lock of the whole process meanwhile.
        """
        if self.deferred:
            raise InterfaceError("no database is set for this process")
        state = self._state
        if not state.closed:
            if reuse_if_open:
                if isinstance(self.pool, Pools):
                    self.pool.refuse_other(self.held)
                return False
            raise OperationalError("Connection already opened.")
        state.set_connection(self.pool.take(POOL_TIMEOUT_S))
        return True

    def close(self) -> bool:
        """Give this thread's connection back; return False if it has none. It holds no lock either."""
        state = self._state
        if state.closed:
            return False
        if state.transactions:
            raise OperationalError("Attempting to close database while transaction is open.")
        connection: Connection = state.conn
        state.closed, state.conn = True, None
        connection.pool.give_back(connection)  # another has replaced it if the database was set anew meanwhile
        return True

    def execute_sql(self, sql: Any, params: Any = None) -> Any:
        """Run a statement and return its cursor; peewee's own method looks for a log and for hooks before."""
        state = self._state
        if state.closed:
            raise InterfaceError("no connection is open")
        with __exception_wrapper__:
            cursor = state.conn.cursor()
            cursor.execute(sql, params or ())
        return cursor

    @property
    def held(self) -> Connection:
        """Return this thread's connection."""
        connection: Connection = self._state.conn
        return connection

    def begin(self, isolation_level: str | None = None) -> None:
        """Begin a transaction: its BEGIN is sent with its first statement, which saves a round trip."""
        if isolation_level is None:
            self.held.waiting = [BEGIN]
        else:
            super().begin(isolation_level)

    def commit(self) -> None:
        """Commit the transaction after the statements that wait; one without any statement ends here."""
        if self.held.waiting == [BEGIN]:
            self.held.waiting = []
        else:
            super().commit()

    def rollback(self) -> None:
        """Roll the transaction back; the statements that wait are forgotten."""
        waiting, self.held.waiting = self.held.waiting, []
        if BEGIN not in waiting:
            super().rollback()

    def dispose(self) -> None:
        """Forget this thread's connection; close the idle ones now, and those of other threads when they come back."""
        super().dispose()
        self.pool.retire()
