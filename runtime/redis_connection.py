"""A connection to Redis that is bounded in time, and that knows when its server is of no more use."""

import ipaddress
import re
import socket
import time
from typing import Any

import redis

from models.names import Names

# Errors about the server instead of the command: it is a replica, starting, cut off, full or unable to save. Its name
# may lead to another server by now. Redis before 7 puts the word into the middle of a script's error.
OF_THE_SERVER = re.compile(r"\b(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|MISCONF|OOM|UNBLOCKED)\b")

# What a rediss:// URL means by itself: certificates of hosted Redis are often self-signed.
UNVERIFIED: dict[str, Any] = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}

_names = Names()


class Connection(redis.Connection):
    """A connection whose name lookup, connect and handshake share the connect's time-out."""

    is_useless = False

    def _connect(self) -> socket.socket:
        self.is_useless = False
        timeout_s = float(self.socket_connect_timeout or 0)
        deadline = time.monotonic() + timeout_s
        self.locate(timeout_s / 2)
        # Half of the time is left for the connect, to the last known addresses if the lookup is slow.
        addresses = _addresses(self.host, (deadline - time.monotonic()) / 2)
        error = OSError("its name cannot be resolved at the moment")
        for number, address in enumerate(addresses):
            left_s = max(0.001, deadline - time.monotonic())
            try:
                opened = self._open(address, left_s / (len(addresses) - number))
            except OSError as refusal:
                error = refusal
            else:
                opened.settimeout(max(0.001, deadline - time.monotonic()))
                return opened
        raise error

    def locate(self, timeout_s: float) -> None:
        """Set host and port before a connect, if they are not fixed. Raises redis.RedisError."""

    def _open(self, address: str, timeout_s: float) -> socket.socket:
        opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in self.socket_keepalive_options.items():
                opened.setsockopt(socket.IPPROTO_TCP, option, value)
            opened.settimeout(timeout_s)
            opened.connect((address, self.port))
        except OSError:
            opened.close()
            raise
        return opened

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """Do the handshake; the socket's time-out is that of a use from then on."""
        super().on_connect_check_health(check_health)
        self.update_current_socket_timeout(-1)  # -1 stands for socket_timeout

    def read_response(self, *args: Any, **options: Any) -> Any:
        """Return an answer, and mark the connection as useless after an error about the server."""
        try:
            return super().read_response(*args, **options)
        except redis.ResponseError as error:
            self.is_useless = self.is_useless or OF_THE_SERVER.search(f"{error.status_code} {error}") is not None
            raise


def _addresses(host: str, timeout_s: float) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return _names.resolve([host], timeout_s=timeout_s)[host]


class EncryptedConnection(redis.SSLConnection, Connection):
    """The same over TLS."""
