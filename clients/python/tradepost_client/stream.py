"""The stream of events and live quotes, for programs without asyncio."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Self

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from .course import BREAKS, Course
from .failures import StreamClosed
from .options import Options
from .problems import ServiceUnavailable
from .shapes.messages import Message


class Stream:
    """The events of an account in order, none missing and none twice, and the quotes of watched stocks.

    `with` connects; from then on no event is missed. A broken connection is made again, and continues after the last
    event. A Reset says that events are missing for good.
    """

    def __init__(
        self, options: Options, *, since: int | None, symbols: Iterable[str], give_up_after_s: float | None
    ) -> None:
        self._options = options
        self._course = Course(options, since=since, symbols=symbols, give_up_after_s=give_up_after_s)
        self._stack = ExitStack()
        self._connection: ClientConnection | None = None
        self._is_closed = threading.Event()

    @property
    def last_event_id(self) -> int | None:
        """The number of the last event that was received, or after which the stream began."""
        return self._course.last_event_id

    def __enter__(self) -> Self:
        self._connected(None)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        while True:
            try:
                yield self.receive()
            except StreamClosed:
                return

    def receive(self, timeout_s: float | None = None) -> Message:
        """Return the next message; raise TimeoutError if there is none within timeout_s seconds."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            connection = self._connected(end)
            try:
                text = connection.recv(_left(end))
                message = self._course.read(text)
            except (ConnectionClosed, ServiceUnavailable) as error:
                self._break(error, end)
            else:
                if message is not None:
                    return message

    def watch(self, *symbols: str) -> None:
        """Watch these stocks too, such as `NSE:RELIANCE`: their quotes are among the messages."""
        self._send(self._course.watch(symbols))

    def unwatch(self, *symbols: str) -> None:
        """Watch these stocks no longer."""
        self._send(self._course.unwatch(symbols))

    def close(self) -> None:
        """End the stream; a thread that waits for a message is woken."""
        self._is_closed.set()
        self._disconnect()

    def _send(self, text: str) -> None:
        if self._connection is not None:
            with suppress(ConnectionClosed):  # the next connection watches anew
                self._connection.send(text)

    def _connected(self, end: float | None) -> ClientConnection:
        """Return the connection, a new one if there is none."""
        if self._is_closed.is_set():
            raise StreamClosed
        while self._connection is None:
            try:
                self._connection = self._connect()
            except BREAKS as error:
                self._break(error, end)
        return self._connection

    def _connect(self) -> ClientConnection:
        connecting = connect(self._course.address, **self._course.for_websockets())
        connection: ClientConnection = self._stack.enter_context(connecting)
        self._course.read(connection.recv(self._options.timeout_s))  # "ready"
        if self._course.greeting is not None:
            connection.send(self._course.greeting)
        return connection

    def _disconnect(self) -> None:
        self._connection = None
        self._stack.close()

    def _break(self, error: Exception, end: float | None) -> None:
        """Leave a broken connection and pause before the next one."""
        self._disconnect()
        pause_s, left_s = (0.0 if self._is_closed.is_set() else self._course.pause_after(error)), _left(end)
        self._is_closed.wait(pause_s if left_s is None else min(pause_s, left_s))
        if self._is_closed.is_set():
            raise StreamClosed from error
        if left_s is not None and left_s <= pause_s:
            raise TimeoutError("the stream is broken") from error


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())
