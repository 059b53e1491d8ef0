"""The worker: it refuses connections beyond its limit in time, and stops without delaying clients."""

import contextlib
import gc
import os
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import gevent
import gunicorn.http
import gunicorn.http.wsgi
import gunicorn.util
from gevent.server import StreamServer
from gunicorn.config import Config
from gunicorn.sock import ssl_context
from gunicorn.workers.ggevent import GeventWorker

from runtime import descriptors
from serving.reading import REQUEST_S, Parser, Wait, end_all, look_ahead, write_problem
from serving.succession import succession
from serving.writing import Response, http_date

# A client that connected just before the worker stops may still send its request.
LAST_REQUEST_S = 1.0
# A replaced worker goes on until its successor is ready, for at most this long: some seconds on a busy machine.
SUCCESSOR_S = 10.0
# The kernel drops a client that acknowledges nothing of its answer for this long.
USER_TIMEOUT_MS = 30_000
# Accepted in one turn of the loop by a single worker; one at a time if there are several, so that they share.
ACCEPTED_AT_ONCE = 32
# If all connections are busy, this many more are accepted for these paths.
EXTRA_CONNECTIONS = 32
OPERATORS_PATHS = ("/health/", "/metrics", "/api/admin/")


class Connection:
    """The state of a client's connection."""

    __slots__ = ("has_asked", "is_extra")

    def __init__(self) -> None:
        self.has_asked = False
        self.is_extra = False


def keep_at_hand(settings: Config) -> None:
    """Make attributes of gunicorn's settings: a lookup through its layers 25 times a request takes 16 µs."""
    names = [name for name in settings.settings if not hasattr(Config, name)]
    vars(settings).update({name: settings.settings[name].get() for name in names})


class Worker(GeventWorker):
    """gunicorn's gevent worker with a limit of connections; the stock worker falls silent beyond its own.

    To make room for a connection, the worker closes one that waits for a request: first those that have never sent
    one, then those kept alive for the next, and of these the one that has waited longest. A worker that stops closes
    waiting connections at once; the stock worker waits for their clients for the whole graceful_timeout.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.connections: dict[Any, Connection] = {}
        self.silent: dict[Wait, None] = {}
        self.idle: dict[Wait, None] = {}
        self.extra: dict[Wait, None] = {}  # never closed to make room: an operator may be about to send a request
        self.max_connections = self.allowed = descriptors.MAX_CONNECTIONS
        self.ended = self.refused = 0
        self.report: Callable[..., None] = lambda **_: None
        # The stock worker would stop at this number, and its successor would start only after it has ended.
        self.replaced_after: int = self.max_requests
        self.max_requests: int = sys.maxsize
        self.signalled_at = 0.0
        self.is_stopping = False

    def init_process(self) -> None:
        """Start serving, with requests read by Parser and answers written by Response."""
        gunicorn.http.RequestParser = Parser
        gunicorn.http.wsgi.Response = Response
        gunicorn.util.http_date = http_date
        keep_at_hand(self.cfg)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application without collecting garbage, which saves a seventh of the processor time of a start.

        Everything that is loaded stays, so that later collections need not look at it either.
        """
        gc.disable()
        try:
            super().load_wsgi()
        finally:
            gc.freeze()
            gc.enable()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop, but not before a successor that is being started is ready."""
        self.signalled_at = self.signalled_at or time.monotonic()
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until a stop is requested; then finish the open requests, for at most graceful_timeout."""
        servers = [self._serve(listener) for listener in self.sockets]
        looked_at = 0.0
        while self.alive or self._awaits_successor():
            if time.monotonic() - looked_at >= 1.0:
                looked_at = time.monotonic()
                self.notify()
                self._look_around()
            gevent.sleep(0.1)
        self.is_stopping = True
        for server in servers:
            server.close()
        self._finish()

    def _awaits_successor(self) -> bool:
        return succession.is_starting and time.monotonic() - self.signalled_at < SUCCESSOR_S

    def _finish(self) -> None:
        end_all(self.idle)
        stopped_at = time.monotonic()
        while self.connections and time.monotonic() - stopped_at < self.cfg.graceful_timeout:
            self.notify()
            gevent.sleep(0.1)
            if time.monotonic() - stopped_at > LAST_REQUEST_S:
                end_all(self.silent)
                end_all(self.extra)
        if self.connections:
            self.log.warning("Worker graceful timeout (pid:%s)", self.pid)
            gevent.killall(list(self.connections), timeout=1)

    def _serve(self, listener: Any) -> StreamServer:
        listener.setblocking(1)
        if hasattr(socket, "TCP_USER_TIMEOUT") and listener.family != socket.AF_UNIX:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        tls = {"ssl_context": ssl_context(self.cfg)} if self.cfg.is_ssl else {}
        server = StreamServer(listener, handle=partial(self.handle, listener), **tls)
        server.max_accept = 1 if self.cfg.workers > 1 else ACCEPTED_AT_ONCE
        server.start()
        return server

    def _look_around(self) -> None:
        # Other uses hold descriptors too, such as files that are sent to slow readers.
        spare = descriptors.limit() - descriptors.used() - descriptors.RESERVE // 2
        self.allowed = max(EXTRA_CONNECTIONS, min(self.max_connections, len(self.connections) + spare))
        for _ in range(len(self.connections) - self.allowed):
            self._make_room()
        counts = {"ended": self.ended, "refused": self.refused}
        self.ended = self.refused = 0
        self.report(number=len(self.connections), allowed=self.allowed, **counts)

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, or refuse it if there is no room and none can be made."""
        connection = self.connections[gevent.getcurrent()] = Connection()
        try:
            excess = len(self.connections) - self.allowed
            connection.is_extra = excess > 0 and not self._make_room()
            if connection.is_extra and excess > EXTRA_CONNECTIONS:
                look_ahead(client)
                self._refuse(client)
            else:
                super().handle(listener, client, addr)
        finally:
            del self.connections[gevent.getcurrent()]

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Serve a request; an extra connection is refused unless its request is for an operator's path."""
        connection = self.connections[gevent.getcurrent()]
        connection.has_asked = True
        if connection.is_extra:
            req.force_close()
            if len(self.connections) > self.allowed and not req.path.startswith(OPERATORS_PATHS):
                self._refuse(sock)
                raise StopIteration
        if self.nr >= self.replaced_after and self.alive:
            succession.ask(os.getpid())
        super().handle_request(listener_name, req, sock, addr)

    def timeout_ctx(self) -> Wait:
        """Return the time limit of the wait for a connection's next request."""
        connection = self.connections[gevent.getcurrent()]
        if connection.has_asked:
            return Wait(self.cfg.keepalive if self.alive else 0, self.idle)
        return Wait(REQUEST_S, self.extra if connection.is_extra else self.silent)

    def _make_room(self) -> bool:
        wait = next(iter(self.silent), None) or next(iter(self.idle), None)
        if wait is None:
            return False
        wait.end()
        self.ended += 1
        return True

    def _refuse(self, client: Any) -> None:
        self.refused += 1
        with contextlib.suppress(OSError):
            write_problem(client, 503, "Service Unavailable", "", "service_unavailable")
