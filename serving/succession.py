"""What the main process and its workers tell each other, so that a worker is there before the last one goes."""

import mmap
import struct
import time
from typing import Any

NUMBER = struct.Struct("=I")


class Succession:
    """Three numbers in memory that a main process shares with all its workers, whom gunicorn numbers by their age."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 3 * NUMBER.size)

    def _get(self, place: int) -> int:
        number: int = NUMBER.unpack_from(self._memory, place * NUMBER.size)[0]
        return number

    def _set(self, place: int, number: int) -> None:
        NUMBER.pack_into(self._memory, place * NUMBER.size, number)

    def note_start(self, age: int) -> None:
        """Note that a worker is being started."""
        self._set(0, age)

    def note_ready(self, age: int) -> None:
        """Note that a worker serves."""
        self._set(1, max(age, self._get(1)))

    @property
    def is_starting(self) -> bool:
        """Whether the youngest worker does not serve yet."""
        return self._get(1) < self._get(0)

    def ask(self, pid: int) -> None:
        """Ask the main process to replace a worker."""
        self._set(2, pid)

    def take(self) -> int:
        """Return the worker that asks to be replaced, or 0."""
        pid = self._get(2)
        self._set(2, 0)
        return pid


succession = Succession()


class Supervision:
    """Looks after the workers as gunicorn's main process does every second, with more patience and foresight.

    The stock one ends workers that have not been heard of for the time-out, even when it stood still itself: a machine
    that is paused, or a container that is frozen, stops all of them. So after a pause the workers get the whole time
    again. And it starts a worker only after another has gone, where this one starts the successor first.
    """

    def __init__(self, arbiter: Any) -> None:
        self.arbiter = arbiter
        self.end_workers_that_hang = arbiter.murder_workers
        self.looked_at = self.patient_until = time.monotonic()

    def __call__(self) -> None:
        """Look at the workers."""
        now = time.monotonic()
        if now - self.looked_at > self.arbiter.timeout / 2:
            self.patient_until = now + self.arbiter.timeout
        self.looked_at = now
        if now >= self.patient_until:
            self.end_workers_that_hang()
        worker = self.arbiter.WORKERS.get(succession.take())
        if worker is not None and worker.age:
            worker.age = 0  # of one too many the oldest goes
            self.arbiter.spawn_worker()
