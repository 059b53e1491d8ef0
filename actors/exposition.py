"""The counts of this machine's workers on METRICS_PORT, for machines without a web process that could read them."""

import hmac
import socket
from collections.abc import Iterable
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from config import Settings, settings_or_exit
from runtime import addresses, logs, telemetry

logger = logs.get_logger(__name__)


class QuietHandler(WSGIRequestHandler):
    """A handler that logs nothing and waits at most 10 s for a client."""

    timeout = 10

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class DualStackServer(ThreadingWSGIServer):
    """A server for IPv4 and IPv6."""

    address_family = socket.AF_INET6

    def server_bind(self) -> None:
        """Bind one socket for both."""
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


def serve() -> int:
    """Serve METRICS_PORT until the process ends; Dramatiq runs this beside its workers.

    The first such process on a machine serves the counts of all. Without a METRICS_TOKEN only this machine may ask.
    """
    settings = settings_or_exit()
    logs.configure(settings.log_level, settings.log_format, has_time=settings.log_time)
    application = guarded(make_wsgi_app(telemetry.registry(settings, "worker")), settings.metrics_token)
    try:
        server = _make_server(settings, application)
    except OSError as error:
        logger.warning("metrics_not_served", port=settings.metrics_port, error=str(error))
        return 0
    server.serve_forever()
    return 0


def _make_server(settings: Settings, application: WSGIApplication) -> WSGIServer:
    kind, host = ThreadingWSGIServer, "127.0.0.1"
    if settings.metrics_token is not None:
        has_ipv6 = "[::]" in addresses.all_interfaces()
        kind, host = (DualStackServer, "::") if has_ipv6 else (ThreadingWSGIServer, "0.0.0.0")
    return make_server(host, settings.metrics_port or 0, application, kind, QuietHandler)


def guarded(application: WSGIApplication, token: str | None) -> WSGIApplication:
    """Return the application behind a check of the bearer token; without a token every request passes."""
    wanted = f"Bearer {token}".encode()

    def guard(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        given = environ.get("HTTP_AUTHORIZATION", "").encode()
        if token is None or hmac.compare_digest(given, wanted):
            return application(environ, start_response)
        start_response("401 Unauthorized", [("WWW-Authenticate", 'Bearer realm="tradepost"')])
        return []

    return guard
