"""Connect to the server that a URL names, whichever of its hosts and addresses answers, in bounded time."""

import contextvars
import ipaddress
import re
import select
import time
from typing import Any

import psycopg2
import psycopg2.extensions

from models.names import Names

# Limits, each shorter than the one around it: the server gives up on a lock, then on a statement,
# then the client gives up on the server (which may be stopped and will never answer).
LOCK_TIMEOUT_MS = 3_000
STATEMENT_TIMEOUT_MS = 5_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
CLIENT_TIMEOUT_S = 6.0
# One address may take this long, and all of a list together no more than the other: what is over after
# an outage has to be found within 5 s.
CONNECT_TIMEOUT_S = 2.0
CONNECT_ALL_TIMEOUT_S = 4.0

# What each connection asks of the server. It wins over the same option in the URL; the others there stay.
OPTIONS = {
    "statement_timeout": STATEMENT_TIMEOUT_MS,
    "lock_timeout": LOCK_TIMEOUT_MS,
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT_MS,
    "timezone": "UTC",
    # The books are locked row by row: under another level that a database asks for, what would wait fails.
    "default_transaction_isolation": r"read\ committed",
}
# What the URL may set otherwise. A peer that has vanished is noticed by the kernel: after 20 s while nothing
# is sent, after 10 s when what was sent is not acknowledged (by default after 2 h and 15 min).
DEFAULTS = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2, "tcp_user_timeout": 10_000}

# A failed connect has no SQLSTATE in psycopg2, only a text: PostgreSQL's for 53300, and PgBouncer's.
FULL = re.compile("too many (clients|connections)|connection slots|no more connections", re.IGNORECASE)
NO_ANSWER = "the database did not answer in time"
NO_ADDRESS = "the database's name cannot be resolved"
CONNECT_OUTCOMES = ("made", "full", "unresolved", "timed_out", "failed")

deadline_s: contextvars.ContextVar[float | None] = contextvars.ContextVar("deadline_s", default=CLIENT_TIMEOUT_S)
Place = dict[str, str]


class Connection(psycopg2.extensions.connection):
    """A connection of a pool, which notes when it was used last and how often the pool had been renewed."""

    generation = 0
    used_at = 0.0

    @property
    def has_ended(self) -> bool:
        """Tell whether an idle connection is of no more use, without asking the server.

        It has nothing to say while idle; one that is readable has been told goodbye.
        """
        return bool(self.closed or _wait(self.fileno(), select.POLLIN, 0))


class Server:
    """What a URL names: one host or several, each with one address or several, or a socket."""

    def __init__(self, url: str, application_name: str) -> None:
        given = psycopg2.extensions.parse_dsn(url)
        self._names = Names()
        self._failed_at: dict[tuple[str, ...], float] = {}
        self._places = _places(given)
        if len(self._places) > 1:  # of several hosts the one that can be written to is meant
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
        """Return a connection in autocommit; raise psycopg2.OperationalError saying why there is none.

        libpq goes on to the next address when one refuses, but never, without blocking, when one is
        silent: so each is tried by itself, those that failed last after the others.
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
            connection: Connection = psycopg2.connect(**{**self._parameters, **place}, connection_factory=Connection)
        finally:
            deadline_s.reset(reset)
        connection.autocommit = True
        return connection

    def _addressed(self) -> list[Place]:
        """Return the places with their addresses, so that libpq, which would block, resolves no name.

        The name stays beside the address: certificates and password files are looked up by it.
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
    """Wait for the server, for a limited time; psycopg2 calls this while a query or connect runs.

    Works under plain threads and under gevent alike, whose patched poll lets others run.
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
    """Return the word for why a connect failed, one of CONNECT_OUTCOMES."""
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
    """Return each host of a URL by itself; one empty place where the URL names none, or not as libpq wants them."""
    lists = {name: given[name].split(",") for name in ("host", "hostaddr", "port") if given.get(name)}
    count = max((len(lists[name]) for name in ("host", "hostaddr") if name in lists), default=0)
    if len(lists.get("port", ())) == 1:
        lists["port"] *= count
    if any(len(values) != count for values in lists.values()):
        return [{}]
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)] or [{}]


def _is_name(place: Place) -> bool:
    """Tell whether a place has to be looked up: it is no socket's folder, and no address."""
    host = place.get("host", "")
    if not host or place.get("hostaddr") or host[0] in "/@":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
