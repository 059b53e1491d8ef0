"""A thread that sends to Redis for others: whatever has gathered, in one round trip.

No request and no execution waits for Redis. A process that ends sends what it holds first; one that is killed leaves
it: listeners find their events by their polls, and sweeping finds the orders.
"""

import atexit
import threading
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

import redis

from runtime import redis_link
from runtime.logs import get_logger
from runtime.redis_pipeline import Pipeline

logger = get_logger(__name__)

# After a round trip the thread pauses, so that a busy process sends several orders with the next one: a round trip
# takes as much of the processor as a sixth of a placement. A single order does not wait.
PAUSE_S = 0.005


class Parcel(NamedTuple):
    """Commands that `write` adds to a pipeline; `ended` learns if they were sent."""

    write: Callable[[Pipeline], None]
    ended: Callable[[bool], None] = lambda _: None


class Sender:
    """Sends parcels in the order in which they came; of those with the same key only the first.

    `on_unknown_script` is called when a Redis does not know a script; then the same parcels are sent once more.
    """

    def __init__(self) -> None:
        self.on_unknown_script: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._wake = threading.Event()
        self._waiting: dict[Hashable, Parcel] = {}
        self._thread: threading.Thread | None = None

    def add(self, parcels: dict[Hashable, Parcel]) -> None:
        """Queue parcels; never wait for Redis."""
        if not parcels:
            return
        with self._lock:
            for key, parcel in parcels.items():
                self._waiting.setdefault(key, parcel)
            if self._thread is None:
                self._begin()
        if not self._wake.is_set():
            self._wake.set()

    def send_all(self) -> None:
        """Send the gathered parcels, after those that are being sent."""
        with self._sending:
            with self._lock:
                waiting, self._waiting = self._waiting, {}
            if waiting:
                parcels = list(waiting.values())
                is_sent = redis_link.attempt(lambda: self._send(parcels))
                for parcel in parcels:
                    parcel.ended(is_sent)

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run, name="sender", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread to give: the next parcel tries again
            logger.exception("sender_did_not_start")
        else:
            self._thread = thread
            atexit.register(self.send_all)

    def _run(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self.send_all()
            except Exception:  # without the thread every later order would wait for a sweep
                logger.exception("sending_failed")
            time.sleep(PAUSE_S)

    def _send(self, parcels: list[Parcel]) -> None:
        try:
            _execute(parcels)
        except redis.exceptions.NoScriptError:
            self.on_unknown_script()
            _execute(parcels)


def _execute(parcels: list[Parcel]) -> None:
    pipeline = Pipeline()
    for parcel in parcels:
        parcel.write(pipeline)
    pipeline.send(redis_link.client.connection_pool)


sender = Sender()
