"""TLS in front of servers without it, with a self-signed certificate."""

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
# What a client sends that wants TLS from PostgreSQL, before the handshake; the server answers with one letter.
# https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-SSL
SSL_REQUEST = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Coroutine[Any, Any, Streams]]


def make_certificate(folder: Path) -> Path:
    """Make a self-signed certificate with its key in one file; needs openssl."""
    path = folder / "self-signed.pem"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(path)]
    command = [
        "openssl",
        "req",
        "-x509",
        *key,
        "-out",
        str(folder / "certificate"),
        "-subj",
        "/CN=nobody",
        "-days",
        "2",
    ]
    subprocess.run(command, check=True, capture_output=True)
    with open(path, "ab") as file:
        file.write((folder / "certificate").read_bytes())
    return path


class TlsFront:
    """A port that ends TLS and passes the data on; one event loop in a thread."""

    def __init__(self, certificate: Path, connect: Connect, *, is_postgres: bool = False) -> None:
        self.handshakes = 0
        self.port = 0
        self._connect = connect
        self._is_postgres = is_postgres
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._run(self._listen())

    def close(self) -> None:
        """End everything."""
        self._run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        context = None if self._is_postgres else self._context
        self._server = await asyncio.start_server(self._serve, HOST, 0, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            if self._is_postgres and not await self._negotiate(reader, writer):
                return
            self.handshakes += 1
            server_reader, server_writer = await self._connect()
            to_server = asyncio.ensure_future(_pump(reader, server_writer))
            await _pump(server_reader, writer)
            to_server.cancel()

    async def _negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Start TLS when the client asks for it; hang up on a client that does not."""
        if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
            writer.close()
            return False
        writer.write(b"S")
        await writer.start_tls(self._context)
        return True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()
