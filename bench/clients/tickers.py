"""Hundreds of Kite's tickers in a process of their own: all packets are counted, some are read."""

import json
import os
import random
import selectors
import socket
import time
from multiprocessing.connection import Connection
from typing import Any

from bench.clients.streams import CLOSE, HOST, PATIENCE_S, PING, PONG, StreamError
from bench.clients.watchers import READ_EACH, Found, serve_crowd

BINARY = 0x2
AT_ONCE = 50  # open handshakes
PACKET_BYTES = 186  # in the mode full, with its length
VOLUME = slice(18, 22)  # of such a packet


def clock_ms() -> int:
    """Return the present in milliseconds as the volumes of quotes tell it: nine digits, and the first is not 0."""
    return 100_000_000 + int(time.time() * 1000) % 900_000_000


class TickerClient:
    """One ticker."""

    def __init__(self, port: int, token: str, *, reads: bool) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=PATIENCE_S)
        self.buffer = b""
        self.is_open = False
        self.reads = reads
        self.packets = 0
        self.socket.sendall(
            f"GET /kite/ticker?api_key=bench&access_token={token} HTTP/1.1\r\nHost: {HOST}:{port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def subscribe(self, tokens: list[int]) -> None:
        """Subscribe to instruments in the mode full."""
        payload = json.dumps({"a": "mode", "v": ["full", tokens]}).encode()
        mask = os.urandom(4)
        head = bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big")
        masked = bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))
        self.socket.sendall(head + mask + masked)

    def receive(self, found: Found) -> None:
        """Read the available bytes, answer pings, and note the complete frames."""
        data = self.socket.recv(262_144)
        if not data:
            raise StreamError("a ticker ended without a close frame")
        data = self.buffer + data
        start = 0
        if not self.is_open:
            head = data.find(b"\r\n\r\n")
            if not data.startswith(b"HTTP/1.1 101") and head >= 0:
                raise StreamError(f"a ticker was refused: {data!r}")
            self.is_open, start = head >= 0, head + 4 if head >= 0 else 0
        self.buffer = data[self._read(data, start, found) if self.is_open else 0 :]

    def _read(self, data: bytes, start: int, found: Found) -> int:
        """Note the frames from a place on, and return the place behind the last whole one."""
        end = len(data)
        while start + 2 <= end:
            length, body = data[start + 1], start + 2
            if length >= 126:
                body = start + (4 if length == 126 else 10)
                length = int.from_bytes(data[start + 2 : body], "big")
            if body + length > end:  # the length itself may be cut
                break
            self._note(data[start] & 0x0F, data[body : body + length], found)
            start = body + length
        return start

    def _note(self, opcode: int, payload: bytes, found: Found) -> None:
        if opcode == PING:
            self.socket.sendall(bytes([0x80 | PONG, 0x80 | len(payload), 0, 0, 0, 0]) + payload)
        elif opcode == CLOSE:
            raise StreamError(f"a ticker was closed: {payload!r}")
        elif opcode == BINARY and len(payload) > 1:
            number = int.from_bytes(payload[:2], "big")
            if len(payload) != 2 + number * PACKET_BYTES:
                raise StreamError("a frame has other packets than those of the mode full")
            self.packets += number
            found.ticks += number
            if self.reads:
                now = clock_ms()
                for place in range(2, len(payload), PACKET_BYTES):
                    sent = int.from_bytes(payload[place + VOLUME.start : place + VOLUME.stop], "big")
                    if sent:  # the first quotes have no volume
                        found.tick_delays_ms.append(now - sent)


class TickerCrowd:
    """All tickers, served by one loop, at the command of another process."""

    def __init__(self, port: int, seed: int = 1) -> None:
        self.port = port
        self.selector = selectors.DefaultSelector()
        self.tickers: list[TickerClient] = []
        self.found = Found()
        self.chance = random.Random(seed)

    def join(self, tokens: list[str]) -> None:
        """Connect a ticker for each access token, and wait until each is open."""
        for number, token in enumerate(tokens, 1):
            ticker = TickerClient(self.port, token, reads=number % READ_EACH == 0)
            self.tickers.append(ticker)
            self.selector.register(ticker.socket, selectors.EVENT_READ, ticker)
            if number % AT_ONCE == 0 or number == len(tokens):
                self._wait(self.tickers[-AT_ONCE:], packets=0)

    def subscribe(self, instruments: list[int], number: int) -> float:
        """Let each ticker subscribe to some instruments, and return the longest wait in ms for the last of them."""
        waits = []
        for start in range(0, len(self.tickers), AT_ONCE):
            some = self.tickers[start : start + AT_ONCE]
            for ticker in some:
                ticker.subscribe(self.chance.sample(instruments, number))
            waits.append(self._wait(some, packets=number))
        return max(waits)

    def alone(self, token: str, instruments: list[int]) -> float:
        """Return the ms from the subscription of one further ticker to its last first packet; then it leaves."""
        self.join([token])
        ticker = self.tickers[-1]
        ticker.subscribe(instruments)
        took_ms = self._wait([ticker], packets=len(instruments))
        self.selector.unregister(ticker.socket)
        ticker.socket.close()
        self.tickers.pop()
        return took_ms

    def _wait(self, tickers: list[TickerClient], *, packets: int) -> float:
        began = time.monotonic()
        while not all(ticker.is_open and ticker.packets >= packets for ticker in tickers):
            if time.monotonic() > began + PATIENCE_S:
                raise StreamError("not every ticker was answered in time")
            self.receive(0.2)
        return (time.monotonic() - began) * 1000

    def receive(self, timeout_s: float) -> None:
        """Receive the available frames of all tickers."""
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
    """Serve a crowd of tickers."""
    crowd: Any = TickerCrowd(port)
    serve_crowd(control, crowd)
