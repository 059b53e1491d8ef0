"""The state that gunicorn's main process and its workers share, so that a successor is ready before a worker ends."""

import mmap
import struct
import time
from typing import Any

NUMBER = struct.Struct("=I")


class Succession:
    """Three numbers in shared memory: the youngest worker started, the youngest ready, and the one to be replaced.

    gunicorn numbers its workers by age.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 3 * NUMBER.size)

    def _get(self, place: int) -> int:
        number: int = NUMBER.unpack_from(self._memory, place * NUMBER.size)[0]
        return number

    def _set(self, place: int, number: int) -> None:
        NUMBER.pack_into(self._memory, place * NUMBER.size, number)

    def note_start(self, age: int) -> None:
        """Record that a worker is being started."""
        self._set(0, age)

    def note_ready(self, age: int) -> None:
        """Record that a worker serves."""
        self._set(1, max(age, self._get(1)))

    @property
    def is_starting(self) -> bool:
        """Return True if the youngest worker does not serve yet."""
        return self._get(1) < self._get(0)

    def ask(self, pid: int) -> None:
        """Ask the main process to replace a worker."""
        self._set(2, pid)

    def take(self) -> int:
        """Return the pid of the worker that asks to be replaced, or 0, and clear the request."""
        pid = self._get(2)
        self._set(2, 0)
        return pid


succession = Succession()


class Supervision:
    """The check of all workers that gunicorn's main process makes every second, changed in two points.

    gunicorn ends workers without a heartbeat for the time-out, even if the main process stood still as well, as on a
    paused machine or in a frozen container. Here the workers get the whole time-out again after such a pause.
    gunicorn starts a worker after another has ended; here the successor starts first.
    """

    def __init__(self, arbiter: Any) -> None:
        self.arbiter = arbiter
        self.end_workers_that_hang = arbiter.murder_workers
        self.looked_at = self.patient_until = time.monotonic()

    def __call__(self) -> None:
        """Check the workers."""
        now = time.monotonic()
        if now - self.looked_at > self.arbiter.timeout / 2:
            self.patient_until = now + self.arbiter.timeout
        self.looked_at = now
        if now >= self.patient_until:
            self.end_workers_that_hang()
        worker = self.arbiter.WORKERS.get(succession.take())
        if worker is not None and worker.age:
            worker.age = 0  # with one worker too many, gunicorn ends the oldest
            self.arbiter.spawn_worker()
