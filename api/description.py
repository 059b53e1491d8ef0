"""Complete the OpenAPI document with what holds for every route, so that no route can forget to say it."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, TypeVar, cast

View = TypeVar("View", bound=Callable[..., Any])
Document = dict[str, Any]

DESCRIPTION = """\
Place and execute orders. Money is a string with two places; ids are UUIDs; timestamps are RFC 3339 in UTC.
What is refused is a problem document of RFC 9457, whose `code` is stable.

`GET /api/trading/stream` is a websocket, which OpenAPI cannot describe. The token comes in the `Authorization`
header or, from a browser, in the first message: `{"action": "auth", "token": "...", "since": 123}`. The server
begins with `{"type": "ready", "lastEventId": 123}` and goes on with one message per event, as
`GET /api/trading/events` returns them. `?since=` replays what came after an event; `{"type": "reset"}` says that
it is no longer kept.
"""
PROBLEMS = {
    400: "The body is not valid JSON, or the request cannot be read.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token lacks the scope.",
    404: "There is no such thing, or it belongs to another account.",
    409: "The state of the thing does not allow it.",
    413: "The body is larger than 64 KiB.",
    414: "The address is too long.",
    415: "The body is not application/json.",
    422: "The request does not fit the schema, or the account's books do not allow it.",
    429: "Too many placements with this token.",
    431: "The headers are too large.",
    503: "The service cannot answer now; try again.",
}
TEXT: Document = {"type": "string"}
# What gunicorn refuses before a request is one: it answers a line of HTML.
REFUSED_EARLY = (400, 414, 431)
RETRY_AFTER = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
LOCATION = {"Location": {"required": True, "schema": {"type": "string", "format": "uri-reference"}}}
ETAG = {"ETag": {"required": True, "schema": {"type": "string", "pattern": '^"[0-9a-f]+"$'}}}
PROBLEM_HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": TEXT}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}
IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Makes a retry safe: the same key with the same request gets the first answer again.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$", "minLength": 1, "maxLength": 255},
}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "Answers 304 when the order is still the one with this ETag.",
    "schema": TEXT,
}
LAST_EVENT_ID = {
    "in": "header",
    "name": "Last-Event-ID",
    "description": "Of server-sent events: replay what came after this one first.",
    "schema": TEXT,
}
EVENT_STREAM = {"text/event-stream": {"schema": TEXT}}
PREFER = {
    "in": "header",
    "name": "Prefer",
    "description": "`wait=N` answers 200 when the order has ended within N seconds, at most 10 (RFC 7240).",
    "schema": {"type": "string", "examples": ["wait=2"]},
}
# What an answer tells of what to do next: (operation, status) → operation → parameter → where it stands.
LINKS = {
    ("ordersPlace", "202"): ("order_id", "orderId", ("ordersRead", "ordersCancel")),
    ("adminCreate", "201"): (
        "account_id",
        "tradingAccountId",
        ("adminRead", "adminChangeStatus", "adminAddFunds", "adminAddToken"),
    ),
    ("adminAddToken", "201"): ("token_id", "tokenId", ("adminDeleteToken",)),
}
# Members that an answer may lack.
OPTIONAL = {"Problem": {"errors"}, "Ready": {"warnings"}}


def described(
    *, problems: tuple[int, ...] = (), headers: tuple[Document, ...] = (), **facts: Any
) -> Callable[[View], View]:
    """Note on a route which problems it has of its own, which headers it reads, and facts copied as they are."""
    facts["x-problems"] = {str(status): True for status in problems}
    facts["x-headers"] = {header["name"]: header for header in headers}
    return lambda view: note(view, **facts)


def note(view: View, **facts: Any) -> View:
    """Note facts on a view for the document; costs nothing at a request."""
    known = deepcopy(getattr(view, "_apidoc", {}))
    manual = known.setdefault("manual_doc", {})
    for name, fact in facts.items():
        manual[name] = {**manual.get(name, {}), **fact} if isinstance(fact, dict) else fact
    cast(Any, view)._apidoc = known
    return view


def complete(document: Document) -> Document:
    """Return the document with problems, links and required members."""
    document = deepcopy(document)
    operations = {operation["operationId"]: operation for operation in _operations(document)}
    for path, item in document["paths"].items():
        item["parameters"] = [_without_null(parameter) for parameter in item.get("parameters", [])]
        for method, operation in item.items():
            if method != "parameters":
                _complete_operation(operation, has_path_parameters="{" in path)
    for (source, status), (parameter, member, targets) in LINKS.items():
        operations[source]["responses"][status]["links"] = {
            target: {"operationId": target, "parameters": {parameter: f"$response.body#/{member}"}}
            for target in targets
        }
    _require_members(document)
    document["components"].pop("responses", None)
    return document


def _operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method != "parameters")


def _complete_operation(operation: Document, *, has_path_parameters: bool) -> None:
    facts = operation.pop("x-problems", {})
    parameters = [_without_null(parameter) for parameter in operation.get("parameters", [])]
    parameters += operation.pop("x-headers", {}).values()
    operation["parameters"] = parameters
    names = {parameter["name"] for parameter in parameters}
    statuses = {*REFUSED_EARLY, 413, 415, 422} | {int(status) for status in facts}
    if operation["security"]:
        statuses |= {401, 503}
    if any(scopes for entry in operation["security"] for scopes in entry.values()):
        statuses.add(403)
    if has_path_parameters or "tradingAccountId" in names:
        statuses.add(404)
    responses = operation["responses"]
    responses.pop("422", None)
    for status in sorted(statuses):
        responses.setdefault(str(status), _problem(status))


def _problem(status: int) -> Document:
    return {
        "description": PROBLEMS[status],
        "headers": PROBLEM_HEADERS.get(status, {}),
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
            **({"text/html": {"schema": TEXT}} if status in REFUSED_EARLY else {}),
        },
    }


def _without_null(parameter: Document) -> Document:
    """Return a parameter that cannot be null, as none in a URL can."""
    schema = dict(parameter["schema"])
    if isinstance(schema.get("type"), list):
        (schema["type"],) = [kind for kind in schema["type"] if kind != "null"]
    if schema.get("default", ...) is None:
        del schema["default"]
    return {**parameter, "schema": schema}


def _require_members(document: Document) -> None:
    """Say of every answer's members that they are there: an answer has them all."""
    schemas = document["components"]["schemas"]
    waiting = [operation["responses"] for operation in _operations(document)]
    seen: set[str] = set()
    for part in waiting:
        for name in set(_references(part)) - seen:
            seen.add(name)
            schema = schemas[name]
            schema["required"] = sorted(set(schema["properties"]) - OPTIONAL.get(name, set()))
            waiting.append(schema)
    schemas["Problem"]["additionalProperties"] = True


def _references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield cast(str, part["$ref"]).rpartition("/")[2]
        for below in part.values():
            yield from _references(below)
    elif isinstance(part, list):
        for below in part:
            yield from _references(below)
