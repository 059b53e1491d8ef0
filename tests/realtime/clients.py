"""Clients of the stream: a websocket, server-sent events, and one that writes its frames by hand."""

import base64
import contextlib
import json
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import requests
import websockets
from websockets.sync.client import ClientConnection, connect

HOST = "127.0.0.1"
PATH = "/api/trading/stream"
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
EVENT_STREAM = {"Accept": "text/event-stream"}
PATIENCE_S = 20.0


class Stream:
    """A listener over the library `websockets`."""

    def __init__(
        self, port: int, token: str | None = None, *, query: str = "", headers: dict[str, str] | None = None
    ) -> None:
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._connecting = connect(
            f"ws://{HOST}:{port}{PATH}{query}",
            additional_headers=authorization | (headers or {}),
            proxy=None,
            open_timeout=PATIENCE_S,
            close_timeout=2,
            max_queue=None,
        )
        self.socket = self._connecting.__enter__()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def authenticate(self, token: Any, **more: Any) -> None:
        """Send the first message."""
        self.socket.send(json.dumps({"action": "auth", "token": token, **more}))

    def next(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the next message; raise TimeoutError if none comes in time."""
        return json.loads(self.socket.recv(timeout=timeout_s))

    def ready(self) -> int:
        """Return the number of the last event in the first message."""
        message = self.next()
        assert message["type"] == "ready", message
        return message["lastEventId"]

    def wait_until_live(self) -> None:
        """Wait until the hub delivers events; the server answers no ping while it replays."""
        assert self.socket.ping().wait(PATIENCE_S), "no answer to a ping"

    def events(self, count: int, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Return a number of next messages, each within the time-out."""
        return [self.next(timeout_s) for _ in range(count)]

    def close_code(self, timeout_s: float = PATIENCE_S) -> int | None:
        """Read until the other side closes, and return its close code, or None without a close frame."""
        return close_code(self.socket, timeout_s)


def close_code(link: ClientConnection, timeout_s: float) -> int | None:
    """Read until the other side closes, and return its close code, or None without a close frame."""
    end = time.monotonic() + timeout_s
    try:
        while True:
            link.recv(timeout=max(0.0, end - time.monotonic()))
    except websockets.ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def ids(events: list[dict[str, Any]]) -> list[int]:
    """Return the events' numbers."""
    return [event["id"] for event in events]


def refusal(port: int, token: str | None = None, **options: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the problem document of a refused handshake."""
    try:
        Stream(port, token, **options)
    except websockets.InvalidStatus as refused:
        return refused.response.status_code, json.loads(refused.response.body or b"{}")
    raise AssertionError("the handshake was not refused")


class RawStream:
    """A listener that writes and reads its frames by hand, so that it can break the protocol."""

    def __init__(
        self,
        port: int,
        token: str | None = None,
        *,
        path: str = PATH,
        query: str = "",
        headers: dict[str, str | None] | None = None,
        receive_buffer: int | None = None,
    ) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect((HOST, port))
        self.buffer = b""
        authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self.socket.sendall(handshake(port, query, authorization | (headers or {}), path=path))
        self.status = self._read_head()

    def __enter__(self) -> "RawStream":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> None:
        """Send a frame."""
        self.socket.sendall(frame(opcode, payload, final=final, masked=masked))

    def authenticate(self, token: str, **more: Any) -> None:
        """Send the first message."""
        self.send(TEXT, json.dumps({"action": "auth", "token": token, **more}).encode())

    def next_frame(self, timeout_s: float = PATIENCE_S) -> tuple[int, bytes] | None:
        """Return the next frame's opcode and payload, or None at the end of the connection."""
        self.socket.settimeout(timeout_s)
        head = self._take(2)
        if head is None:
            return None
        length = head[1] & 0x7F
        if length >= 126:
            form, size = (">H", 2) if length == 126 else (">Q", 8)
            (length,) = struct.unpack(form, self._take(size) or b"")
        return head[0] & 0x0F, self._take(length) or b""

    def next(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Return the next message."""
        found = self.next_frame(timeout_s)
        assert found is not None, "the connection has ended"
        assert found[0] == TEXT, found
        return json.loads(found[1])

    def wait_until_live(self) -> None:
        """Read until the hub delivers events; the server answers no ping while it replays at the reader's pace."""
        self.send(PING, b"live?")
        while (found := self.next_frame()) != (PONG, b"live?"):
            assert found is not None, "the connection has ended"

    def close_code(self, timeout_s: float = PATIENCE_S) -> int | None:
        """Read to the end of the connection, and return the code of the close frame, or None without one."""
        code = None
        while found := self.next_frame(timeout_s):
            if found[0] == CLOSE:
                code = struct.unpack(">H", found[1][:2])[0] if found[1] else 1005
        return code

    def reset(self) -> None:
        """Break the connection off without a close frame."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _read_head(self) -> int:
        while b"\r\n\r\n" not in self.buffer:
            data = self.socket.recv(4096)
            if not data:
                raise ConnectionError("the connection ended in the handshake")
            self.buffer += data
        self.head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        return int(self.head.split(b" ", 2)[1])

    def _take(self, count: int) -> bytes | None:
        while len(self.buffer) < count:
            try:
                data = self.socket.recv(65_536)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


@contextlib.contextmanager
def answered_pings(stream: RawStream) -> Iterator[None]:
    """Answer a ping that may come, every second, for a listener that reads nothing, or so slowly that pings wait."""
    is_over = threading.Event()

    def answer() -> None:
        with contextlib.suppress(OSError):  # the server has closed the connection
            while not is_over.wait(1):
                stream.send(PONG, b"")

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def handshake(port: int, query: str, headers: dict[str, str | None], *, path: str = PATH) -> bytes:
    """Return the request of a handshake; a header with the value None is left out."""
    lines = {
        "Host": f"{HOST}:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
    } | headers
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"GET {path}{query} HTTP/1.1\r\n{text}\r\n".encode()


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True) -> bytes:
    """Return a client's frame."""
    head = bytes([opcode | (0x80 if final else 0)])
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head += bytes([mask_bit | len(payload)])
    elif len(payload) < 65_536:
        head += bytes([mask_bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([mask_bit | 127]) + struct.pack(">Q", len(payload))
    if not masked:
        return head + payload
    mask = os.urandom(4)
    return head + mask + bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class ServerSentEvents:
    """A listener over server-sent events."""

    def __init__(self, port: int, token: str, *, query: str = "", headers: dict[str, str] | None = None) -> None:
        self.answer = requests.get(
            f"http://{HOST}:{port}/api/trading/events{query}",
            headers=EVENT_STREAM | {"Authorization": f"Bearer {token}"} | (headers or {}),
            stream=True,
            timeout=(PATIENCE_S, 40),
        )
        assert self.answer.status_code == 200, self.answer.text
        self._lines = self.answer.iter_lines(chunk_size=1, decode_unicode=True)

    def __enter__(self) -> "ServerSentEvents":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answer.close()

    def blocks(self) -> Iterator[dict[str, Any]]:
        """Yield each block as its fields, a comment as the field `comment`, until the stream ends."""
        block: dict[str, Any] = {}
        with contextlib.suppress(requests.exceptions.ChunkedEncodingError):
            for line in self._lines:
                if not line:
                    if block:
                        yield block
                    block = {}
                    continue
                name, _, value = line.partition(": ")
                block[name or "comment"] = json.loads(value) if name == "data" else value

    def take(self, count: int) -> list[dict[str, Any]]:
        """Return a number of next blocks, without comments."""
        found: list[dict[str, Any]] = []
        for block in self.blocks():
            if "comment" not in block:
                found.append(block)
            if len(found) == count:
                break
        return found
