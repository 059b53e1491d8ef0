"""A listener over a websocket: its handler's thread reads, and any thread that has a message writes."""

import select
import selectors
import socket
import time
from collections.abc import Callable
from typing import Any

from simple_websocket import ConnectionClosed, Server

from runtime.logs import get_logger

from .hub import Hub
from .listeners import TOO_SLOW, Ending, Listener, close_frame
from .outbox import Outbox, OutboxSocket, shut_down

FAILED = Ending(1011, "something went wrong here", "An unexpected failure of the server.")
UNAVAILABLE = Ending(1013, "try again later", "The database cannot be reached.")
# The time that the other side has to answer a close.
CLOSING_S = 2.0
# By default the kernel would buffer megabytes for a listener that does not read.
SEND_BUFFER_BYTES = 128 * 1024

logger = get_logger(__name__)


class OwnThread:
    """Replaces the thread that the websocket library would start: the handler runs the loop itself.

    One thread (or greenlet) per listener takes half the memory of two.
    """

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = ""
        self.run = target

    def start(self) -> None:
        """Start nothing."""


class SocketSelector:
    """Waits for one socket without a descriptor of its own, under threads and gevent alike."""

    def register(self, sock: Any, *_: Any) -> None:
        """Remember the socket."""
        self._sock = sock

    def select(self, timeout_s: float) -> bool:
        """Return True if the socket becomes readable within timeout_s seconds."""
        poller = select.poll()
        poller.register(self._sock.fileno(), selectors.EVENT_READ)
        return bool(poller.poll(timeout_s * 1000))

    def close(self) -> None:
        """Close nothing."""


class MessageHook:
    """Replaces the event that the library sets when a message has come or the connection is closed."""

    def __init__(self) -> None:
        self.call: Callable[[], None] = lambda: None

    def set(self) -> None:
        """Call the function that waits for the event."""
        self.call()


class SocketListener(Listener):
    """One websocket; its door says how it begins, what its messages do, and how events are written."""

    def __init__(self, hub: Hub, websocket: Server) -> None:
        super().__init__(None, None)
        self._hub = hub
        self._websocket = websocket
        self._sock = websocket.sock
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._outbox = Outbox(self._sock)
        websocket.sock = OutboxSocket(self._sock, self._outbox)
        websocket.event.call = self._on_messages
        self._end_at: float | None = None

    def serve(self, begin: Callable[[], None]) -> None:
        """Serve the socket from `begin` on until it ends."""
        self._hub.add(self)
        try:
            begin()
            self._websocket.thread.run()
        except ConnectionClosed:
            pass
        except Exception:  # after the handshake no HTTP response may follow on this socket
            logger.exception("stream_failed")
            self.close(FAILED)
        finally:
            self._hub.remove(self)
            self.leave()

    def leave(self) -> None:
        """Forget all that belongs to the socket, which has ended."""

    def close(self, ending: Ending) -> None:
        """Send a close frame after the message that is being written, and leave the other side CLOSING_S to answer."""
        if self._end_at is None:
            self._end_at = time.monotonic() + CLOSING_S
            self.is_live = False
            self._outbox.push_last(close_frame(ending))

    def tick(self) -> None:
        """Close the connection if the answer to the close is overdue."""
        if self._end_at is not None and time.monotonic() > self._end_at and not self._outbox.is_behind:
            shut_down(self._sock)

    def write(self, frames: bytes) -> None:
        """Write whole frames; end the stream if the listener is too slow."""
        if not self._outbox.push(frames):
            self.close(TOO_SLOW)

    def take_message(self, message: str | bytes) -> None:
        """Do as a message of the other side says."""
        raise NotImplementedError

    def _on_messages(self) -> None:
        messages, self._websocket.input_buffer = self._websocket.input_buffer, []
        for message in messages:
            if self._end_at is not None:
                return
            self.take_message(message)
