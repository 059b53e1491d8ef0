"""IPv4 and IPv6 addresses: those to listen on, and the form in which a socket for both kinds names a client."""

import socket

MAPPED = "::ffff:"


def plain(address: str) -> str:
    """Return an address in the form of its own kind: a socket for both kinds calls 192.0.2.1 ::ffff:192.0.2.1."""
    return address[len(MAPPED) :] if address.startswith(MAPPED) and "." in address else address


def all_interfaces() -> list[str]:
    """Return the hosts to bind: one for both kinds if IPv6 exists and shares its sockets, else one of each kind."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::", 0))
            is_shared = not probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return ["0.0.0.0"]
    return ["[::]"] if is_shared else ["0.0.0.0", "[::]"]
