"""The primary that Sentinels name: every connect asks them, so that a process follows a failover by itself."""

import functools
import queue
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

import redis
from redis.connection import parse_url

from config import sentinel_urls
from runtime.logs import get_logger
from runtime.redis_connection import UNVERIFIED, Connection, EncryptedConnection

logger = get_logger(__name__)


class Address(NamedTuple):
    """The host and the port of a server."""

    host: str
    port: int


class Sentinels:
    """The Sentinels of one service. redis-py's own ask one after the other, each with a time-out of its own."""

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
        self._known: Address | None = None

    def primary(self, timeout_s: float) -> Address:
        """Return the primary that most of the Sentinels name; the last known one if none answers in time.

        All are asked at once: one that is dead or silent costs no time, and one that was cut off from the others and
        still names the old primary is outvoted. Raises redis.ConnectionError if the primary is unknown.
        """
        named = self._most_named(time.monotonic() + timeout_s)
        if named is not None and named != self._known:
            logger.info("redis_primary_found", host=named.host, port=named.port)
            self._known = named
        if self._known is None:
            raise redis.ConnectionError(f"no Sentinel names the primary of {self._service}")
        return self._known

    def _most_named(self, deadline: float) -> Address | None:
        answers: queue.SimpleQueue[Address | None] = queue.SimpleQueue()
        for place in self._places:
            ask = functools.partial(self._ask, place, deadline, answers)
            threading.Thread(target=ask, name="ask-sentinel", daemon=True).start()
        votes: Counter[Address] = Counter()
        for _ in self._places:
            try:
                answer = answers.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                break
            if answer is not None:
                votes[answer] += 1
                if 2 * votes[answer] > len(self._places):
                    break
        return max(votes, key=lambda address: votes[address], default=None)

    def _ask(self, place: tuple[str, int], deadline: float, answers: "queue.SimpleQueue[Address | None]") -> None:
        try:
            answers.put(self._named_by(place, deadline))
        except (redis.RedisError, OSError) as error:
            logger.warning("redis_sentinel_failed", host=place[0], port=place[1], error=str(error))
            answers.put(None)

    def _named_by(self, place: tuple[str, int], deadline: float) -> Address | None:
        (host, port), left_s = place, max(0.001, deadline - time.monotonic())
        limits = {"socket_connect_timeout": left_s, "socket_timeout": left_s}
        connection: Any = self._connection_class(
            host=host, port=port, protocol=2, driver_info=None, **limits, **self._options
        )
        try:
            connection.connect()
            connection.send_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._service)
            answer = connection.read_response()
        finally:
            connection.disconnect()
        return answer and Address(answer[0].decode(), int(answer[1]))


@functools.cache
def sentinels_of(url: str) -> Sentinels:
    """Return the Sentinels of a URL, the same for all pools of this process: what one has found all know."""
    parts = sentinel_urls.split(url)
    options: dict[str, Any] = {"username": parts.username, "password": parts.password}
    if url.startswith("rediss"):
        given: dict[str, Any] = parse_url(parts.server_url)  # type: ignore[no-untyped-call]
        options |= UNVERIFIED | {name: value for name, value in given.items() if name.startswith("ssl_")}
        options["connection_class"] = EncryptedConnection
    return Sentinels(parts.service, parts.places, **options)


class PrimaryConnection(Connection):
    """A connection to the primary that the Sentinels name at the time of the connect."""

    def __init__(self, *, sentinels: Sentinels, **options: Any) -> None:
        self._sentinels = sentinels
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def locate(self, timeout_s: float) -> None:
        """Set host and port to those of the primary. Raises redis.ConnectionError."""
        self.host, self.port = self._sentinels.primary(timeout_s)


class EncryptedPrimaryConnection(redis.SSLConnection, PrimaryConnection):
    """The same over TLS."""
