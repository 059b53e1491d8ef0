"""The database of one process: a pool of bounded connections and the one way to run a transaction."""

import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, overload

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from peewee import InterfaceError, InternalError, OperationalError, PeeweeException, PostgresqlDatabase

from models.connections import Connection, Server, deadline_s, wait_bounded
from models.pool import Pool

Row = dict[str, Any]
RowType = TypeVar("RowType", bound=Mapping[str, Any])  # one of models.rows
SqlParameters = Sequence[Any] | Mapping[str, Any]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

POOL_TIMEOUT_S = 2.0
MAX_ATTEMPTS = 3
READ_ONLY_STATE = "25006"  # of a server that was demoted, or that its operator has closed for writing
# Serialisation failure, deadlock; and a read-only server, for which the pool is renewed.
RETRIED_STATES = frozenset({"40001", "40P01", READ_ONLY_STATE})
UNAVAILABLE_STATES = frozenset({READ_ONLY_STATE, "25P03"})  # 25P03: idle in a transaction for too long


class DatabaseUnavailable(Exception):
    """The database cannot be reached or does not answer in time."""


class Database(PostgresqlDatabase):
    """Peewee's database over a pool of our own."""

    pool = Pool(Server("", "tradepost").connect, 0)  # until this process is pointed at a database
    _state: Any

    def connect(self, reuse_if_open: bool = False) -> bool:
        """Take a connection from the pool; peewee's own holds a lock of the whole process meanwhile."""
        if self.deferred:
            raise InterfaceError("no database has been named for this process")
        if not self.is_closed():
            if reuse_if_open:
                return False
            raise OperationalError("Connection already opened.")
        self._state.set_connection(self.pool.take(POOL_TIMEOUT_S))
        return True

    def _close(self, conn: Connection) -> None:
        self.pool.give_back(conn)

    def dispose(self) -> None:
        """Forget this thread's connection, and close what is idle."""
        super().dispose()
        self.pool.close_idle()


db: Any = Database(None, autoconnect=False)


def initialise(url: str, *, pool_size: int, application_name: str = "tradepost") -> None:
    """Point this process at a database; nothing is connected until the first session."""
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
    loads = functools.partial(json.loads, parse_float=Decimal)
    psycopg2.extras.register_default_jsonb(loads=loads, globally=True)
    psycopg2.extensions.set_wait_callback(wait_bounded)
    db.dispose()
    db.pool = Pool(Server(url, application_name).connect, pool_size)
    db.init(url)


def is_initialised() -> bool:
    """Tell whether a database has been named for this process."""
    return not db.deferred


@contextlib.contextmanager
def patient(limit_s: float | None = None) -> Iterator[None]:
    """Lift this side's deadline for the session inside, or set another one; the server's limits stay."""
    reset = deadline_s.set(limit_s)
    try:
        with session():
            yield
    finally:
        deadline_s.reset(reset)


@contextlib.contextmanager
def unbounded() -> Iterator[None]:
    """Lift the time limits of both sides for the session inside, over several transactions.

    What lifts them for one transaction only (SET LOCAL) also works behind a pooler.
    """
    with patient():
        execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield
        finally:
            _restore_limits()


def _restore_limits() -> None:
    try:
        execute("RESET statement_timeout; RESET lock_timeout")
    except (PeeweeException, psycopg2.Error):  # a broken connection, which nobody will use again
        if not db.in_transaction():
            db.connection().close()


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Hold a connection while the block runs; join the one that is open, close only what was opened.

    Raises DatabaseUnavailable when the server cannot be reached, is too slow, or no connection is free.
    """
    is_ours = _open()
    try:
        yield
    except (OperationalError, InterfaceError, psycopg2.OperationalError) as error:
        raise _unavailable(error) from error
    except InternalError as error:
        if sqlstate(error) in UNAVAILABLE_STATES:
            raise _unavailable(error) from error
        raise
    finally:
        if is_ours:
            db.close()


def _open() -> bool:
    """Take a connection unless one is held already, and return True if so."""
    try:
        return bool(db.connect(reuse_if_open=True))
    except (InterfaceError, psycopg2.OperationalError) as error:
        raise DatabaseUnavailable(str(error)) from error


def _unavailable(error: Exception) -> DatabaseUnavailable:
    """Return the error for callers; a server that is gone, silent or read-only is left by the whole pool.

    Each of its idle connections would cost another request as much, up to CLIENT_TIMEOUT_S.
    """
    if db.connection().closed or sqlstate(error) == READ_ONLY_STATE:
        db.pool.renew()
    return DatabaseUnavailable(str(error))


def transactional(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function as one transaction, again from its start after a deadlock, at most 3 times."""

    @functools.wraps(function)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if db.in_transaction():
            raise RuntimeError(f"{function.__name__} may not run inside another transaction")
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                with session(), db.atomic():
                    return function(*args, **kwargs)
            except DatabaseUnavailable as error:
                if attempt == MAX_ATTEMPTS or sqlstate(error) not in RETRIED_STATES:
                    raise
        raise AssertionError("unreachable")

    return run


@contextlib.contextmanager
def snapshot() -> Iterator[None]:
    """Hold a connection on which every statement reads the same moment, and none may write.

    It costs two round trips; what one statement can read needs none of it.
    """
    with session(), db.atomic("REPEATABLE READ READ ONLY"):
        yield


def sqlstate(error: BaseException | None) -> str | None:
    """Return the database's five-letter code for an error, if it gave one."""
    if isinstance(error, DatabaseUnavailable):
        error = error.__cause__
    return getattr(getattr(error, "orig", error), "pgcode", None)


@overload
def fetch_all(sql: str, parameters: SqlParameters = ()) -> list[Row]: ...
@overload
def fetch_all(sql: str, parameters: SqlParameters, row_type: type[RowType]) -> list[RowType]: ...
def fetch_all(sql: str, parameters: SqlParameters = (), row_type: object = None) -> list[Any]:
    """Return the rows of a query as dicts by column name, on the open connection.

    `row_type`, a TypedDict of models.rows, tells the type checker the columns; it costs nothing and checks nothing.
    """
    cursor = db.execute_sql(sql, parameters)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


@overload
def fetch_one(sql: str, parameters: SqlParameters = ()) -> Row | None: ...
@overload
def fetch_one(sql: str, parameters: SqlParameters, row_type: type[RowType]) -> RowType | None: ...
def fetch_one(sql: str, parameters: SqlParameters = (), row_type: object = None) -> Any:
    """Return the first row of a query as a dict, or None; `row_type` as for fetch_all."""
    rows = fetch_all(sql, parameters)
    return rows[0] if rows else None


def execute(sql: str, parameters: SqlParameters = ()) -> int:
    """Run a statement on the open connection and return the number of rows it touched."""
    return int(db.execute_sql(sql, parameters).rowcount)
