"""A consumer that waits for messages instead of polling for them."""

import contextlib
import re
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import _RedisConsumer
from dramatiq.errors import ConnectionClosed

from runtime.redis_pool import primary_of
from runtime.redis_sentinel import Address

# A wait ends after this time, so that delayed messages, heartbeats and a shutdown get their turn.
WAIT_S = 1.0
# The time between two polls of a server that lacks BLMOVE (before Redis 6.2) or forbids it.
POLL_S = 0.1
UNKNOWN_OR_FORBIDDEN = re.compile(r"\b(unknown command|NOPERM)\b", re.IGNORECASE)
# Replaces Dramatiq's own sleep between two fetches, since this consumer waits by itself.
NO_SLEEP_MS = 1


class WaitingConsumer(_RedisConsumer):
    """Dramatiq's Redis consumer, woken by the server when its queue gets a message.

    It waits with BLMOVE from the head of the queue's list to its head: this changes nothing, and returns as soon as
    the list has an element. Producers need not know about it, and no wake-up can be lost, since the list itself is
    waited for.

    Every error of Redis is treated as a lost connection. After any other error, such as that of a replica or a full
    server, Dramatiq ends the consuming thread or never repeats an ack.

    Dramatiq replaces a consumer that has lost its connection. Messages that the old one had fetched, or that were in
    the lost answer, would belong to this worker as long as it lives; so the new consumer returns them to the queue.
    A message in work then comes a second time, which does nothing. The same holds for a primary that was replaced by
    another one, which may not know the last acks.
    """

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, min(timeout, NO_SLEEP_MS))
        self._list = f"{broker.namespace}:{queue_name}"
        self._can_wait = True
        self._has_room = threading.Event()
        self._has_begun = False
        self._primary: Address | None = None

    def __next__(self) -> Any:
        with _as_lost_connection():
            if not self._has_begun:
                self._primary = primary_of(self.broker.client)
                self._put_back()
                self._has_begun, self._primary = True, self._primary or primary_of(self.broker.client)
            elif primary_of(self.broker.client) != self._primary:
                raise redis.ConnectionError("another server is the primary now")
            message = super().__next__()
            if message is None:
                self._wait()
            return message

    def _put_back(self) -> None:
        """Return to the queue the messages that this worker has fetched and not acked."""
        fetched = self.broker.client.smembers(
            f"{self.broker.namespace}:__acks__.{self.broker.broker_id}.{self.queue_name}"
        )
        if fetched:
            self.broker.do_requeue(self.queue_name, *fetched)

    def close(self) -> None:
        """Return to the queue the fetched messages that no thread has taken; a stopping worker returns the others."""
        self.requeue([Message.decode(data) for data in self.message_cache])

    def requeue(self, messages: Iterable[Any]) -> None:
        """Return messages to the queue."""
        with _as_lost_connection():
            super().requeue(messages)

    def ack(self, message: Any) -> None:
        """Acknowledge a message that is done."""
        self._finish(super().ack, message)

    def nack(self, message: Any) -> None:
        """Move a message that has failed for good to the dead letters."""
        self._finish(super().nack, message)

    def _finish(self, send: Any, message: Any) -> None:
        try:
            with _as_lost_connection():
                send(message)
        finally:
            self._has_room.set()

    def _wait(self) -> None:
        """Wait until there may be a message and room for it, for about a second."""
        if self.outstanding_message_count >= self.prefetch:
            self._has_room.wait(WAIT_S)
            self._has_room.clear()
        elif self._can_wait:
            self._wait_for_message()
        else:
            time.sleep(POLL_S)

    def _wait_for_message(self) -> None:
        try:
            self.broker.client.blmove(self._list, self._list, WAIT_S, "LEFT", "LEFT")
        except redis.ResponseError as error:
            if not UNKNOWN_OR_FORBIDDEN.search(f"{error.status_code} {error}"):
                raise
            self.logger.warning("Polling queue %r, since the server does not allow waiting: %s", self.queue_name, error)
            self._can_wait = False


@contextlib.contextmanager
def _as_lost_connection() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise ConnectionClosed(error) from None
