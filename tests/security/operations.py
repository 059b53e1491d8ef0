"""Every operation of the service, read from its own OpenAPI document."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

SCOPES = ("trade", "read", "feed", "admin")
# The owner of each path parameter's thing. A new parameter fails every test that goes through the routes, until it is
# added here and to the fixture `belongings`.
OF_AN_ACCOUNT = {"order_id", "client_order_id", "position_id"}
OF_ADMINISTRATORS = {"account_id", "token_id", "message_id"}
OF_EVERYBODY = {"exchange": "NSE", "symbol": "RELIANCE", "calendar": "NSE", "day": "2026-01-26"}
# The paths that need no token.
PUBLIC = {"/health/live", "/health/ready"}
# A good value for each header that a request must have.
HEADERS = {"If-Match": "*"}
# The bodies in which an administrator names the account.
NAMING_BODIES = {"OrderRequest", "Basket", "OrderChange"}
ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}
# A good body for each schema that a request may have.
BODIES: dict[str, dict[str, Any]] = {
    "OrderRequest": ORDER,
    "Basket": {"orders": [ORDER]},
    "OrderChange": {"quantity": 2},
    "Conversion": {"quantity": 1},
    "ClosingAll": {"cancelOpenOrders": True},
    "Closing": {"quantity": 1, "cancelOpenOrders": True},
    "Quotes": {"quotes": [{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "11.00"}]},
    "AccountCreation": {"name": "New", "openingBalance": "1.00"},
    "AccountChange": {"status": "ACTIVE"},
    "Funds": {"kind": "DEPOSIT", "amount": "1.00"},
    "Reset": {"balance": "1000000.00"},
    "TokenCreation": {"scopes": ["read"]},
}


@dataclass(frozen=True)
class Operation:
    """One method of one path, with its description in the document."""

    method: str
    path: str
    spec: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def path_parameters(self) -> list[str]:
        """Return the names in the path; fail for one that nobody has thought about."""
        names = re.findall(r"\{(\w+)\}", self.path)
        unknown = set(names) - OF_AN_ACCOUNT - OF_ADMINISTRATORS - set(OF_EVERYBODY)
        assert not unknown, f"{self}: whose is {unknown}? Tell tests/security/operations.py"
        return names

    @property
    def is_of_an_account(self) -> bool:
        """Return True if the path names something that belongs to one account."""
        return not OF_AN_ACCOUNT.isdisjoint(self.path_parameters)

    @property
    def is_public(self) -> bool:
        """Return True if it needs no token."""
        return self.spec["security"] == []

    @property
    def is_for_cron(self) -> bool:
        """Return True if its token is CRON_SECRET."""
        return self.spec["security"] == [{"cronSecret": []}]

    @property
    def is_for_prometheus(self) -> bool:
        """Return True if its token is METRICS_TOKEN."""
        return self.spec["security"] == [{"metricsToken": []}]

    @property
    def scopes(self) -> set[str]:
        """Return the scopes of which a token needs one; all of them when any token will do."""
        if self.spec["security"] == [{"token": []}]:
            return set(SCOPES)
        return {scope for entry in self.spec["security"] for scope in entry.get("token", [])}

    @property
    def body_name(self) -> str | None:
        """Return the name of its body's schema, None when it takes none."""
        body = self.spec.get("requestBody")
        return body and body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]

    @property
    def body(self) -> dict[str, Any] | None:
        """Return a good body, None when it takes none."""
        name = self.body_name
        if name is None:
            return None
        assert name in BODIES, f"{self}: what is a good {name}? Tell tests/security/operations.py"
        return dict(BODIES[name])

    @property
    def query(self) -> set[str]:
        """Return the names of its query parameters."""
        return {parameter["name"] for parameter in self.spec["parameters"] if parameter["in"] == "query"}

    @property
    def account_is_named_in(self) -> str | None:
        """Return "query" or "body" if an administrator names the account there, else None."""
        if "tradingAccountId" in self.query:
            return "query"
        return "body" if self.body_name in NAMING_BODIES else None

    def naming(self, account_id: Any) -> dict[str, Any]:
        """Return the options of send() with which an administrator names an account."""
        named = {"tradingAccountId": str(account_id)}
        return {"more": named} if self.account_is_named_in == "body" else {"query": named}

    @property
    def required_headers(self) -> dict[str, str]:
        """Return good headers, those without which it is refused."""
        parameters = self.spec["parameters"]
        required = [each["name"] for each in parameters if each["in"] == "header" and each.get("required")]
        assert set(required) <= set(HEADERS), f"{self}: what is a good {required}? Tell tests/security/operations.py"
        return {name: HEADERS[name] for name in required}

    def url(self, **things: Any) -> str:
        """Return the path with these ids in it, and with ids of nothing for the other parameters."""
        values = {name: str(uuid4()) for name in self.path_parameters} | OF_EVERYBODY | things
        return self.path.format(**{name: values[name] for name in self.path_parameters})

    def send(
        self,
        client: Any,
        headers: dict[str, str] | None = None,
        *,
        things: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
        more: dict[str, Any] | None = None,
    ) -> Any:
        """Send it with a good body, to which more may be added."""
        body = self.body
        if body is not None or more is not None:
            body = (body or {}) | (more or {})
        options = {} if body is None else {"json": body}
        headers = self.required_headers | (headers or {})
        return client.open(
            self.url(**(things or {})), method=self.method, headers=headers, query_string=query, **options
        )


def operations_of(document: dict[str, Any]) -> list[Operation]:
    """Return every operation of a document."""
    return [
        Operation(method.upper(), path, spec)
        for path, item in document["paths"].items()
        for method, spec in item.items()
        if method != "parameters"
    ]
