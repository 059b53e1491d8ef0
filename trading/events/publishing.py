"""Nudges: messages on a Redis channel that tell listeners of an account to read its new events."""

import functools
import threading
from collections.abc import Iterable
from uuid import UUID

from runtime import redis_link

CALL = "call"


def channel(account_id: object) -> str:
    """Return the channel for nudges of an account; "*" gives the pattern of all channels."""
    return redis_link.key(f"events:{account_id}")


def call_listeners() -> None:
    """Publish on the channel of CALL, through a server that accepts writes; a healthy subscription hears it.

    Raises redis.RedisError.
    """
    with redis_link.client.pipeline(transaction=False) as pipeline:
        redis_link.prove_writable(pipeline)
        pipeline.publish(channel(CALL), "")
        pipeline.execute()


class Nudger:
    """Publishes nudges from its own thread, all pending ones in one round trip.

    No request and no execution waits for a nudge.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: set[UUID] = set()
        self._thread: threading.Thread | None = None

    def add(self, account_ids: Iterable[UUID]) -> None:
        """Queue nudges for accounts."""
        with self._lock:
            self._waiting.update(account_ids)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="nudger", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                account_ids, self._waiting = self._waiting, set()
            if account_ids:
                redis_link.attempt(functools.partial(_publish, account_ids))


_nudger = Nudger()


def nudge(account_ids: Iterable[UUID]) -> None:
    """Tell the listeners of these accounts, after the commit, that there are new events; best effort."""
    if redis_link.is_enabled():
        _nudger.add(account_ids)


def _publish(account_ids: Iterable[UUID]) -> None:
    with redis_link.client.pipeline(transaction=False) as pipeline:
        for account_id in account_ids:
            pipeline.publish(channel(account_id), "")
        pipeline.execute()
