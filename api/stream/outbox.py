"""The one writer of a socket: a sender never waits for the other side."""

import fcntl
import select
import socket
import sys
import termios
import threading
from collections import deque
from typing import Any

# A listener with more than this waiting is too slow.
MAX_WAITING_MESSAGES = 1_000
MAX_WAITING_BYTES = 1_000_000
# With more than this on its way, a listener on a slow link gets no quotes, which later events would have to wait for.
MAX_UNACKNOWLEDGED_BYTES = 32_000
# A socket that takes nothing for this long, although data waits, is closed.
SEND_TIMEOUT_S = 5.0


class Outbox:
    """Writes whole messages, in order, and makes no sender wait for the other side.

    Data that the socket takes at once is written at once. A thread, which exists only while the socket is behind,
    writes the rest. The socket is non-blocking from here on: a reader has to wait until it is readable.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lock = threading.Lock()
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        self._is_writing = False
        self._is_last = False

    @property
    def is_behind(self) -> bool:
        """True if data waits to be written."""
        return bool(self._waiting)

    @property
    def is_unacknowledged(self) -> bool:
        """True if the other side has yet to acknowledge much of the written data."""
        return _unacknowledged(self._sock) > MAX_UNACKNOWLEDGED_BYTES

    @property
    def is_ended(self) -> bool:
        """True if the outbox takes no more data: a last message was pushed, or the socket was abandoned."""
        return self._is_last

    def push(self, data: bytes) -> bool:
        """Write data, now or later; return False if too much is waiting already."""
        with self._lock:
            if self._is_last:
                return True  # no data follows a close
            if len(self._waiting) >= MAX_WAITING_MESSAGES or self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                return False
            self._append(data)
            if self._is_writing:
                return True
            self._is_writing = True
        self._write_at_once()
        return True

    def push_last(self, data: bytes) -> None:
        """Write data after the message that is being written, in place of all data that waits."""
        with self._lock:
            if self._is_last:
                return
            self._is_last = True
            while len(self._waiting) > int(self._is_writing):
                self._waiting_bytes -= len(self._waiting.pop())
            self._append(data)
            if self._is_writing:
                return
            self._is_writing = True
        self._write_at_once()

    def _append(self, data: bytes) -> None:
        self._waiting.append(memoryview(data))
        self._waiting_bytes += len(data)

    def _write_at_once(self) -> None:
        if not self._write(patience_s=0):
            threading.Thread(target=self._write_patiently, name="outbox", daemon=True).start()

    def _write_patiently(self) -> None:
        if not self._write(patience_s=SEND_TIMEOUT_S):
            self.abandon()

    def _write(self, patience_s: float) -> bool:
        """Write the waiting data; return False if the socket takes nothing for patience_s seconds."""
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_writing = False
                    return True
                data = self._waiting[0]
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                if patience_s and can_write(self._sock, patience_s):
                    continue
                return False
            except OSError:  # closed, which its reader notices too
                self.abandon()
                return True
            with self._lock:
                self._waiting_bytes -= sent
                if self._waiting and self._waiting[0] is data:
                    if sent == len(data):
                        self._waiting.popleft()
                    else:
                        self._waiting[0] = data[sent:]

    def abandon(self) -> None:
        """Drop the waiting data and close the connection; the socket's reader wakes and ends."""
        with self._lock:
            self._is_last = True
            self._waiting.clear()
        shut_down(self._sock)


class OutboxSocket:
    """A socket that sends through an outbox, for a library that writes control frames by itself."""

    def __init__(self, sock: socket.socket, outbox: Outbox) -> None:
        self._sock = sock
        self._outbox = outbox

    def send(self, data: bytes) -> int:
        """Send a whole message."""
        self._outbox.push(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def can_write(sock: socket.socket, timeout_s: float) -> bool:
    """Return True if a socket takes data within timeout_s seconds."""
    return _ready(sock, select.POLLOUT, timeout_s)


def _unacknowledged(sock: socket.socket) -> int:
    """Return the bytes that the kernel holds for the other side; 0 where a system does not tell it (macOS)."""
    try:
        return int.from_bytes(fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # closed, too: its reader notices
        return 0


def _ready(sock: socket.socket, event: int, timeout_s: float) -> bool:
    descriptor = sock.fileno()
    if descriptor < 0:
        return True  # closed: the next use raises
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(timeout_s * 1000))


def shut_down(sock: socket.socket) -> None:
    """End a connection in both directions; a thread that waits for it wakes."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
