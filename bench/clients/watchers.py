"""Thousands of listeners that watch stocks, in a process of their own: all quotes are counted, some are read."""

import json
import random
import selectors
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import urlencode

from bench.clients.streams import CLOSE, HOST, PATIENCE_S, PING, PONG, TEXT, StreamError, unix_time

AT_ONCE = 50  # open handshakes
READ_EACH = 10  # of this many listeners one reads its messages, and the others count them
QUOTE = b'{"type":"quote"'


@dataclass
class Found:
    """The ticks and events of a measurement: their number at all listeners, and the delays at those that read them."""

    ticks: int = 0
    tick_delays_ms: list[float] = field(default_factory=list)
    event_delays_ms: list[float] = field(default_factory=list)
    cpu_s: float = 0.0


class WatchingListener:
    """One websocket that watches stocks."""

    def __init__(self, port: int, token: str, keys: list[str], *, reads: bool) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        self.buffer = b""
        self.is_open = self.is_watching = False
        self.reads = reads
        self.socket.sendall(
            f"GET /api/trading/stream?{urlencode({'symbols': ','.join(keys)})} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
            f"Authorization: Bearer {token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def receive(self, found: Found) -> None:
        """Read the available bytes, answer pings, and note the complete messages."""
        data = self.socket.recv(262_144)
        if not data:
            raise StreamError("a stream ended without a close frame")
        data = self.buffer + data
        start = 0
        if not self.is_open:
            head = data.find(b"\r\n\r\n")
            if not data.startswith(b"HTTP/1.1 101") and head >= 0:
                raise StreamError(f"a stream was refused: {data!r}")
            self.is_open, start = head >= 0, head + 4 if head >= 0 else 0
        self.buffer = data[self._read(data, start, found) if self.is_open else 0 :]

    def _read(self, data: bytes, start: int, found: Found) -> int:
        """Note the messages from a place on, and return the place behind the last whole one."""
        end = len(data)
        while start + 4 <= end:
            length, body = data[start + 1], start + 2
            if length >= 126:
                body = start + (4 if length == 126 else 10)
                length = int.from_bytes(data[start + 2 : body], "big")
            if body + length > end:
                break
            self._note(data[start] & 0x0F, data, body, body + length, found)
            start = body + length
        return start

    def _note(self, opcode: int, data: bytes, start: int, end: int, found: Found) -> None:
        if opcode == PING:
            self.socket.sendall(bytes([0x80 | PONG, 0x80 | (end - start), 0, 0, 0, 0]) + data[start:end])
        elif opcode == CLOSE:
            raise StreamError(f"a stream was closed: {data[start:end]!r}")
        elif opcode == TEXT and data.startswith(QUOTE, start):
            found.ticks += 1
            if self.reads:
                quoted_at = json.loads(data[start:end])["data"]["quotedAt"]
                found.tick_delays_ms.append((time.time() - unix_time(quoted_at)) * 1000)
        elif opcode == TEXT:
            message = json.loads(data[start:end])
            self.is_watching = self.is_watching or message["type"] == "watching"
            if "at" in message:
                found.event_delays_ms.append((time.time() - unix_time(message["at"])) * 1000)


class WatchingCrowd:
    """All listeners, served by one loop, at the command of another process."""

    def __init__(self, port: int, seed: int = 1) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.listeners: list[WatchingListener] = []
        self.found = Found()
        self.chance = random.Random(seed)

    def join(self, tokens: list[str], keys: list[str], watched: int) -> None:
        """Connect a listener for each token, which watches some of the stocks, and wait until each is answered."""
        for number, token in enumerate(tokens, 1):
            chosen = self.chance.sample(keys, watched)
            listener = WatchingListener(self.port, token, chosen, reads=number % READ_EACH == 0)
            self.listeners.append(listener)
            self.selector.register(listener.socket, selectors.EVENT_READ, listener)
            if number % AT_ONCE == 0 or number == len(tokens):
                self._wait_for_answers()

    def _wait_for_answers(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while not all(listener.is_watching for listener in self.listeners[-AT_ONCE:]):
            if time.monotonic() > end:
                raise StreamError("not every listener was answered in time")
            self.receive(0.2)

    def receive(self, timeout_s: float) -> None:
        """Receive the available messages of all listeners."""
        for key, _ in self.selector.select(timeout_s):
            key.data.receive(self.found)

    def measure(self, seconds: float) -> Found:
        """Receive for some seconds, and return the findings."""
        self.found, cpu_s = Found(), time.process_time()
        end = time.monotonic() + seconds
        while (left_s := end - time.monotonic()) > 0:
            self.receive(left_s)
        self.found.cpu_s = time.process_time() - cpu_s
        return self.found


def serve(control: Connection, port: int) -> None:
    """Serve a crowd of listeners that watch."""
    serve_crowd(control, WatchingCrowd(port))


def serve_crowd(control: Connection, crowd: Any) -> None:
    """Do what each command of the other process says, and answer it, until the other process ends."""
    try:
        while True:
            while not control.poll(0):
                crowd.receive(0.01)
            command, arguments = control.recv()
            answer: Any = getattr(crowd, command)(*arguments)
            control.send(answer)
    except (EOFError, BrokenPipeError):
        return
    except StreamError as error:
        control.send(error)
