"""The places of a URL's server, each host with its addresses, in the order in which to try them."""

import ipaddress
import time

from models.names import Names

Place = dict[str, str]
# Of several hosts only the writable one is used, unless the URL has a wish of its own.
ATTRIBUTES = "target_session_attrs"
WRITABLE = ("read-write", "primary")


class Places:
    """The hosts of a URL; the one that served last comes first, those that failed last come last."""

    def __init__(self, parameters: dict[str, str]) -> None:
        self._names = Names()
        self._failed_at: dict[tuple[str, ...], tuple[bool, float]] = {}
        self._hosts = places_of(parameters)
        self.preferred: Place | None = None

    @property
    def are_several(self) -> bool:
        """Return True if the URL lists several hosts."""
        return len(self._hosts) > 1

    def in_order(self) -> list[Place]:
        """Return the places with their addresses; one that did not answer comes after one that refused."""
        best = self.preferred
        return sorted(
            self._addressed(), key=lambda place: (place != best, self._failed_at.get(_key(place), (False, 0.0)))
        )

    def failed(self, place: Place, *, is_silent: bool) -> None:
        """Note that a place has just failed."""
        self._failed_at[_key(place)] = (is_silent, time.monotonic())
        if place == self.preferred:
            self.preferred = None

    def served(self, place: Place) -> None:
        """Note that a place has the primary."""
        self._failed_at.pop(_key(place), None)
        self.preferred = place if self.are_several else None

    def _addressed(self) -> list[Place]:
        """Return the places with their addresses, because libpq would block while it resolves a name.

        The name stays beside the address: certificates are checked against it, and password files use it.
        """
        found = self._names.resolve({place["host"] for place in self._hosts if _is_name(place)})
        addressed = []
        for place in self._hosts:
            if _is_name(place):
                addressed += [{**place, "hostaddr": address} for address in found[place["host"]]]
            else:
                addressed.append(place)
        return addressed


def for_writing(parameters: dict[str, str]) -> dict[str, str]:
    """Return a URL's parameters with the wish for the writable server if they list several hosts."""
    return {ATTRIBUTES: WRITABLE[0], **parameters} if len(places_of(parameters)) > 1 else parameters


def places_of(parameters: dict[str, str]) -> list[Place]:
    """Return each host of a URL as a place; one empty place if the URL names none or its lists do not match."""
    lists = {name: parameters[name].split(",") for name in ("host", "hostaddr", "port") if parameters.get(name)}
    count = max((len(lists[name]) for name in ("host", "hostaddr") if name in lists), default=0)
    if len(lists.get("port", ())) == 1:
        lists["port"] *= count
    if any(len(values) != count for values in lists.values()):
        return [{}]
    return [dict(zip(lists, values, strict=True)) for values in zip(*lists.values(), strict=True)] or [{}]


def _key(place: Place) -> tuple[str, ...]:
    return tuple(place.values())


def _is_name(place: Place) -> bool:
    """Return True if a place has a host name: neither a socket's folder nor an address."""
    host = place.get("host", "")
    if not host or place.get("hostaddr") or host[0] in "/@":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
