"""The parts of the OpenAPI document that routes share: headers, parameters, problems and security."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from schemas.examples import ACCOUNT_ID, MESSAGE_ID, ORDER_ID, POSITION_ID, TOKEN_ID

View = TypeVar("View", bound=Callable[..., Any])
Document = dict[str, Any]

SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token with one of the scopes that the operation names.",
    },
    "cronSecret": {"type": "http", "scheme": "bearer", "description": "The value of CRON_SECRET."},
    "metricsToken": {"type": "http", "scheme": "bearer", "description": "The value of METRICS_TOKEN."},
}
TEXT: Document = {"type": "string"}


def _header(description: str, schema: Document, *, required: bool = False) -> Document:
    return {"description": description, "required": required, "schema": schema}


# The headers of responses.
HEADERS: dict[str, Document] = {
    "Location": _header("The address of the resource.", TEXT | {"format": "uri-reference"}, required=True),
    "ETag": _header("The version of the order.", TEXT | {"pattern": '^"[0-9a-f]+"$'}, required=True),
    "Retry-After": _header("Seconds to wait before trying again.", {"type": "integer", "minimum": 1}, required=True),
    "Vary": _header("`Accept`: the request's header chooses between JSON and CSV.", TEXT),
    "Content-Disposition": _header("The name of the file, only with `text/csv`.", TEXT),
    "WWW-Authenticate": _header('`Bearer realm="tradepost"`', TEXT, required=True),
    "X-Request-Id": _header(
        "The X-Request-Id of the request if it is valid, else a new id; log lines contain it.", TEXT, required=True
    ),
    "Server-Timing": _header("The duration of each step of the placement, in milliseconds.", TEXT),
    "Preference-Applied": _header("`wait=N`, if the request preferred to wait.", TEXT),
    "Idempotent-Replayed": _header("`true` if this is the first response to the key, sent again.", TEXT),
    "RateLimit-Policy": _header('The placements allowed in a window, and its seconds: `"orders";q=50;w=1`.', TEXT),
    "RateLimit": _header('The placements left in the window, and its seconds left: `"orders";r=49;t=1`.', TEXT),
}


def carries(*names: str) -> Document:
    """Return the description of a response's headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


RETRY_AFTER, LOCATION, ETAG = carries("Retry-After"), carries("Location"), carries("ETag")
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Makes a retry safe: the same key with the same request gets the first response again.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$", "minLength": 1, "maxLength": 255}
    | {"examples": ["my-order-1"]},
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The response is 304 if the order still has this ETag.",
    "schema": TEXT | {"examples": ['"3"']},
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "description": "The ETag of the order as it was read, or `*` for any version. "
    "A value that cannot be parsed is not ignored: it matches no version.",
    "schema": TEXT | {"pattern": '^(\\*|"[0-9a-f]+")$', "examples": ["*"]},
}
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "description": "For server-sent events: first replay the events after this one.",
    "schema": TEXT | {"examples": ["123"]},
}
EVENT_STREAM = {"text/event-stream": {"schema": TEXT}}
PREFER = {
    "in": "header",
    "name": "Prefer",
    "description": "`wait=N`: the response is 200 if the order becomes final within N seconds, at most 10 (RFC 7240). "
    "An order that rests ends the wait with the 202, and one that waits for its session does so at once.",
    "schema": {"type": "string", "examples": ["wait=2"]},
}
PREFER_FOR_MANY = PREFER | {
    "description": "`wait=N`: the response waits up to N seconds, at most 10 (RFC 7240), until all orders are final. "
    "Each has a `status` of its own: 200 if it is final by then, else 202. The response is 200 in any case.",
}
# The problems of routes by which an account trades: of the account and the market, of the order's stock, and of money.
OF_TRADING = ("account_suspended", "market_closed")
OF_STOCK = (
    "not_simulated",
    "intraday_not_allowed",
    "quantity_off_lot",
    "price_off_tick",
    "trigger_beyond_price",
    "trigger_on_wrong_side",
    "price_outside_band",
    "square_off_passed",
    "no_price",
)
OF_MONEY = ("insufficient_holdings", "insufficient_margin")
# Examples of path parameters.
PATH_EXAMPLES = {
    "account_id": ACCOUNT_ID,
    "calendar": "NSE",
    "day": "2026-11-10",
    "client_order_id": "my-order-1",
    "exchange": "NSE",
    "message_id": MESSAGE_ID,
    "order_id": ORDER_ID,
    "position_id": POSITION_ID,
    "symbol": "RELIANCE",
    "token_id": TOKEN_ID,
}


# The two answers to a placement.
FINAL = {"description": "The request asked to wait, and the order is final."}
ACCEPTED = {"description": "The order is accepted: it is in the database, and a worker executes it."}


def leads_to(parameter: str, member: str, *operations: str) -> Document:
    """Return a response's links to operations that take one of its members as this path parameter."""
    parameters = {parameter: f"$response.body#/{member}"}
    return {"links": {name: {"operationId": name, "parameters": parameters} for name in operations}}


def described(
    *, problems: Iterable[str] = (), headers: tuple[Document, ...] = (), **facts: Any
) -> Callable[[View], View]:
    """Describe a route: the codes of its own problems, the headers that it reads, and facts copied as they are.

    The problems that follow from its token, its parameters and its headers are added to the document for every route
    (api/reference/openapi.py).
    """
    facts["x-problems"] = dict.fromkeys(problems, True)
    facts["x-headers"] = {header["name"]: header for header in headers}
    return lambda view: note(view, **facts)


def note(view: View, **facts: Any) -> View:
    """Attach facts to a view for the OpenAPI document; requests are not affected."""
    known = getattr(view, "_apidoc", {})
    manual = dict(known.get("manual_doc", {}))
    for name, fact in facts.items():
        manual[name] = {**manual.get(name, {}), **fact} if isinstance(fact, dict) else fact
    cast(Any, view)._apidoc = {**known, "manual_doc": manual}
    return view
