"""A pool of connections: who asks is given the first that is free, be it a new one or one that comes back."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import psycopg2
import psycopg2.extensions

from models.connections import Connection, outcome_of

# A process that has just started opens its connections a few at a time.
CONNECTS_AT_ONCE = 4
# After a failed connect the next one is made this much later, by one alone; twice as much each time.
MIN_PAUSE_S = 0.1
MAX_PAUSE_S = 1.0
# A server that stays read-only says so to each statement: the pool is renewed once in this time.
RENEWAL_S = 1.0
# What has not been used for so long is given back to the server, where another process may need it.
IDLE_S = 60.0

IDLE = psycopg2.extensions.TRANSACTION_STATUS_IDLE


class Waiter:
    """One who waits for a connection."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.gate.acquire()
        self.connection: Connection | None = None
        self.error: str | None = None


class Pool:
    """At most so many connections of a process, lent strictly in the order of asking.

    Connects are made in threads of their own and outside of the lock: a slow one holds nobody up who
    could have a connection that is given back. While any connection is open, a failed connect is nobody's
    error. While none is, it is everybody's who waits, and at once, unless the server is only full.
    """

    def __init__(self, connect: Callable[[], Connection], size: int) -> None:
        self.allowed = size
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._waiting: deque[Waiter] = deque()
        self._in_use = 0
        self._connecting = 0
        self._generation = 0
        self._renewed_at = float("-inf")
        self._failure: str | None = None
        self._pause_s = 0.0
        self._retry_at = 0.0
        self._waits = 0
        self._outcomes: Counter[str] = Counter()

    @property
    def in_use(self) -> int:
        """How many connections are lent."""
        return self._in_use

    @property
    def open(self) -> int:
        """How many connections are open."""
        return self._in_use + len(self._idle)

    @property
    def waiting(self) -> int:
        """How many wait for a connection."""
        return len(self._waiting)

    def take_counts(self) -> tuple[int, dict[str, int]]:
        """Return how often somebody has had to wait, and how connects ended, since this was last asked."""
        with self._lock:
            waits, self._waits = self._waits, 0
            outcomes, self._outcomes = self._outcomes, Counter()
            return waits, dict(outcomes)

    def take(self, timeout_s: float) -> Connection:
        """Return a connection; raise psycopg2.OperationalError saying why there is none within the time."""
        waiter = Waiter()
        while (connection := self._take_idle_or_queue(waiter)) is not None:
            if not connection.has_ended:
                return connection
            connection.close()
            self.give_back(connection)
        try:
            waiter.gate.acquire(timeout=timeout_s)
        except BaseException:  # of a thread that is being stopped
            self._leave(waiter)
            if waiter.connection is not None:
                self.give_back(waiter.connection)
            raise
        self._leave(waiter)
        if waiter.connection is None:
            raise psycopg2.OperationalError(waiter.error or "no connection became free in time")
        return waiter.connection

    def give_back(self, connection: Connection) -> None:
        """Take a connection back: for the next one, or to close it when it is of no more use."""
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
        """Let go of every connection that is open now: of a lent one when it comes back."""
        with self._lock:
            if time.monotonic() - self._renewed_at < RENEWAL_S:
                return
            self._renewed_at = time.monotonic()
            self._generation += 1
        self.close_idle()

    def close_idle(self) -> None:
        """Close what is not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take_idle_or_queue(self, waiter: Waiter) -> Connection | None:
        with self._lock:
            if self._idle:
                self._in_use += 1
                return self._idle.pop()  # the one used last, so that those beyond the need grow old
            if self._is_away():
                waiter.error = self._failure
                waiter.gate.release()
                return None
            self._waits += 1
            self._waiting.append(waiter)
            self._connect_more()
            return None

    def _leave(self, waiter: Waiter) -> None:
        with self._lock:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _is_usable(self, connection: Connection) -> bool:
        is_current = not connection.closed and connection.generation == self._generation
        return is_current and connection.get_transaction_status() == IDLE

    def _is_away(self) -> bool:
        """Tell whether there is no connection and, for the moment, none to be had."""
        if self._failure is None or self.open or self._connecting or time.monotonic() >= self._retry_at:
            return False
        return outcome_of(self._failure) != "full"

    def _offer(self, connection: Connection) -> None:
        """Give a connection to the one who has waited longest."""
        if not self._waiting:
            self._idle.append(connection)
            return
        self._in_use += 1
        waiter = self._waiting.popleft()
        waiter.connection = connection
        waiter.gate.release()

    def _connect_more(self) -> None:
        """Begin to connect for those who wait, as far as it may be."""
        if time.monotonic() < self._retry_at:
            return
        at_once = min(len(self._waiting), CONNECTS_AT_ONCE if self._failure is None else 1)
        while self._connecting < at_once and self.open + self._connecting < self.allowed:
            threading.Thread(target=self._make, args=(self._generation,), name="connect", daemon=True).start()
            self._connecting += 1

    def _make(self, generation: int) -> None:
        """Make one connection; after a failure see to the next try."""
        connection, failure = None, "the connect was broken off"
        try:
            connection = self._connect()
        except (psycopg2.Error, OSError, ValueError) as error:
            failure = str(error)
        finally:
            with self._lock:
                self._connecting -= 1
                self._outcomes["made" if connection is not None else outcome_of(failure)] += 1
                pause_s = self._fail(failure) if connection is None else self._succeed(connection, generation)
        if pause_s:
            time.sleep(pause_s)
            with self._lock:
                self._connect_more()

    def _succeed(self, connection: Connection, generation: int) -> float:
        self._failure, self._pause_s, self._retry_at = None, 0.0, 0.0
        connection.generation, connection.used_at = generation, time.monotonic()
        if self._is_usable(connection):
            self._offer(connection)
        else:
            connection.close()
        self._connect_more()
        return 0.0

    def _fail(self, failure: str) -> float:
        """Note a failure, and return how long to leave the server alone."""
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
