"""Long work in a thread of its own, so that no order and no sweep waits for it."""

import threading
from collections.abc import Callable

import dramatiq
from dramatiq.middleware import Middleware

from actors.broker import broker
from runtime.logs import get_logger

# A worker that stops waits this long for the work to end; an open transaction is rolled back.
STOP_S = 5.0

logger = get_logger(__name__)


class Background(Middleware):
    """A runner of one piece of work at a time, so that one database connection is enough for all."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._turn, self._lock = threading.Lock(), threading.Lock()
        self._threads: dict[str, threading.Thread] = {}

    @property
    def is_stopping(self) -> bool:
        """Return True if the worker is stopping, so that work ends early."""
        return self._stopping.is_set()

    def start(self, name: str, work: Callable[[], object]) -> None:
        """Run the work in a thread unless the same work is running or waiting; log an exception that it raises."""
        with self._lock:
            if name in self._threads and self._threads[name].is_alive():
                return
            self._threads[name] = threading.Thread(target=self._do, args=(name, work), name=name, daemon=True)
            self._threads[name].start()

    def _do(self, name: str, work: Callable[[], object]) -> None:
        with self._turn:
            if self.is_stopping:
                return
            try:
                work()
            except Exception:  # the work is started again at its next time
                logger.exception("background_work_failed", work=name)

    def after_worker_boot(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Allow work."""
        self._stopping.clear()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        """Ask the work to end, and wait for it for up to STOP_S."""
        self._stopping.set()
        for thread in list(self._threads.values()):
            thread.join(STOP_S)


background = Background()
broker.add_middleware(background)
