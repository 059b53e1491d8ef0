"""A TCP proxy in front of a server: it passes, refuses, stays silent, delays, or cuts at a chosen moment."""

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Literal

HOST = "127.0.0.1"
Direction = Literal["to_server", "to_client"]
Action = Literal["cut", "answer", "swallow", "behead"]
END_OF_HEAD = b"\r\n\r\n"


class Rule:
    """A rule for data that matches a pattern in one direction, applied a number of times.

    With "cut" the data that holds the pattern is dropped and the connection ends. With "answer" the data
    passes, and the connection ends when the server answers. With "swallow" it disappears like all that
    follows it, though the connection stays open. With "behead" only the head of an HTTP message passes.
    """

    def __init__(self, direction: Direction, pattern: bytes, action: Action, times: int) -> None:
        self.direction = direction
        self.action = action
        self.fired = 0
        self._pattern = re.compile(pattern, re.DOTALL)
        self._left = times
        self._lock = threading.Lock()

    def catches(self, direction: Direction, data: bytes) -> bool:
        """Return True if the rule applies to this data, and count that."""
        if direction != self.direction or not self._pattern.search(data):
            return False
        with self._lock:
            if self._left <= 0:
                return False
            self._left -= 1
            self.fired += 1
            return True


class Link:
    """One connection through the proxy."""

    def __init__(self, proxy: "Proxy", client: socket.socket, server: socket.socket) -> None:
        self.proxy = proxy
        self.ends = {"to_server": (client, server), "to_client": (server, client)}
        for sock in (client, server):
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # it delays by delay_s, and by nothing else
        self.passed = {"to_server": 0, "to_client": 0}
        self.swallowing = False
        self.is_left = False
        self.cut_answer = False
        self.last_words = b""

    def start(self) -> None:
        """Pump both ways until one side ends."""
        for direction in self.ends:
            threading.Thread(target=self._pump, args=(direction,), daemon=True).start()

    def close(self) -> None:
        """Close both sockets; shutdown wakes a thread that waits in a system call, close alone does not."""
        for sock in self.ends["to_server"]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _pump(self, direction: Direction) -> None:
        source, sink = self.ends[direction]
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if self.proxy.delay_s:
                    time.sleep(self.proxy.delay_s)
                if not self._judge(direction, data):
                    sink.sendall(self.last_words)
                    break
                if not self.swallowing:
                    sink.sendall(data)
        self.is_left = self.is_left or direction == "to_server"
        if not self.swallowing:  # a swallowed connection stays silent, and its end is swallowed too
            self.close()
            self.proxy.forget(self)

    def _judge(self, direction: Direction, data: bytes) -> bool:
        """Return True if this data may pass; False ends the connection before it does."""
        if direction == "to_client" and self.cut_answer:
            return False
        self.passed[direction] += len(data)
        limit = self.proxy.cut_after.get(direction)
        if limit is not None and self.passed[direction] > limit:
            return False
        for rule in self.proxy.rules:
            if rule.catches(direction, data):
                self.cut_answer = self.cut_answer or rule.action == "answer"
                self.swallowing = self.swallowing or rule.action == "swallow"
                if rule.action == "behead":
                    self.last_words = data.partition(END_OF_HEAD)[0] + END_OF_HEAD
                return rule.action not in ("cut", "behead")
        return True


class Proxy:
    """A proxy between processes and a server, on a port that stays the same."""

    def __init__(self, connect: Callable[[], socket.socket], host: str = HOST, port: int = 0) -> None:
        self._connect = connect
        self.host = host
        self._lock = threading.Lock()
        self._links: set[Link] = set()
        self._parked: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self.port = port
        self.is_silent = False
        self.delay_s = 0.0
        self.rules: list[Rule] = []
        self.cut_after: dict[Direction, int] = {}
        self._listen()

    @property
    def link_count(self) -> int:
        """Return the number of open connections."""
        return len(self._links)

    @property
    def black_holed_count(self) -> int:
        """Return the number of connections that lead nowhere and that the client has not closed."""
        with self._lock:
            return sum(link.swallowing and not link.is_left for link in self._links)

    def refuse(self) -> None:
        """Refuse new connections and cut the open ones."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.cut_all()

    def go_silent(self) -> None:
        """Accept connections and never answer; swallow the data of the open ones."""
        self.is_silent = True
        self.black_hole()

    def black_hole(self) -> None:
        """Swallow the data of all open connections; new ones work."""
        with self._lock:
            for link in self._links:
                link.swallowing = True

    def lead_to(self, connect: Callable[[], socket.socket]) -> None:
        """Lead new connections to another server; open ones stay with theirs."""
        self._connect = connect

    def cut_all(self) -> None:
        """Cut every connection."""
        with self._lock:
            links, self._links = self._links, set()
        for link in links:
            link.close()

    def add_rule(self, direction: Direction, pattern: bytes, action: Action, times: int = 1) -> Rule:
        """Add a rule for a pattern, a regular expression over one packet; the rule returned counts its hits."""
        rule = Rule(direction, pattern, action, times)
        self.rules = [*self.rules, rule]
        return rule

    def heal(self) -> None:
        """Serve again as at the start; connections that were swallowed or kept silent are closed."""
        self.rules, self.cut_after, self.delay_s = [], {}, 0.0
        was_silent, self.is_silent = self.is_silent, False
        if was_silent:
            self.cut_all()
        with self._lock:
            parked, self._parked = self._parked, []
            dead = [link for link in self._links if link.swallowing]
        for sock in parked:
            sock.close()
        for link in dead:
            link.close()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        """Close all connections and the port."""
        self.heal()
        self.refuse()

    def forget(self, link: Link) -> None:
        """Drop a link that has ended."""
        with self._lock:
            self._links.discard(link)

    def _listen(self) -> None:
        self._listener = socket.create_server((self.host, self.port), backlog=512)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self.is_silent:
                    with self._lock:
                        self._parked.append(client)
                    continue
                self._open(client)

    def _open(self, client: socket.socket) -> None:
        try:
            server = self._connect()
        except OSError:
            client.close()
            return
        link = Link(self, client, server)
        with self._lock:
            self._links.add(link)
        link.start()


def unix_target(path: str) -> Callable[[], socket.socket]:
    """Return a function that connects to a server's unix socket."""

    def connect() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            raise
        return sock

    return connect


def tcp_target(port: int) -> Callable[[], socket.socket]:
    """Return a function that connects to a port of this machine."""

    def connect() -> socket.socket:
        sock = socket.create_connection((HOST, port), timeout=5)
        sock.settimeout(None)
        return sock

    return connect
