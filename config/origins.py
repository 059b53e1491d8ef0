"""Settings that list origins of web pages and apps, and networks of proxies."""

import ipaddress
import re
from collections.abc import Sequence

from .errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Schemes whose pages have no origin; a page from a file sends "null", which every page can send.
NO_ORIGIN = ("blob", "data", "file", "javascript", "ws", "wss")
DEFAULT_PORTS = {"http": ":80", "https": ":443"}


def origins(name: str, parts: Sequence[str]) -> tuple[str, ...]:
    """Return origins in the form of browsers: in lower case, and without the default port of the scheme.

    Apps have schemes of their own, such as capacitor://localhost or chrome-extension://abc.
    """
    return tuple(_origin(name, part) for part in parts)


def networks(name: str, parts: Sequence[str]) -> tuple[Network, ...]:
    """Return the networks of a list of addresses and networks; none for `off`."""
    if parts == ["off"]:
        return ()
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        message = f"{name} must list addresses and networks like 192.0.2.1 and 10.0.0.0/8, or be off: {error}"
        raise ConfigurationError(message) from None


def _origin(name: str, text: str) -> str:
    origin = text.lower()
    match = re.fullmatch(r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:]+\]|[a-z0-9._-]+)(:[0-9]{1,5})?", origin)
    if match is None or match[1] in NO_ORIGIN:
        message = f"{name} must list origins like https://desk.example.com or capacitor://localhost, not {text!r}"
        raise ConfigurationError(message)
    return origin.removesuffix(DEFAULT_PORTS.get(match[1], "")) if match[3] else origin
