"""A TCP proxy that can go silent while its connections stay open."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit

HOST = "127.0.0.1"


class Proxy:
    """A proxy between a process and a server."""

    def __init__(self, target_url: str) -> None:
        parts = urlsplit(target_url)
        self._target = (parts.hostname or HOST, parts.port or 6379)
        self._listener = socket.create_server((HOST, 0))
        self._healthy = threading.Event()
        self._healthy.set()
        self._sockets: set[socket.socket] = set()
        self._dead: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = self._listener.getsockname()[1]
        self.url = f"redis://{HOST}:{self.port}{parts.path or '/0'}"
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """Drop all data from now on, as a cut cable does: no side is told, and new connections stay silent."""
        with self._lock:
            self._healthy.clear()
            self._dead |= self._sockets

    def heal(self) -> None:
        """Serve new connections; connections that were cut stay dead."""
        self._healthy.set()

    def close(self) -> None:
        """Close everything."""
        self._healthy.set()
        # shutdown wakes a thread that waits in a system call; close alone does not
        for sock in [self._listener, *self._sockets]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._healthy.wait()
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        with self._lock:
            self._sockets |= {client, server}
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if source not in self._dead:
                    sink.sendall(data)
            if source not in self._dead:
                sink.shutdown(socket.SHUT_RDWR)
