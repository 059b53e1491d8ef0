"""The stream of events and live quotes, for programs with asyncio."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, suppress
from typing import Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from .course import BREAKS, Course
from .failures import StreamClosed
from .options import Options
from .problems import ServiceUnavailable
from .shapes.messages import Message


class AsyncStream:
    """The events of an account in order, none missing and none twice, and the quotes of watched stocks.

    `async with` connects; from then on no event is missed. A broken connection is made again, and continues after the
    last event. A Reset says that events are missing for good. `asyncio.timeout` limits the wait for a message.
    """

    def __init__(
        self, options: Options, *, since: int | None, symbols: Iterable[str], give_up_after_s: float | None
    ) -> None:
        self._options = options
        self._course = Course(options, since=since, symbols=symbols, give_up_after_s=give_up_after_s)
        self._stack = AsyncExitStack()
        self._connection: ClientConnection | None = None
        self._is_closed = False

    @property
    def last_event_id(self) -> int | None:
        """The number of the last event that was received, or after which the stream began."""
        return self._course.last_event_id

    async def __aenter__(self) -> Self:
        await self._connected()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def __aiter__(self) -> AsyncIterator[Message]:
        while True:
            try:
                yield await self.receive()
            except StreamClosed:
                return

    async def receive(self) -> Message:
        """Return the next message."""
        while True:
            connection = await self._connected()
            try:
                message = self._course.read(await connection.recv())
            except (ConnectionClosed, ServiceUnavailable) as error:
                await self._break(error)
            else:
                if message is not None:
                    return message

    async def watch(self, *symbols: str) -> None:
        """Watch these stocks too, such as `NSE:RELIANCE`: their quotes are among the messages."""
        await self._send(self._course.watch(symbols))

    async def unwatch(self, *symbols: str) -> None:
        """Watch these stocks no longer."""
        await self._send(self._course.unwatch(symbols))

    async def close(self) -> None:
        """End the stream; a task that waits for a message is woken."""
        self._is_closed = True
        await self._disconnect()

    async def _send(self, text: str) -> None:
        if self._connection is not None:
            with suppress(ConnectionClosed):  # the next connection watches anew
                await self._connection.send(text)

    async def _connected(self) -> ClientConnection:
        """Return the connection, a new one if there is none."""
        if self._is_closed:
            raise StreamClosed
        while self._connection is None:
            try:
                self._connection = await self._connect()
            except BREAKS as error:
                await self._break(error)
        return self._connection

    async def _connect(self) -> ClientConnection:
        connecting = connect(self._course.address, **self._course.for_websockets())
        connection = await self._stack.enter_async_context(connecting)
        async with asyncio.timeout(self._options.timeout_s):
            self._course.read(await connection.recv())  # "ready"
        if self._course.greeting is not None:
            await connection.send(self._course.greeting)
        return connection

    async def _break(self, error: Exception) -> None:
        """Leave a broken connection and pause before the next one."""
        await self._disconnect()
        if self._is_closed:
            raise StreamClosed from error
        await asyncio.sleep(self._course.pause_after(error))

    async def _disconnect(self) -> None:
        self._connection = None
        await self._stack.aclose()
