"""A fixed number of slots, handed out strictly in the order of the requests."""

import threading
from collections import deque


class Slots:
    """A limit on simultaneous use.

    A released slot goes directly to the longest waiting thread. A threading.Semaphore lets a newcomer take it first,
    and under load some thread then waits until the time-out.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._free = count
        self._waits = 0
        self._waiting: deque[threading.Lock] = deque()

    @property
    def in_use(self) -> int:
        """Return the number of slots in use."""
        return self.count - self._free

    @property
    def waiting(self) -> int:
        """Return the number of threads that wait for a slot."""
        return len(self._waiting)

    def take_waits(self) -> int:
        """Return the number of waits since the last call."""
        if not self._waits:
            return 0
        with self._lock:
            waits, self._waits = self._waits, 0
            return waits

    def acquire(self, timeout_s: float) -> bool:
        """Take a slot; return False if none becomes free within the time."""
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
        return True  # it was handed over at the last moment

    def release(self) -> None:
        """Release a slot."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1
