"""What a trusted proxy tells of a request: by which scheme and at which host the client has sent it."""

import functools
import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from config.origins import Network
from runtime.addresses import plain

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

# The Host as it was sent, which need not be the one that the client has asked.
HOST_SENT = "tradepost.host_sent"
HOST_PATTERN = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
DEFAULT_PORTS = {"http": "80", "https": "443"}


class TrustedProxies:
    """Believes X-Forwarded-Proto, -Host and -Port of proxies that are trusted, and leaves those of others alone.

    Of a list the last value counts, which is the proxy's own that asks us.
    """

    def __init__(self, application: Application, networks: Iterable[Network]) -> None:
        self.application = application
        self.networks = tuple(networks)
        self.is_trusted = functools.lru_cache(maxsize=1_024)(self._is_trusted)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve a request."""
        address = environ["REMOTE_ADDR"] = plain(environ.get("REMOTE_ADDR", ""))
        if any(name in environ for name in _NAMES) and self.is_trusted(address):
            _believe(environ)
        return self.application(environ, start_response)

    def _is_trusted(self, address: str) -> bool:
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self.networks)


_NAMES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT")


def _believe(environ: dict[str, Any]) -> None:
    scheme, host, port = (environ.get(name, "").rpartition(",")[2].strip() for name in _NAMES)
    scheme = environ["wsgi.url_scheme"] = SCHEMES.get(scheme.lower(), environ["wsgi.url_scheme"])
    environ[HOST_SENT] = environ.get("HTTP_HOST", "")
    host = host or environ[HOST_SENT]
    match = HOST_PATTERN.fullmatch(host)
    if match is None:
        return
    has_port = match[1] or match[2]
    if not has_port and re.fullmatch(r"\d{1,5}", port) and port != DEFAULT_PORTS[scheme]:
        host = f"{host}:{port}"
    environ["HTTP_HOST"] = host


def is_host_of(host: str, origin: str) -> bool:
    """Return True if a page of this origin was loaded from this host, whether or not they name a default port."""
    scheme, _, place = origin.lower().partition("://")
    default = f":{DEFAULT_PORTS.get(scheme, '')}"
    return bool(place) and place.removesuffix(default) == host.lower().removesuffix(default)
