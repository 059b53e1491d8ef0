"""A pool of connections, which serves requests in their order with returned and with new connections."""

import _thread
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import psycopg2
import psycopg2.extensions

from models.connections import Connection, outcome_of

# A new process opens its connections a few at a time.
CONNECTS_AT_ONCE = 4
# After a failed connect the pool pauses, then makes one connect at a time; each pause is twice as long as the last.
MIN_PAUSE_S = 0.1
MAX_PAUSE_S = 1.0
# A read-only server fails each statement: the pool is renewed at most once in this time.
RENEWAL_S = 1.0
# A connection that is idle for this long is closed, since another process may need its place on the server.
IDLE_S = 60.0
# A connect that has not ended after this time never will; it ends within its own time limits.
LOST_S = 15.0

# The generation of a connection that is closed when it comes back.
OUTDATED = -1
IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE


class Waiter:
    """A thread that waits for a connection."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.connection: Connection | None = None
        self.error: str | None = None


class Pool:
    """At most `size` connections of a process, lent strictly in the order of the requests.

    Connects run in threads of their own and outside of the lock, so a slow connect does not delay a waiter that could
    have a returned connection. While any connection is open, a failed connect fails no waiter. While none is open, it
    fails all waiters at once, unless the server is only full.
    """

    def __init__(self, connect: Callable[[], Connection], size: int) -> None:
        self.size = self.allowed = size
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._waiting: deque[Waiter] = deque()
        self._in_use = 0
        self._connecting: dict[object, float] = {}  # the connects that run, and when each began
        self._generation = 0
        self._renewed_at = float("-inf")
        self._failure: str | None = None
        self._pause_s = 0.0
        self._retry_at = 0.0
        self._waits = 0
        self._outcomes: Counter[str] = Counter()

    @property
    def in_use(self) -> int:
        """Return the number of lent connections."""
        return self._in_use

    @property
    def open(self) -> int:
        """Return the number of open connections, lent or idle."""
        return self._in_use + len(self._idle)

    @property
    def waiting(self) -> int:
        """Return the number of threads that wait for a connection."""
        return len(self._waiting)

    def take_counts(self) -> tuple[int, dict[str, int]]:
        """Return the number of waits and the number of connects by outcome since the last call."""
        with self._lock:
            waits, self._waits = self._waits, 0
            outcomes, self._outcomes = self._outcomes, Counter()
            return waits, dict(outcomes)

    def take(self, timeout_s: float) -> Connection:
        """Return a connection; raise psycopg2.OperationalError with the reason if there is none within the time."""
        while not isinstance(found := self._take_idle_or_queue(), Waiter):
            if not found.has_ended:
                return found
            found.close()
            self.give_back(found)
        return self._wait(found, timeout_s)

    def _wait(self, waiter: Waiter, timeout_s: float) -> Connection:
        try:
            waiter.gate.acquire(timeout=timeout_s)
        except BaseException:  # the thread is being stopped
            self._leave(waiter)
            if waiter.connection is not None:
                self.give_back(waiter.connection)
            raise
        self._leave(waiter)
        if waiter.connection is None:
            raise psycopg2.OperationalError(waiter.error or "no connection became free in time")
        return waiter.connection

    def give_back(self, connection: Connection) -> None:
        """Take a connection back: lend it to the next waiter, keep it, or close it if it cannot be used again."""
        surplus = []
        with self._lock:
            self._in_use -= 1
            connection.used_at = time.monotonic()
            if self._is_usable(connection):
                self._offer(connection)
            else:
                surplus.append(connection)
                self._connect_more()
            if self._idle and self._idle[0].used_at < connection.used_at - IDLE_S:
                surplus.append(self._idle.pop(0))
        for connection in surplus:
            connection.close()

    def renew(self) -> None:
        """Replace all open connections: close the idle ones now, and the lent ones when they come back."""
        with self._lock:
            if time.monotonic() - self._renewed_at < RENEWAL_S:
                return
            self._renewed_at = time.monotonic()
        self.retire()

    def retire(self) -> None:
        """Close the idle connections now, and the lent ones when they come back."""
        with self._lock:
            self._generation += 1
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take_idle_or_queue(self) -> Connection | Waiter:
        with self._lock:
            if self._idle:
                self._in_use += 1
                return self._idle.pop()  # the one used last, so that surplus ones stay idle and are closed
            waiter = Waiter()
            if self._is_away():
                waiter.error = self._failure
                waiter.gate.release()
                return waiter
            self._waits += 1
            self._waiting.append(waiter)
            self._connect_more()
            return waiter

    def _leave(self, waiter: Waiter) -> None:
        with self._lock:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _is_usable(self, connection: Connection) -> bool:
        is_current = not connection.closed and connection.generation == self._generation and not connection.is_replaced
        return is_current and connection.get_transaction_status() == IDLE

    def _is_away(self) -> bool:
        """Return True if nothing is open and the pool pauses after a failed connect, unless the server is only full."""
        if self._failure is None or self.open or self._connecting or time.monotonic() >= self._retry_at:
            return False
        return outcome_of(self._failure) != "full"

    def _offer(self, connection: Connection) -> None:
        """Lend a connection to the longest waiting thread, or keep it idle."""
        if not self._waiting:
            self._idle.append(connection)
            return
        self._in_use += 1
        waiter = self._waiting.popleft()
        waiter.connection = connection
        waiter.gate.release()

    def _connect_more(self) -> None:
        """Start connects for the waiting threads, within the limits."""
        now = time.monotonic()
        if now < self._retry_at:
            return
        self._connecting = {connect: at for connect, at in self._connecting.items() if now < at + LOST_S}
        at_once = min(len(self._waiting), CONNECTS_AT_ONCE if self._failure is None else 1)
        while len(self._connecting) < at_once and self.open + len(self._connecting) < self.allowed:
            connect = object()
            self._connecting[connect] = now
            # No Thread, whose start waits: Python 3.11 throws a time limit of this thread into one that it has just
            # made. The new one would be lost, and this one would wait for it for ever, with the lock.
            _thread.start_new_thread(self._make, (connect, self._generation))

    def _make(self, connect: object, generation: int) -> None:
        """Make one connection; after a failure pause and start the next connect."""
        connection, failure = None, "the connect was interrupted"
        try:
            connection = self._connect()
        except (psycopg2.Error, OSError, ValueError) as error:
            failure = str(error)
        finally:
            with self._lock:
                self._connecting.pop(connect, None)
                self._outcomes["made" if connection is not None else outcome_of(failure)] += 1
                pause_s = self._fail(failure) if connection is None else self._succeed(connection, generation)
        if pause_s:
            time.sleep(pause_s)
            with self._lock:
                self._connect_more()

    def _succeed(self, connection: Connection, generation: int) -> float:
        self._failure, self._pause_s, self._retry_at = None, 0.0, 0.0
        connection.generation, connection.used_at, connection.pool = generation, time.monotonic(), self
        if self._is_usable(connection):
            self._offer(connection)
        else:
            connection.close()
        self._connect_more()
        return 0.0

    def _fail(self, failure: str) -> float:
        """Record a failure and return the pause before the next connect, in seconds."""
        now = time.monotonic()
        if now >= self._retry_at:
            self._pause_s = min(max(2 * self._pause_s, MIN_PAUSE_S), MAX_PAUSE_S)
            self._retry_at = now + self._pause_s
        self._failure = failure
        while self._waiting and self._is_away():
            waiter = self._waiting.popleft()
            waiter.error = failure
            waiter.gate.release()
        return self._retry_at - now
