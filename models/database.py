"""The database of one process: a pool of bounded connections and the one way to run a transaction."""

import contextlib
import contextvars
import functools
import json
import select
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar

import psycopg2
import psycopg2.extensions
import psycopg2.extras
from peewee import InterfaceError, InternalError, OperationalError, PeeweeException
from playhouse.pool import PooledPostgresqlDatabase

from models.slots import Slots

Row = dict[str, Any]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

# Limits, each shorter than the one around it: the server gives up on a lock, then on a statement,
# then the client gives up on the server (which may be stopped and will never answer).
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
CLIENT_TIMEOUT_S = 6.0
CONNECT_TIMEOUT_S = 2.0
POOL_TIMEOUT_S = 2
# After a failed connect everybody else is refused at once for this long: connects are made one
# by one under the pool's lock, and a queue of time-outs would not be a bounded answer.
CONNECT_PAUSE_S = 1.0

MAX_ATTEMPTS = 3
RETRIED_STATES = frozenset({"40001", "40P01"})  # serialisation failure, deadlock
READ_ONLY_STATES = frozenset({"25006", "25P03"})  # a failover's read-only standby, idle time-out

_deadline_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline_s", default=CLIENT_TIMEOUT_S)


class DatabaseUnavailable(Exception):
    """The database cannot be reached or does not answer in time."""


class Database(PooledPostgresqlDatabase):  # type: ignore[misc]
    """Pool that notices dead connections and answers in bounded time while the server is away."""

    refused_until = 0.0
    slots = Slots(0)

    def _connect(self) -> Any:
        if time.monotonic() < self.refused_until:
            raise OperationalError("the database refused a connection a moment ago")
        reset = _deadline_s.set(CONNECT_TIMEOUT_S)
        try:
            return super()._connect()
        except Exception:
            self.refused_until = time.monotonic() + CONNECT_PAUSE_S
            raise
        finally:
            _deadline_s.reset(reset)

    def _is_closed(self, conn: Any) -> bool:
        # An idle connection has nothing to say; one that is readable has been told goodbye.
        # The pool's own check asks the server, which would be a round trip for every session.
        return bool(conn.closed or _wait(conn.fileno(), select.POLLIN, 0))


db = Database(None, autoconnect=False)


def initialise(url: str, *, pool_size: int, application_name: str = "tradepost") -> None:
    """Point this process at a database; nothing is connected until the first session."""
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
    loads = functools.partial(json.loads, parse_float=Decimal)
    psycopg2.extras.register_default_jsonb(loads=loads, globally=True)
    psycopg2.extensions.set_wait_callback(wait_bounded)
    options = {
        "statement_timeout": STATEMENT_TIMEOUT_MS,
        "lock_timeout": LOCK_TIMEOUT_MS,
        "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
        "timezone": "UTC",
    }
    db.dispose()
    db.refused_until = 0.0
    db.slots = Slots(pool_size)
    db.init(
        url.replace("postgres://", "postgresql://", 1),
        max_connections=pool_size,
        options=" ".join(f"-c {name}={value}" for name, value in options.items()),
        application_name=application_name,
        # A host that vanished is noticed by the kernel even while nothing is being sent.
        keepalives_idle=30,
    )


def is_initialised() -> bool:
    """Tell whether a database has been named for this process."""
    return not db.deferred


def wait_bounded(connection: Any) -> None:
    """Wait for the server, for a limited time; psycopg2 calls this while a query or connect runs.

    Works under plain threads and under gevent alike, whose patched poll lets others run.
    Raises psycopg2.OperationalError at the deadline; the caller closes the connection.
    """
    limit = _deadline_s.get()
    deadline = None if limit is None else time.monotonic() + limit
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        event = select.POLLIN if state == psycopg2.extensions.POLL_READ else select.POLLOUT
        remaining_ms = None if deadline is None else max(0, (deadline - time.monotonic()) * 1000)
        if not _wait(connection.fileno(), event, remaining_ms):
            raise psycopg2.OperationalError("the database did not answer in time")


def _wait(descriptor: int, event: int, timeout_ms: float | None) -> bool:
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(timeout_ms))


@contextlib.contextmanager
def patient() -> Iterator[None]:
    """Lift this side's deadline for the session inside; the server's limits stay."""
    reset = _deadline_s.set(None)
    try:
        with session():
            yield
    finally:
        _deadline_s.reset(reset)


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
            db.manual_close()


@contextlib.contextmanager
def session() -> Iterator[None]:
    """Hold a connection while the block runs; join the one that is open, close only what was opened.

    Raises DatabaseUnavailable when the server cannot be reached, is too slow, or no connection is free.
    """
    with _translated():
        if not db.is_closed():
            yield
            return
        slots = db.slots
        if not slots.acquire(POOL_TIMEOUT_S):
            raise DatabaseUnavailable("no connection became free in time")
        try:
            db.connect()
            try:
                yield
            finally:
                _give_back()
        finally:
            slots.release()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError, psycopg2.OperationalError) as error:
        raise DatabaseUnavailable(str(error)) from error
    except InternalError as error:
        if sqlstate(error) in READ_ONLY_STATES:
            raise DatabaseUnavailable(str(error)) from error
        raise


def _give_back() -> None:
    if db.is_closed():
        return
    connection = db.connection()
    if connection.closed:
        db.manual_close()
    else:
        db.close()


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


def fetch_all(sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[Row]:
    """Return the rows of a query as dicts by column name, on the open connection."""
    cursor = db.execute_sql(sql, parameters)
    names = [column.name for column in cursor.description]
    return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def fetch_one(sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Row | None:
    """Return the first row of a query as a dict, or None."""
    rows = fetch_all(sql, parameters)
    return rows[0] if rows else None


def execute(sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> int:
    """Run a statement on the open connection and return the number of rows it touched."""
    return int(db.execute_sql(sql, parameters).rowcount)
