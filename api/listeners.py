"""Listeners of an account: how a message reaches one without ever waiting for it."""

import functools
import queue
import select
import socket
import threading
import time
from collections import deque
from typing import Any, NamedTuple
from uuid import UUID

from wsproto.frame_protocol import FrameProtocol

# A listener that is this far behind does not keep up.
MAX_WAITING_MESSAGES = 1_000
MAX_WAITING_BYTES = 1_000_000
# A socket that takes nothing for this long, while there is something for it, is given up.
SEND_TIMEOUT_S = 5.0
# The kernel would let megabytes wait for a listener that does not read.
SEND_BUFFER_BYTES = 128 * 1024
AUTHENTICATION_S = 5.0
# How long the other side has to answer a close.
CLOSING_S = 2.0


class Ending(NamedTuple):
    """Why a stream ends: a websocket close code and its reason."""

    code: int
    reason: str


EXPIRED = Ending(4401, "the token is missing, bad, expired or revoked")
TOO_SLOW = Ending(4408, "too slow; resume with since")
RESTARTING = Ending(1012, "restarting; resume with since")


class Message:
    """An event, or a word about the stream, ready to be sent.

    A websocket's frame and an SSE block are made once for all listeners.
    """

    def __init__(self, event_id: int | None, event_type: str, text: str) -> None:
        self.event_id = event_id
        self.event_type = event_type
        self.text = text

    @functools.cached_property
    def frame(self) -> bytes:
        """The websocket frame."""
        return text_frame(self.text)

    @functools.cached_property
    def block(self) -> str:
        """The server-sent event."""
        head = "" if self.event_id is None else f"id: {self.event_id}\n"
        return f"{head}event: {self.event_type}\ndata: {self.text}\n\n"


def text_frame(text: str) -> bytes:
    """Return a server's uncompressed websocket text frame."""
    return bytes(FrameProtocol(client=False, extensions=[]).send_data(text, fin=True))


def close_frame(ending: Ending) -> bytes:
    """Return a server's websocket close frame."""
    return bytes(FrameProtocol(client=False, extensions=[]).close(ending.code, ending.reason))


class Listener:
    """Somebody who is told an account's events; the hub sets and reads its fields under its lock."""

    def __init__(self, account_id: UUID | None, token_id: UUID | None) -> None:
        self.account_id = account_id
        self.token_id = token_id
        self.is_live = False
        self.last_event_id = 0

    def deliver(self, message: Message) -> None:
        """Take a message for later; never waits."""
        raise NotImplementedError

    def close(self, ending: Ending) -> None:
        """End the stream soon; never waits."""
        raise NotImplementedError

    def tick(self) -> None:
        """Look at what is due; called about once a second."""


class QueueListener(Listener):
    """A listener whose messages are taken from a queue, as SSE and waiting requests do."""

    def __init__(self, account_id: UUID, token_id: UUID | None) -> None:
        super().__init__(account_id, token_id)
        self.queue: queue.Queue[Message | None] = queue.Queue(MAX_WAITING_MESSAGES)
        self.ending: Ending | None = None

    def deliver(self, message: Message) -> None:
        """Put the message into the queue, or end the stream when it is full."""
        try:
            self.queue.put_nowait(message)
        except queue.Full:
            self.close(TOO_SLOW)

    def close(self, ending: Ending) -> None:
        """Let the one who takes from the queue know."""
        self.ending = ending
        try:
            self.queue.put_nowait(None)
        except queue.Full:  # it will see the ending after its next message
            pass

    def take(self, timeout_s: float) -> Message | None:
        """Return the next message, or None when there is none in time or the stream has ended."""
        try:
            return None if self.ending else self.queue.get(timeout=timeout_s)
        except queue.Empty:
            return None


class Outbox:
    """The one writer of a socket: whole messages, in order, without anybody waiting for the other side.

    What the socket takes at once is written at once; the rest is left to a thread that exists only
    while the socket is behind. The socket does not block from here on: who reads from it waits first.
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
        """Whether something waits to be written."""
        return bool(self._waiting)

    @property
    def is_ended(self) -> bool:
        """Whether nothing more will be written: there was a last message, or the socket was given up."""
        return self._is_last

    def push(self, data: bytes) -> bool:
        """Have data written; False when too much is waiting already."""
        with self._lock:
            if self._is_last:
                return True  # nothing follows a close
            if len(self._waiting) >= MAX_WAITING_MESSAGES or self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                return False
            self._append(data)
            if self._is_writing:
                return True
            self._is_writing = True
        self._write_at_once()
        return True

    def push_last(self, data: bytes) -> None:
        """Have data written after the message that is being written, in place of all that waits."""
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
        """Write what waits; False when the socket takes no more within the patience."""
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
            except OSError:  # gone, which its reader notices too
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
        """Give the socket up; its reader wakes and ends."""
        with self._lock:
            self._is_last = True
            self._waiting.clear()
        shut_down(self._sock)


class OutboxSocket:
    """A socket whose sends go through an outbox, for a library that writes control frames by itself."""

    def __init__(self, sock: socket.socket, outbox: Outbox) -> None:
        self._sock = sock
        self._outbox = outbox

    def send(self, data: bytes) -> int:
        """Send the whole of a message."""
        self._outbox.push(data)
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def can_write(sock: socket.socket, timeout_s: float) -> bool:
    """Tell whether a socket takes something within a time."""
    return _ready(sock, select.POLLOUT, timeout_s)


def _ready(sock: socket.socket, event: int, timeout_s: float) -> bool:
    descriptor = sock.fileno()
    if descriptor < 0:
        return True  # closed: the next use says so
    poller = select.poll()
    poller.register(descriptor, event)
    return bool(poller.poll(timeout_s * 1000))


def shut_down(sock: socket.socket) -> None:
    """End a connection in both directions; whoever waits for it wakes."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def deadline_in(seconds: float) -> float:
    """Return a moment of the monotonic clock."""
    return time.monotonic() + seconds
