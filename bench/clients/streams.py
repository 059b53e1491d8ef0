"""Thousands of websocket listeners in one process, with plain sockets, one selector and frames built by hand."""

import functools
import json
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

HOST = "127.0.0.1"
AT_ONCE = 100  # open handshakes
PATIENCE_S = 30.0
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class StreamError(Exception):
    """A stream was refused or closed, or has a gap."""


class Listener:
    """One websocket and its received bytes."""

    __slots__ = ("buffer", "is_ready", "last_event_id", "socket")

    def __init__(self, port: int, token: str) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        self.buffer = b""
        self.last_event_id = 0
        self.is_ready = False
        self.socket.sendall(
            f"GET /api/trading/stream HTTP/1.1\r\nHost: {HOST}:{port}\r\nAuthorization: Bearer {token}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def receive(self) -> list[dict[str, Any]]:
        """Read the available bytes, answer pings, and return the complete messages."""
        data = self.socket.recv(65_536)
        if not data:
            raise StreamError("a stream ended without a close frame")
        self.buffer += data
        if self.last_event_id == 0 and not self._read_head():
            return []
        messages = []
        while (frame := self._next_frame()) is not None:
            opcode, payload = frame
            if opcode == TEXT:
                messages.append(json.loads(payload))
            elif opcode == PING:
                self.socket.sendall(bytes([0x80 | PONG, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
            elif opcode == CLOSE:
                raise StreamError(f"a stream was closed: {payload!r}")
        return messages

    def _read_head(self) -> bool:
        if not self.buffer.startswith(b"HTTP/"):
            return True
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if found and not head.startswith(b"HTTP/1.1 101"):
            raise StreamError(f"a stream was refused: {head!r} {rest!r}")
        if found:
            self.buffer = rest
        return bool(found)

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        self.buffer = buffer[start + length :]
        return buffer[0] & 0x0F, buffer[start : start + length]


@dataclass
class Receipt:
    """An event that reached a listener, with the time of its arrival (Unix time)."""

    event: dict[str, Any]
    received_at: float

    @property
    def delay_ms(self) -> float:
        """Return the milliseconds from the write of the event's row to its arrival; they include the commit."""
        return (self.received_at - unix_time(self.event["at"])) * 1000


@dataclass
class Crowd:
    """All listeners, served by one loop."""

    port: int
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    listeners: list[Listener] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)

    def join(self, tokens: list[str]) -> None:
        """Connect a listener for each token, and wait until each is ready."""
        for start in range(0, len(tokens), AT_ONCE):
            for token in tokens[start : start + AT_ONCE]:
                listener = Listener(self.port, token)
                self.listeners.append(listener)
                self.selector.register(listener.socket, selectors.EVENT_READ, listener)
            self.serve(PATIENCE_S, functools.partial(_are_ready, self.listeners[start:]))
        if not _are_ready(self.listeners):
            raise StreamError("not every listener became ready in time")

    def serve(self, seconds: float, is_done: Callable[[], bool] = lambda: False) -> None:
        """Receive for some seconds, or until is_done returns True."""
        end = time.monotonic() + seconds
        while not is_done() and (left := end - time.monotonic()) > 0:
            self.receive(min(left, 0.2))

    def receive(self, timeout_s: float) -> None:
        """Receive the available messages of all listeners."""
        for key, _ in self.selector.select(timeout_s):
            messages = key.data.receive()
            now = time.time()
            for message in messages:
                self._take(key.data, message, now)

    def leave(self) -> None:
        """Disconnect all listeners."""
        for listener in self.listeners:
            listener.socket.close()
        self.selector.close()
        self.selector, self.listeners = selectors.DefaultSelector(), []

    def _take(self, listener: Listener, message: dict[str, Any], now: float) -> None:
        if message["type"] == "ready":
            listener.last_event_id, listener.is_ready = message["lastEventId"], True
            return
        if message["id"] != listener.last_event_id + 1:
            raise StreamError(f"event {message['id']} came after {listener.last_event_id}")
        listener.last_event_id = message["id"]
        self.receipts.append(Receipt(message, now))


def _are_ready(listeners: list[Listener]) -> bool:
    return all(listener.is_ready for listener in listeners)


def unix_time(text: str) -> float:
    """Return a timestamp of the API as Unix time."""
    return datetime.fromisoformat(text).timestamp()
