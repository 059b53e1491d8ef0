"""The primary that Sentinels name, which the connections of a process follow."""

import functools
import os
import threading
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import redis
from redis.connection import parse_url

from config import sentinel_urls
from runtime.logs import get_logger
from runtime.redis_connection import UNVERIFIED, Connection, EncryptedConnection

# The time between two questions to a Sentinel, which doubles while it does not answer, and the limit of an answer.
ASK_S, MAX_PAUSE_S, ANSWER_S = 0.5, 2.0, 2.0
LIMITS: dict[str, Any] = {
    "socket_connect_timeout": ANSWER_S,
    "socket_timeout": ANSWER_S,
    "protocol": 2,
    "driver_info": None,
}

logger = get_logger(__name__)
_starting = threading.Lock()


class Address(NamedTuple):
    """The host and the port of a server."""

    host: str
    port: int


class Sentinels:
    """The Sentinels of one service, each asked twice a second by a thread of its own.

    redis-py asks them at a connect only, one after the other, each with a time-out of its own. Then the connections
    to a primary that was replaced in working order stay with it for the 8 s after which Sentinels make it a replica,
    and that loses what was written to it.
    """

    def __init__(
        self,
        service: str,
        places: tuple[tuple[str, int], ...],
        connection_class: type[Connection] = Connection,
        **options: Any,
    ) -> None:
        self._service = service
        self._places = places
        self._connection_class = connection_class
        self._options = options
        self._process: int | None = None
        self._begin()

    @property
    def known(self) -> Address | None:
        """Return the primary that most of the Sentinels name, or have named last; None before they have answered."""
        return self._known

    def primary(self, timeout_s: float) -> Address:
        """Return the known primary; the first time wait until most of the Sentinels have named it.

        Raises redis.ConnectionError if it is unknown.
        """
        if self._process != os.getpid():
            self._start()
        if self._known is None:
            self._is_settled.wait(timeout_s)
            self._take_most_named()
        if self._known is None:
            raise redis.ConnectionError(f"no Sentinel names the primary of {self._service}")
        return self._known

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._named: dict[tuple[str, int], Address | None] = {}
        self._outvoted: set[tuple[tuple[str, int], Address | None]] = set()
        self._is_settled = threading.Event()
        self._known: Address | None = None

    def _start(self) -> None:
        """Start the threads, which a fork does not take along."""
        with _starting:
            if self._process != os.getpid():
                self._begin()
                self._process = os.getpid()
                for place in self._places:
                    run = functools.partial(self._follow, place)
                    threading.Thread(target=run, name=f"sentinel {place[0]}", daemon=True).start()

    def _follow(self, place: tuple[str, int]) -> None:
        """Ask a Sentinel again and again, over one connection for as long as it answers."""
        (host, port), pause_s = place, ASK_S
        while True:
            connection: Any = self._connection_class(host=host, port=port, **LIMITS, **self._options)
            try:
                while True:
                    self._note(place, self._ask(connection))
                    pause_s = ASK_S
                    time.sleep(ASK_S)
            except Exception as error:  # noqa: BLE001  the thread must outlive an answer that makes no sense
                if pause_s == ASK_S:
                    logger.warning("redis_sentinel_failed", host=host, port=port, error=str(error))
            self._note(place, None)
            connection.disconnect()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, MAX_PAUSE_S)

    def _ask(self, connection: Any) -> Address | None:
        connection.connect()
        connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
        answer = connection.read_response()
        return answer and Address(answer[0].decode(), int(answer[1]))

    def _note(self, place: tuple[str, int], named: Address | None) -> None:
        """Keep an answer, and follow most of those who answer.

        A Sentinel that was cut off from the others may still name the old primary: it is outvoted. From then on it
        counts only with another address, or together with most of the Sentinels: the others may be away for a while.
        """
        with self._lock:
            self._named[place] = named
            most = _majority(self._named.values(), len(self._places))
            if most is not None:
                self._outvoted = {vote for vote in self._named.items() if vote[1] != most}
                self._take(most)
            elif self._known is not None:
                believed = [address for place, address in self._named.items() if (place, address) not in self._outvoted]
                self._take(_majority(believed, len(believed) - believed.count(None)) or self._known)
            if most is not None or len(self._named) == len(self._places):
                self._is_settled.set()

    def _take_most_named(self) -> None:
        with self._lock:
            votes = Counter(address for address in self._named.values() if address is not None)
            if self._known is None and votes:
                self._take(votes.most_common(1)[0][0])

    def _take(self, address: Address) -> None:
        if address != self._known:
            logger.info("redis_primary_found", host=address.host, port=address.port)
            self._known = address


def _majority(votes: Iterable[Address | None], voters: int) -> Address | None:
    """Return the address that more than half of the voters name, None if there is none."""
    counts = Counter(address for address in votes if address is not None)
    return next((address for address, count in counts.items() if 2 * count > voters), None)


@functools.cache
def sentinels_of(url: str) -> Sentinels:
    """Return the Sentinels of a URL, the same for all pools of this process, which share the address that is found."""
    parts = sentinel_urls.split(url)
    options: dict[str, Any] = {"username": parts.username, "password": parts.password}
    if url.startswith("rediss"):
        given: dict[str, Any] = parse_url(parts.server_url)  # type: ignore[no-untyped-call]
        options |= UNVERIFIED | {name: value for name, value in given.items() if name.startswith("ssl_")}
        options["connection_class"] = EncryptedConnection
    return Sentinels(parts.service, parts.places, **options)


class PrimaryConnection(Connection):
    """A connection to the primary, which leads to the new one on its next use after a change."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def connect(self) -> None:
        """Connect unless there is a connection to the primary already."""
        if self.is_connected and self._sentinels.known not in (None, (self.host, self.port)):
            self.disconnect()  # type: ignore[no-untyped-call]
        super().connect()  # type: ignore[no-untyped-call]

    def locate(self, timeout_s: float) -> None:
        """Set host and port to those of the primary. Raises redis.ConnectionError."""
        self.host, self.port = self._sentinels.primary(timeout_s)


class EncryptedPrimaryConnection(redis.SSLConnection, PrimaryConnection):
    """The same over TLS."""
