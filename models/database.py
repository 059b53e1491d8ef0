"""The database of a process: its pool of connections, its sessions, transactions and statements."""

import contextlib
import functools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar, overload

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from peewee import InterfaceError, InternalError, OperationalError, PeeweeException

from models import buckets
from models.connections import Server, deadline_s, wait_bounded
from models.pool import OUTDATED, Pool
from models.pooled_database import BEGIN, PooledDatabase
from models.pools import Pools

Row = dict[str, Any]
RowType = TypeVar("RowType", bound=Mapping[str, Any])  # a TypedDict, such as those of models.rows
SqlParameters = Sequence[Any] | Mapping[str, Any]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

MAX_ATTEMPTS = 3
READ_ONLY_STATE = "25006"  # the server was demoted, or its operator has closed it for writing
# Serialisation failure and deadlock; and a read-only server, which is retried on new connections.
RETRIED_STATES = frozenset({"40001", "40P01", READ_ONLY_STATE})
UNAVAILABLE_STATES = frozenset({READ_ONLY_STATE, "25P03"})  # 25P03: idle in a transaction for too long


class DatabaseUnavailable(Exception):
    """The database cannot be reached or does not answer in time."""


db: Any = PooledDatabase(None, autoconnect=False)


def initialise(url: str, *, pool_size: int, application_name: str = "tradepost", shards: int = 1) -> None:
    """Set the database of this process and its number of buckets; the first session makes the first connection."""
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
    loads = functools.partial(json.loads, parse_float=Decimal)
    psycopg2.extras.register_default_jsonb(loads=loads, globally=True)
    psycopg2.extensions.set_wait_callback(wait_bounded)
    db.dispose()
    buckets.set_count(shards)
    server = Server(url, application_name)
    db.pool = Pool(server.connect, pool_size) if shards == 1 else Pools(server.connect, pool_size)
    db.init(url)


def is_initialised() -> bool:
    """Return True if the database of this process is set."""
    return not db.deferred


@contextlib.contextmanager
def session_with_deadline(limit_s: float | None = None) -> Iterator[None]:
    """Open a session with this deadline on the client's side, or with none; the server's limits stay."""
    reset = deadline_s.set(limit_s)
    try:
        with session():
            yield
    finally:
        deadline_s.reset(reset)


@contextlib.contextmanager
def unbounded() -> Iterator[None]:
    """Open a session without time limits on either side, for one or more transactions.

    It does not work behind a pooler in transaction mode; SET LOCAL, for one transaction, does.
    """
    with session_with_deadline():
        execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield
        finally:
            _restore_limits()


def _restore_limits() -> None:
    try:
        execute("RESET statement_timeout; RESET lock_timeout")
    except (PeeweeException, psycopg2.Error):  # the connection is broken
        if not db.in_transaction():
            db.connection().close()


class session:  # noqa: N801  it is used as a function
    """Hold a connection for the block; an open session is joined and stays open afterwards.

    Raises DatabaseUnavailable if the server cannot be reached or is too slow, or if no connection is free.
    """

    __slots__ = ("_is_ours",)

    def __enter__(self) -> None:
        self._is_ours = _open()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if error is not None:
                _raise_if_unavailable(error)
        finally:
            if self._is_ours:
                db.close()


def _raise_if_unavailable(error: BaseException) -> None:
    if isinstance(error, OperationalError | InterfaceError | psycopg2.OperationalError):
        raise _unavailable(error) from error
    if isinstance(error, InternalError) and sqlstate(error) in UNAVAILABLE_STATES:
        raise _unavailable(error) from error


def _open() -> bool:
    """Take a connection unless this thread holds one; return True if one was taken."""
    try:
        return bool(db.connect(reuse_if_open=True))
    except (InterfaceError, psycopg2.OperationalError) as error:
        raise DatabaseUnavailable(str(error)) from error


def _unavailable(error: Exception) -> DatabaseUnavailable:
    """Return the error for callers, and renew the pool if the server is gone, silent or read-only.

    Otherwise each idle connection would cost one more request up to CLIENT_TIMEOUT_S.
    """
    is_read_only = sqlstate(error) == READ_ONLY_STATE
    if is_read_only:
        db.held.generation = OUTDATED  # the pool may have been renewed a moment ago, before this one was made
    if is_read_only or db.connection().closed:
        db.pool.renew()
    return DatabaseUnavailable(str(error))


def transactional(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Run a function as one transaction; after a deadlock run it again from its start, at most 3 times in all."""

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
    """Open a session in which every statement reads the same moment and none may write.

    It costs two round trips; a single statement reads one moment anyway.
    """
    with session(), db.atomic("REPEATABLE READ READ ONLY"):
        yield


def sqlstate(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of an error, or None."""
    if isinstance(error, DatabaseUnavailable):
        error = error.__cause__
    return getattr(getattr(error, "orig", error), "pgcode", None)


@overload
def fetch_all(sql: str, parameters: SqlParameters = ()) -> list[Row]: ...
@overload
def fetch_all(sql: str, parameters: SqlParameters, row_type: type[RowType]) -> list[RowType]: ...
def fetch_all(sql: str, parameters: SqlParameters = (), row_type: object = None) -> list[Any]:
    """Return the rows of a query as dicts by column name; needs an open session.

    `row_type` tells the type checker the columns, at no cost; nothing checks it at run time.
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


def array_of(values: Iterable[Any]) -> str:
    """Return numbers, UUIDs or plain words as the text of an array, for a parameter with a cast.

    A list would be constants in the statement's text: 200 of them take the server longer to read than to use.
    """
    return f"{{{','.join('NULL' if value is None else str(value) for value in values)}}}"


def row_of(values: Iterable[Any]) -> str:
    """Return the text of a composite value, for a parameter with a cast to its type; a None is a NULL."""
    return f"({','.join(map(_part, values))})"


def _part(value: Any) -> str:
    if value is None:
        return ""
    text = f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '""') + '"'


def execute(sql: str, parameters: SqlParameters = ()) -> int:
    """Run a statement and return the number of rows that it changed; needs an open session."""
    return int(db.execute_sql(sql, parameters).rowcount)


def later(sql: str, parameters: SqlParameters = ()) -> None:
    """Let a statement of a transaction wait, to be sent in one round trip with the next one or with the commit.

    Nothing of its result is told; its error is raised by the statement, or by the commit, that it is sent with.
    """
    if not db.in_transaction():
        raise RuntimeError("only a statement of a transaction may wait")
    with db.cursor() as cursor:
        db.held.waiting.append(cursor.mogrify(sql, parameters or None))


def send_waiting() -> None:
    """Send the statements that wait."""
    waiting = db.held.waiting
    if waiting and waiting != [BEGIN]:
        last = waiting.pop()
        with db.cursor() as cursor:
            cursor.execute(last)
