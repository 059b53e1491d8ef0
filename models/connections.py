"""Connections in bounded time to the database server of a URL, on any of its hosts and addresses."""

import contextlib
import contextvars
import re
import select
import threading
import time
from typing import Any

import psycopg2
import psycopg2.extensions

from models import waiting
from models.history import REPLACED, UNKNOWN, Newest, history_of
from models.places import ATTRIBUTES, WRITABLE, Place, Places, for_writing

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

# A statement without an answer for this long makes a process look for a newer primary on the other hosts of its URL,
# and again and again, until it finds one or the client gives up.
LOOK_AFTER_S = 2.0
LOOK_EVERY_S = 1.0
# A statement that waits on the old primary ends within this time after another one has found the newer.
LOOK_PAUSE_S = 0.25
# One whose statements are answered looks so often: it may have found an old primary while the new one was away.
LOOK_ANYWAY_S = 5.0

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
    place: Place = {}
    history = UNKNOWN
    server: "Server | None" = None  # of several hosts, one of which may become the primary instead

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.waiting: list[bytes] = []

    @property
    def has_ended(self) -> bool:
        """Return True if an idle connection cannot be used again; needs no round trip.

        The server sends nothing on an idle connection, so a readable one has received the server's goodbye.
        """
        if self.server is not None:
            self.server.look_beside(self, LOOK_ANYWAY_S)
            if self.is_replaced:
                return True
        return bool(self.closed or waiting.is_readable(self.fileno()))

    @property
    def is_replaced(self) -> bool:
        """Return True if a newer primary is known: an old one that lives on has outdated rows."""
        return self.server is not None and self.server.has_replaced(self)


class Server:
    """The server of a URL: one or more hosts, each with one or more addresses, or a socket.

    Of several hosts the primary is used. If two of them take writes, it is the one with the newer history: the other
    is an old primary that has come back, and its new rows will be thrown away.
    """

    def __init__(self, url: str, application_name: str) -> None:
        given = for_writing(psycopg2.extensions.parse_dsn(url))
        self._places = Places(given)
        self._compares = self._places.are_several and given.get(ATTRIBUTES) in WRITABLE
        self._newest = Newest()
        self._looked_at = time.monotonic()
        ours = " ".join(f"-c {name}={value}" for name, value in OPTIONS.items())
        self._parameters: dict[str, Any] = {
            **DEFAULTS,
            **given,
            "options": f"{given.get('options', '')} {ours}".strip(),
            "application_name": application_name,
            "client_encoding": "UTF8",
        }

    def connect(self, search_path: str | None = None) -> Connection:
        """Return a new connection in autocommit; raise psycopg2.OperationalError with the reasons if there is none.

        Without blocking, libpq goes on to the next address only if one refuses, never if one is silent. So each address
        is tried by itself. All of several hosts are compared, unless the last one still serves and was not restarted.
        """
        known = self._newest.history
        places = self._places.in_order()
        timeout_s = min(CONNECT_TIMEOUT_S, CONNECT_ALL_TIMEOUT_S / max(1, len(places)))
        errors, found = [], []
        for place in places:
            try:
                found.append(self._connect(place, timeout_s, search_path))
            except psycopg2.OperationalError as error:
                errors.append(f"{place.get('hostaddr') or place.get('host', '')} {error}".strip())
                self._places.failed(place, is_silent=NO_ANSWER in str(error))
            else:
                if not self._compares or (place == self._places.preferred and found[-1].history == known):
                    break
        if not found:
            raise psycopg2.OperationalError("; ".join(errors) or NO_ADDRESS)
        newest = max(found, key=lambda connection: connection.history.timeline)
        for connection in found:
            if connection is not newest:
                connection.close()
        self._places.served(newest.place)
        return newest

    def has_replaced(self, connection: Connection) -> bool:
        """Return True if a newer primary is known than the one of a connection."""
        return connection.history.is_older_than(self._newest.history)

    def look_beside(self, connection: Connection, every_s: float) -> None:
        """Look for a newer primary on the other hosts, in a thread of its own, unless that was done a moment ago."""
        now = time.monotonic()
        if now - self._looked_at >= every_s:
            self._looked_at = now
            threading.Thread(target=self._look, args=(connection,), name="look-beside", daemon=True).start()

    def _look(self, silent: Connection) -> None:
        for place in self._places.in_order():
            if place == silent.place:
                continue
            with contextlib.suppress(psycopg2.Error):
                found = self._connect(place, CONNECT_TIMEOUT_S)
                found.close()
                if silent.history.is_older_than(found.history):
                    self._places.served(place)

    def _connect(self, place: Place, timeout_s: float, search_path: str | None = None) -> Connection:
        """Return a connection to a place; raise psycopg2.OperationalError if a newer primary is known."""
        parameters = {**self._parameters, **place}
        if search_path is not None:
            parameters["options"] += f" -c search_path={search_path}"
        reset = deadline_s.set(timeout_s)
        try:
            connection: Connection = psycopg2.connect(
                **parameters, connection_factory=Connection, cursor_factory=Cursor
            )
            connection.autocommit = True
            connection.place = place
            if self._compares:
                connection.server, connection.history = self, history_of(connection)
        finally:
            deadline_s.reset(reset)
        if not self._newest.admit(connection.history):
            connection.close()
            raise psycopg2.OperationalError(REPLACED)
        return connection


def wait_bounded(connection: Any) -> None:
    """Wait for the server until the deadline; psycopg2 calls this while a query or a connect runs.

    Raises psycopg2.OperationalError at the deadline; the caller closes the connection.
    """
    limit = deadline_s.get()
    deadline = None if limit is None else time.monotonic() + limit
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        event = select.POLLIN if state == psycopg2.extensions.POLL_READ else select.POLLOUT
        server: Server | None = getattr(connection, "server", None)
        if server is not None:
            _wait_watchfully(connection, server, event, deadline)
        elif not waiting.wait(connection.fileno(), event, _remaining_ms(deadline)):
            raise psycopg2.OperationalError(NO_ANSWER)


def _wait_watchfully(connection: Connection, server: Server, event: int, deadline: float | None) -> None:
    """Wait as `wait_bounded` does, but give up as soon as another host has become the primary.

    A lost host does not end its connections. Without this, each one would cost its request CLIENT_TIMEOUT_S.
    """
    look_at = time.monotonic() + LOOK_AFTER_S
    pause_ms = LOOK_PAUSE_S * 1000
    while True:
        remaining_ms = _remaining_ms(deadline)
        this_ms = pause_ms if remaining_ms is None else min(remaining_ms, pause_ms)
        if waiting.wait(connection.fileno(), event, this_ms):
            return
        if remaining_ms is not None and remaining_ms <= pause_ms:
            raise psycopg2.OperationalError(NO_ANSWER)
        if server.has_replaced(connection):
            raise psycopg2.OperationalError(REPLACED)
        if time.monotonic() >= look_at:
            server.look_beside(connection, LOOK_EVERY_S)


def _remaining_ms(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, (deadline - time.monotonic()) * 1000)


def outcome_of(text: str) -> str:
    """Return the reason of a failed connect from its error text, one of CONNECT_OUTCOMES."""
    if FULL.search(text):
        return "full"
    if NO_ADDRESS in text:
        return "unresolved"
    return "timed_out" if NO_ANSWER in text else "failed"
