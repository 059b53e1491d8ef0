"""A client of Kite's ticker that reads packets by their places, as Kite Connect 3 describes them."""

import json
import time
from types import TracebackType
from typing import Any

import websockets
from websockets.sync.client import connect

from tests.realtime.clients import HOST, PATIENCE_S, close_code

MODES = {8: "ltp", 28: "quote", 32: "full", 44: "quote", 184: "full"}


class Ticker:
    """A connection to the ticker."""

    def __init__(self, port: int, token: str, *, path: str = "/kite/ticker", query: str = "", **options: Any) -> None:
        self._connecting = connect(
            f"ws://{HOST}:{port}{path}?api_key=any&access_token={token}{query}",
            proxy=None,
            open_timeout=PATIENCE_S,
            close_timeout=2,
            max_queue=None,
            compression=None,
            max_size=None,
            **options,
        )
        self.socket = self._connecting.__enter__()

    def __enter__(self) -> "Ticker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, action: str, value: Any) -> None:
        """Send a message."""
        self.socket.send(json.dumps({"a": action, "v": value}))

    def next(self, timeout_s: float = PATIENCE_S) -> Any:
        """Return the next message: the packets of a frame, or the object of a text; heartbeats are left out."""
        end = time.monotonic() + timeout_s
        while True:
            message = self.socket.recv(timeout=max(0.0, end - time.monotonic()))
            if isinstance(message, str):
                return json.loads(message)
            if len(message) > 1:
                return packets(message)

    def ticks(self, timeout_s: float = PATIENCE_S) -> list[dict[str, Any]]:
        """Return the packets of the next frame that has any."""
        end = time.monotonic() + timeout_s
        while True:
            message = self.next(end - time.monotonic())
            if isinstance(message, list):
                return message

    def tick(self, token: int, *, mode: str | None = None, price: float | None = None) -> dict[str, Any]:
        """Return the next packet of an instrument, in this mode and with this price if they are given."""
        while True:
            for tick in self.ticks():
                if tick["token"] == token and mode in (None, tick["mode"]) and price in (None, tick["price"]):
                    return tick

    def text(self, kind: str, timeout_s: float = PATIENCE_S) -> Any:
        """Return the data of the next text of a type."""
        end = time.monotonic() + timeout_s
        while True:
            message = self.next(end - time.monotonic())
            if isinstance(message, dict) and message["type"] == kind:
                return message["data"]

    def close_code(self, timeout_s: float = PATIENCE_S) -> int | None:
        """Read until the other side closes, and return its close code."""
        return close_code(self.socket, timeout_s)


def packets(frame: bytes) -> list[dict[str, Any]]:
    """Return the packets of a binary frame, which must end with the last of them."""
    number, place, found = int.from_bytes(frame[:2], "big"), 2, []
    for _ in range(number):
        length = int.from_bytes(frame[place : place + 2], "big")
        packet = frame[place + 2 : place + 2 + length]
        found.append(
            {
                "token": int.from_bytes(packet[:4], "big"),
                "price": int.from_bytes(packet[4:8], "big") / 100,
                "mode": MODES[len(packet)],
                "packet": packet,
            }
        )
        place += 2 + length
    assert place == len(frame)
    return found


def refused_ticker(port: int, token: str, **options: Any) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of a refused handshake."""
    try:
        Ticker(port, token, **options)
    except websockets.InvalidStatus as refused:
        response = refused.response
    else:
        raise AssertionError("the handshake was not refused")
    assert response.headers["Content-Type"] == "application/json"
    return response.status_code, json.loads(response.body or b"{}")
