"""Find the addresses of host names, and wait for a name server only so long."""

import socket
import threading
import time
from collections.abc import Iterable

# A look-up takes milliseconds. libpq's own, in C, may stop a whole gevent process for 10 s and more
# (resolv.conf(5): two attempts of 5 s for each name server).
ANSWER_S = 2.0
# With addresses at hand that were right before, a silent name server costs each connect no more than this.
ANSWER_KNOWN_S = 0.5
# A look-up that is stuck until its own time-out does not hear a name server that is back: after this long
# a second one is begun beside it.
STUCK_S = 2.0
# gevent gives look-ups 10 threads, which those for Redis use too.
LOOKUPS_AT_ONCE = 4
NO_SUCH_NAME = (socket.EAI_NONAME, socket.EAI_NODATA)


class LookUp:
    """One question to the system's resolver, asked in a thread of its own."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.began_at = time.monotonic()
        self.is_over = threading.Event()
        self.addresses: list[str] = []
        self.error: Exception | None = None

    def run(self) -> None:
        """Ask, and keep the answer."""
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            self.addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        except (OSError, UnicodeError) as error:
            self.error = error

    @property
    def is_stuck(self) -> bool:
        """Tell whether it takes so long that another one may be faster."""
        return not self.is_over.is_set() and time.monotonic() - self.began_at > STUCK_S


class Names:
    """Resolves host names, and remembers the last good answer for as long as there is no other.

    What the name server says now always wins, be it that there is no such name. The memory serves
    while the server says nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: list[LookUp] = []
        self._known: dict[str, LookUp] = {}

    def resolve(self, hosts: Iterable[str], *, timeout_s: float = ANSWER_S) -> dict[str, list[str]]:
        """Return the addresses of each host, none where they cannot be found in time."""
        lookups = {host: self._begin(host) for host in hosts}
        deadline = time.monotonic() + timeout_s
        return {host: self._answer(host, lookup, deadline) for host, lookup in lookups.items()}

    def _begin(self, host: str) -> LookUp | None:
        """Return a look-up of a host that may still be answered: the newest one under way, or a new one."""
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
