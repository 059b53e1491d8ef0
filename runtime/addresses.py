"""IPv4 and IPv6 addresses: those to listen on, and the form in which a socket for both kinds names a client."""

import socket

from config import Settings

MAPPED = "::ffff:"


def plain(address: str) -> str:
    """Return an address in the form of its own kind: a socket for both kinds calls 192.0.2.1 ::ffff:192.0.2.1."""
    return address[len(MAPPED) :] if address.startswith(MAPPED) and "." in address else address


def to_listen_on(settings: Settings) -> list[str]:
    """Return the hosts that the settings say to bind."""
    return all_interfaces() if settings.listen_on == "all" else this_machine()


def this_machine() -> list[str]:
    """Return the hosts that only this machine reaches, by IPv4 and, if it exists, by IPv6."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return ["127.0.0.1"]
    return ["127.0.0.1", "[::1]"]


def all_interfaces() -> list[str]:
    """Return the hosts to bind: one for both kinds if IPv6 exists and shares its sockets, else one of each kind."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
            is_shared = not probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return ["0.0.0.0"]
    return ["[::]"] if is_shared else ["0.0.0.0", "[::]"]
