"""Connections in bounded time to the database server of a URL, on any of its hosts and addresses."""

import contextvars
import ipaddress
import re
import select
import time
from typing import Any

import psycopg2
import psycopg2.extensions

from models.names import Names

# Each limit is shorter than the next: the server gives up on a lock, then on a statement, and then the client
# gives up on the server (a stopped server never answers).
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
CLIENT_TIMEOUT_S = 6.0
# The limits for one address and for all addresses of a list together: after an outage a server that is back has to
# be found within 5 s.
CONNECT_TIMEOUT_S = 2.0
CONNECT_ALL_TIMEOUT_S = 4.0

# The settings of each connection. They override the same options of the URL; the URL's other options stay.
OPTIONS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
    "timezone": "UTC",
    # The accounts are locked row by row: under a stricter level, set as the database's default, waiting statements
    # would fail.
    "default_transaction_isolation": r"read\ committed",
}
# Defaults that the URL may override. The kernel notices a vanished peer after 20 s on an idle connection, and after
# 10 s if sent data is not acknowledged (its own defaults are 2 h and 15 min).
DEFAULTS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 10_000}

# psycopg2 gives no SQLSTATE for a failed connect, only a text: these are PostgreSQL's for 53300, and PgBouncer's.
FULL = re.compile("too many (clients|connections)|connection slots|no more connections", re.IGNORECASE)
NO_ANSWER = "the database did not answer in time"
NO_ADDRESS = "the database's name cannot be resolved"
CONNECT_OUTCOMES = ("made", "full", "unresolved", "timed_out", "failed")

deadline_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline_s", default=CLIENT_TIMEOUT_S)
Place = dict[str, str]


class Cursor(psycopg2.extensions.cursor):
    """A cursor that sends the statements which wait on its connection together with the next one."""

    connection: "Connection"

    def execute(self, query: Any, parameters: Any = None) -> None:
        """Run a statement after those that wait, in one round trip; its own result counts."""
        waiting = self.connection.waiting
        if waiting:
            self.connection.waiting = []
            query, parameters = b";\n".join([*waiting, self.mogrify(query, parameters)]), None
        super().execute(query, parameters)


class Connection(psycopg2.extensions.connection):
    """A connection with its pool, the time of its last use and the pool's generation at its creation.

    waiting has the statements that were not sent yet: see models.database.later.
    """

    pool: Any  # models.pool.Pool
    generation = 0
    used_at = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: list[bytes] = []

    @property
    def has_ended(self) -> bool:
        """Return True if the server has closed an idle connection; needs no round trip.

        The server sends nothing on an idle connection, so a readable one has received the server's goodbye.
        """
        return bool(self.closed or _wait(self.fileno(), select.POLLIN, 0))


class Server:
    """The server of a URL: one or more hosts, each with one or more addresses, or a socket."""

    def __init__(self, url: str, application_name: str) -> None:
        given = psycopg2.extensions.parse_dsn(url)
        self._names = Names()
        self._failed_at: dict[tuple[str, ...], float] = {}
        self._places = _places(given)
        if len(self._places) > 1:  # of several hosts only the writable one is used
            given.setdefault("target_session_attrs", "read-write")
        ours = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        self._parameters: dict[str, Any] = {
            **DEFAULTS,
            **given,
            "options": f"{given.get('options', '')} {ours}".strip(),
            "application_name": application_name,
            "client_encoding": "UTF8",
        }

    def connect(self) -> Connection:
        """Return a new connection in autocommit; raise psycopg2.OperationalError with the reasons if there is none.

        Without blocking, libpq goes on to the next address only if one refuses, never if one is silent. So each address
        is tried by itself; the addresses that failed most recently come last.
        """
        places = self._addressed()
        timeout_s = min(CONNECT_TIMEOUT_S, CONNECT_ALL_TIMEOUT_S / max(1, len(places)))
        errors = []
        for place in sorted(places, key=lambda place: self._failed_at.get(tuple(place.values()), 0.0)):
            try:
                connection = self._connect(place, timeout_s)
            except psycopg2.OperationalError as error:
                errors.append(f"{place.get('hostaddr') or place.get('host', '')} {error}".strip())
                self._failed_at[tuple(place.values())] = time.monotonic()
            else:
                self._failed_at.pop(tuple(place.values()), None)
                return connection
        raise psycopg2.OperationalError("; ".join(errors) or NO_ADDRESS)

    def _connect(self, place: Place, timeout_s: float) -> Connection:
        reset = deadline_s.set(timeout_s)
        try:
            connection: Connection = psycopg2.connect(
                **{**self._parameters, **place}, connection_factory=Connection, cursor_factory=Cursor
            )
        finally:
            deadline_s.reset(reset)
        connection.autocommit = True
        return connection

    def _addressed(self) -> list[Place]:
        """Return the places with their addresses, because libpq would block while it resolves a name.

        The name stays beside the address: certificates are checked against it, and password files use it.
        """
        found = self._names.resolve({place["host"] for place in self._places if _is_name(place)})
        addressed = []
        for place in self._places:
            if _is_name(place):
                addressed += [{**place, "hostaddr": address} for address in found[place["host"]]]
            else:
                addressed.append(place)
        return addressed


def wait_bounded(connection: Any) -> None:
    """Wait for the server until the deadline; psycopg2 calls this while a query or a connect runs.

    It works with plain threads and with gevent, whose patched poll lets other greenlets run.
    Raises psycopg2.OperationalError at the deadline; the caller closes the connection.
    """
    limit = deadline_s.get()
    deadline = None if limit is None else time.monotonic() + limit
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        event = select.POLLIN if state == psycopg2.extensions.POLL_READ else select.POLLOUT
        remaining_ms = None if deadline is None else max(0, (deadline - time.monotonic()) * 1000)
        if not _wait(connection.fileno(), event, remaining_ms):
            raise psycopg2.OperationalError(NO_ANSWER)


def outcome_of(text: str) -> str:
    """Return the reason of a failed connect from its error text, one of CONNECT_OUTCOMES."""
    if FULL.search(text):
        return "full"
    if NO_ADDRESS in text:
        return "unresolved"
    return "timed_out" if NO_ANSWER in text else "failed"


def _wait(descriptor: int, event: int, timeout_ms: float | None) -> bool:
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(timeout_ms))


def _places(given: dict[str, str]) -> list[Place]:
    """Return each host of a URL as a place; one empty place if the URL names none or its lists do not match."""
    lists = {name: given[name].split(",") for name in ("host", "hostaddr", "port") if given.get(name)}
    count = max((len(lists[name]) for name in ("host", "hostaddr") if name in lists), default=0)
    if len(lists.get("port", ())) == 1:
        lists["port"] *= count
    if any(len(values) != count for values in lists.values()):
        return [{}]
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)] or [{}]


def _is_name(place: Place) -> bool:
    """Return True if a place has a host name: neither a socket's folder nor an address."""
    host = place.get("host", "")
    if not host or place.get("hostaddr") or host[0] in "/@":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
