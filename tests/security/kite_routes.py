"""Every route of the door for Kite's clients, read from the application itself: OpenAPI does not describe it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tests.support.kite import VERSION

# The owner of each path parameter's thing. A new parameter fails every test that goes through the routes, until it is
# added here.
OF_AN_ACCOUNT = {"order_id"}
OF_EVERYBODY = {
    "variety": "regular",
    "exchange": "NSE",
    "token": "408065",
    "interval": "minute",
    "segment": "equity",
    "side": "buy",
    "thing": "1",
}
NOWHERE = "999999999999999"
# The routes that need no token: those that bring one in another place, and the lists of instruments.
PUBLIC = {
    "POST /kite/session/token",
    "POST /kite/session/refresh_token",
    "DELETE /kite/session/token",
    "GET /kite/instruments",
    "GET /kite/instruments/<exchange>",
    "GET /kite/mf/instruments",
}
# The routes that change nothing, though they take a body.
READS = {"POST /kite/margins/orders", "POST /kite/margins/basket", "POST /kite/charges/orders"}
ORDER = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "quantity": "1",
    "product": "CNC",
    "order_type": "LIMIT",
    "price": "10.00",
    "validity": "DAY",
}
CONVERSION = {
    "exchange": "NSE",
    "tradingsymbol": "RELIANCE",
    "transaction_type": "BUY",
    "position_type": "day",
    "quantity": "1",
    "old_product": "CNC",
    "new_product": "MIS",
}
CHARGED = ORDER | {"order_id": "1", "variety": "regular", "average_price": 10, "quantity": 1, "price": 10}
# A good form of each route that takes one, and a good JSON list.
FORMS = {
    "POST /kite/orders/<variety>": ORDER,
    "PUT /kite/orders/<variety>/<order_id>": {"quantity": "2"},
    "PUT /kite/portfolio/positions": CONVERSION,
}
LISTS = {
    "POST /kite/margins/orders": CHARGED,
    "POST /kite/margins/basket": CHARGED,
    "POST /kite/charges/orders": CHARGED,
}
QUERIES = {
    "GET /kite/quote": {"i": "NSE:RELIANCE"},
    "GET /kite/quote/ohlc": {"i": "NSE:RELIANCE"},
    "GET /kite/quote/ltp": {"i": "NSE:RELIANCE"},
    "GET /kite/instruments/historical/<token>/<interval>": {"from": "2026-01-01", "to": "2026-01-02"},
}


@dataclass(frozen=True)
class Route:
    """One method of one path of the door."""

    method: str
    rule: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def parameters(self) -> list[str]:
        """Return the names in the path; fail for one that nobody has thought about."""
        names = re.findall(r"<(?:\w+:)?(\w+)>", self.rule)
        unknown = set(names) - OF_AN_ACCOUNT - set(OF_EVERYBODY)
        assert not unknown, f"{self}: whose is {unknown}? Tell tests/security/kite_routes.py"
        return names

    @property
    def is_public(self) -> bool:
        """Return True if it needs no token."""
        return str(self) in PUBLIC

    @property
    def scope(self) -> str:
        """Return the scope that its token needs."""
        return "read" if self.method == "GET" or str(self) in READS else "trade"

    def path(self, **values: str) -> str:
        """Return the path with these values of its parameters, and good ones for the others."""
        known = OF_EVERYBODY | {"order_id": NOWHERE} | values
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda match: quote(known[match[1]], safe=""), self.rule)

    def send(
        self, client: Any, headers: Mapping[str, str], *, more: Mapping[str, str] | None = None, **values: str
    ) -> Any:
        """Send a good request, with `more` parameters in its query and its form, and return the answer."""
        name, extra = str(self), dict(more or {})
        options: dict[str, Any] = {"query_string": QUERIES.get(name, {}) | extra}
        if name in LISTS:
            options["json"] = [LISTS[name]]
        elif self.method in ("POST", "PUT"):
            options["data"] = FORMS.get(name, {}) | extra
        return client.open(self.path(**values), method=self.method, headers=VERSION | dict(headers), **options)


def routes_of(app: Any) -> list[Route]:
    """Return the routes of the door, in the order of their paths, less the websocket."""
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/kite/") and not rule.websocket]
    found = [Route(method, rule.rule) for rule in rules for method in sorted(rule.methods - {"HEAD", "OPTIONS"})]
    return sorted(found, key=str)
