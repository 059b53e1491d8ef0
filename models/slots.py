"""A fixed number of slots, handed out strictly in the order of asking."""

import threading
from collections import deque


class Slots:
    """Counts what may be in use at once.

    A slot that is given back goes straight to the one who has waited longest. The pool's own
    condition lets a newcomer take it first, and under load somebody then waits until the time-out.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._free = count
        self._waits = 0
        self._waiting: deque[threading.Lock] = deque()

    @property
    def in_use(self) -> int:
        """How many are handed out."""
        return self.count - self._free

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def take_waits(self) -> int:
        """Return how often somebody has had to wait since the last time that this was asked."""
        with self._lock:
            waits, self._waits = self._waits, 0
            return waits

    def acquire(self, timeout_s: float) -> bool:
        """Take a slot; False when there is none within the time."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
            self._waits += 1
        if gate.acquire(timeout=timeout_s):
            return True
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return False
        return True  # it was handed over in the last moment

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
