"""Resolve host names to addresses in bounded time."""

import socket
import threading
import time
from collections.abc import Iterable

# A look-up takes milliseconds. libpq's own look-up, in C, may block a whole gevent process for 10 s and more
# (resolv.conf(5): two attempts of 5 s for each name server).
ANSWER_S = 2.0
# If earlier addresses are known, a silent name server costs each connect no more than this.
ANSWER_KNOWN_S = 0.5
# A stuck look-up waits for its own time-out even after the name server is back. After this time a second
# look-up starts beside it.
STUCK_S = 2.0
# gevent has 10 threads for look-ups, and the look-ups for Redis use them too.
LOOKUPS_AT_ONCE = 4
NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


class LookUp:
    """One call of the system's resolver, made in a thread of its own."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.began_at = time.monotonic()
        self.is_over = threading.Event()
        self.addresses: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Call the resolver and keep its addresses or its error."""
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            self.error = error

    @property
    def is_stuck(self) -> bool:
        """Return True if it has taken so long that another look-up may be faster."""
        return not self.is_over.is_set() and time.monotonic() - self.began_at > STUCK_S


class Names:
    """A resolver that remembers the last addresses of each host.

    An answer of the name server always counts, also the answer that there is no such name. The remembered addresses
    are used only while the name server does not answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: list[LookUp] = []
        self._known: dict[str, LookUp] = {}

    def resolve(self, hosts: Iterable[str], *, timeout_s: float = ANSWER_S) -> dict[str, list[str]]:
        """Return the addresses of each host; the list is empty if they are not found in time."""
        lookups = {host: self._begin(host) for host in hosts}
        deadline = time.monotonic() + timeout_s
        return {host: self._answer(host, lookup, deadline) for host, lookup in lookups.items()}

    def _begin(self, host: str) -> LookUp | None:
        """Return the newest running look-up of a host, or start one if there is none or it is stuck.

        None if LOOKUPS_AT_ONCE look-ups of other hosts are running.
        """
        with self._lock:
            self._under_way = [lookup for lookup in self._under_way if not lookup.is_over.is_set()]
            newest = next((lookup for lookup in reversed(self._under_way) if lookup.host == host), None)
            if newest is not None and not newest.is_stuck:
                return newest
            if len(self._under_way) >= LOOKUPS_AT_ONCE:
                return newest
            lookup = LookUp(host)
            threading.Thread(target=self._run, args=(lookup,), name="look-up", daemon=True).start()
            self._under_way.append(lookup)
            return lookup

    def _run(self, lookup: LookUp) -> None:
        try:
            lookup.run()
        finally:
            with self._lock:
                known = self._known.get(lookup.host)
                if lookup.addresses and (known is None or known.began_at < lookup.began_at):
                    self._known[lookup.host] = lookup
            lookup.is_over.set()

    def _answer(self, host: str, lookup: LookUp | None, deadline: float) -> list[str]:
        known = self._known.get(host)
        known_addresses = known.addresses if known is not None else []
        if lookup is None:
            return known_addresses
        remaining_s = max(0.0, deadline - time.monotonic())
        lookup.is_over.wait(min(remaining_s, ANSWER_KNOWN_S) if known_addresses else remaining_s)
        if getattr(lookup.error, "errno", None) in NO_SUCH_NAME:
            return []
        return lookup.addresses or known_addresses
