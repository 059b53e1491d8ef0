"""A consumer that waits for messages instead of polling for them."""

import threading
import time
from typing import Any

import redis
from dramatiq import Message
from dramatiq.brokers.redis import _RedisConsumer
from dramatiq.errors import ConnectionClosed

# A wait ends after this long, so that delayed messages, heartbeats and shutdown get their turn.
WAIT_S = 1.0
# Where the server knows no BLMOVE (before Redis 6.2), or forbids it, this is how often is polled.
POLL_S = 0.1
# Dramatiq's own sleep between two looks; ours comes in its place.
NO_SLEEP_MS = 1


class WaitingConsumer(_RedisConsumer):
    """Dramatiq's Redis consumer, woken by the server when its queue gets a message.

    It waits with BLMOVE from the head of the queue's list to its head: that changes nothing, and
    returns as soon as the list has an element. Producers need to know nothing of it, and no wake-up
    can be lost, since it is the list itself that is waited for. A time-out of the connection is
    treated as the lost connection that it is.

    Dramatiq replaces a consumer that has lost its connection. What that one had fetched, and what the
    answer that never came would have brought, stays this worker's for as long as it lives, unless the
    new one puts it back. What is being worked on then comes a second time, which does nothing.
    """

    def __init__(self, broker: Any, queue_name: str, prefetch: int, timeout: int) -> None:
        super().__init__(broker, queue_name, prefetch, min(timeout, NO_SLEEP_MS))
        self._list = f"{broker.namespace}:{queue_name}"
        self._can_wait = True
        self._has_room = threading.Event()
        self._has_begun = False

    def __next__(self) -> Any:
        try:
            if not self._has_begun:
                self._put_back()
                self._has_begun = True
            message = super().__next__()
            if message is None:
                self._wait()
            return message
        except (redis.TimeoutError, redis.ConnectionError) as error:
            raise ConnectionClosed(error) from None

    def _put_back(self) -> None:
        """Return to the queue what this worker has fetched and not acked."""
        fetched = self.broker.client.smembers(
            f"{self.broker.namespace}:__acks__.{self.broker.broker_id}.{self.queue_name}"
        )
        if fetched:
            self.broker.do_requeue(self.queue_name, *fetched)

    def close(self) -> None:
        """Return to the queue what was fetched and reached nobody; a worker that stops sees to the rest."""
        try:
            self.requeue([Message.decode(data) for data in self.message_cache])
        except (redis.TimeoutError, redis.ConnectionError) as error:
            raise ConnectionClosed(error) from None

    def ack(self, message: Any) -> None:
        """Tell Redis that a message is done."""
        self._finish(super().ack, message)

    def nack(self, message: Any) -> None:
        """Tell Redis that a message has failed for good."""
        self._finish(super().nack, message)

    def _finish(self, tell: Any, message: Any) -> None:
        try:
            tell(message)
        except redis.TimeoutError as error:
            raise ConnectionClosed(error) from None
        finally:
            self._has_room.set()

    def _wait(self) -> None:
        """Wait until there may be a message and room for it."""
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
            self.logger.warning("Polling queue %r, since the server does not let us wait: %s", self.queue_name, error)
            self._can_wait = False
