"""Take the scheme and the host of a request from the headers of a trusted proxy."""

import functools
import ipaddress
import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from config.origins import Network
from runtime.addresses import plain

# The Host header as this server received it; the client may have asked another host.
HOST_SENT = "tradepost.host_sent"
HOST_PATTERN = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
DEFAULT_PORTS = {"http": "80", "https": "443"}


class TrustedProxies:
    """Middleware that applies X-Forwarded-Proto, -Host and -Port from trusted proxies and ignores them from others.

    The last value of a list counts: the proxy that connects to this server has added it.
    """

    def __init__(self, application: WSGIApplication, networks: Iterable[Network]) -> None:
        self.application = application
        self.networks = tuple(networks)
        self.is_trusted = functools.lru_cache(maxsize=1_024)(self._is_trusted)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve a request with the client's scheme and host."""
        address = environ["REMOTE_ADDR"] = plain(environ.get("REMOTE_ADDR", ""))
        if any(name in environ for name in _NAMES) and self.is_trusted(address):
            _apply(environ)
        return self.application(environ, start_response)

    def _is_trusted(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self.networks)


_NAMES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")


def _apply(environ: WSGIEnvironment) -> None:
    scheme, host, port = (environ.get(name, "").rpartition(",")[2].strip() for name in _NAMES)
    environ["wsgi.url_scheme"] = SCHEMES.get(scheme.lower(), environ["wsgi.url_scheme"])
    environ[HOST_SENT] = environ.get("HTTP_HOST", "")
    host = host or environ[HOST_SENT]
    match = HOST_PATTERN.fullmatch(host)
    if match is None:
        return
    has_port = match[1] or match[2]
    if not has_port and re.fullmatch(r"\d{1,5}", port) and port != DEFAULT_PORTS[environ["wsgi.url_scheme"]]:
        host = f"{host}:{port}"
    environ["HTTP_HOST"] = host


def is_host_of(host: str, origin: str) -> bool:
    """Return True if a page of this origin was loaded from this host; a default port may be named or left out."""
    scheme, _, place = origin.lower().partition("://")
    default = f":{DEFAULT_PORTS.get(scheme, '')}"
    return bool(place) and place.removesuffix(default) == host.lower().removesuffix(default)
