"""Complete the OpenAPI document with the facts that hold for every route, so that no route has to repeat them."""

from collections.abc import Iterable, Iterator, Set
from copy import deepcopy
from typing import Any

from api.http.description import HEADERS, PATH_EXAMPLES, SECURITY_SCHEMES, Document, carries

from . import examples, problem_responses

HEADERS_OF_ALL = ("X-Request-Id",)
HEADERS_OF_PLACEMENTS = ("Server-Timing", "RateLimit-Policy", "RateLimit")


def complete(document: Document) -> Document:
    """Return the document with the responses of every route, required members and examples."""
    document = deepcopy(document)
    document |= {"servers": [{"url": "/"}]}
    components = document["components"]
    for path, item in document["paths"].items():
        item["parameters"] = _parameters(item)
        for parameter in item["parameters"]:
            if parameter["name"] in PATH_EXAMPLES:
                parameter["schema"]["example"] = PATH_EXAMPLES[parameter["name"]]
        for method, operation in item.items():
            if method != "parameters":
                _complete_operation(operation, has_path_parameters="{" in path)
    components |= {"headers": HEADERS, "securitySchemes": SECURITY_SCHEMES}
    components["responses"] = problem_responses.responses(HEADERS_OF_ALL, HEADERS_OF_PLACEMENTS)
    _remove_unused(document)
    _require_members(document)
    examples.add_examples(document)
    return document


def _operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method != "parameters")


def _complete_operation(operation: Document, *, has_path_parameters: bool) -> None:
    facts = operation.pop("x-problems", {})
    operation["parameters"] = [*_parameters(operation), *operation.pop("x-headers", {}).values()]
    names = {parameter["name"] for parameter in operation["parameters"]}
    statuses = problem_responses.EVERYWHERE | {int(status) for status in facts}
    if operation["security"]:
        statuses |= {401, 503}
    if any(scopes for entry in operation["security"] for scopes in entry.values()):
        statuses |= {403}
    if has_path_parameters or "tradingAccountId" in names:
        statuses |= {404}
    responses = operation["responses"]
    responses.pop("422", None)
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | carries(*HEADERS_OF_ALL, *_headers_of(names, statuses))
    for status in sorted(statuses):
        name = problem_responses.name_of(status, of_placement=_counts_placements(names, statuses))
        responses.setdefault(str(status), {"$ref": f"#/components/responses/{name}"})


def _parameters(part: Document) -> list[Document]:
    return [parameter | {"schema": without_null(parameter["schema"])} for parameter in part.get("parameters", [])]


def _headers_of(names: set[str], statuses: Set[int]) -> Iterator[str]:
    """Yield the headers of an operation's responses: they follow from its parameters and its refusals."""
    if "Idempotency-Key" in names:
        yield "Idempotent-Replayed"
    if "Prefer" in names:
        yield "Preference-Applied"
    if _counts_placements(names, statuses):
        yield from HEADERS_OF_PLACEMENTS


def _counts_placements(names: set[str], statuses: Set[int]) -> bool:
    """Return True for an operation with a limit of placements; that of a list limits its exports."""
    return 429 in statuses and "limit" not in names


def _remove_unused(document: Document) -> None:
    """Remove the components that the libraries add and no route uses."""
    components = document["components"]
    components["responses"] = _only(components["responses"], _references(document["paths"], "responses"))
    used: set[str] = set()
    waiting = [document["paths"], components["responses"]]
    for part in waiting:
        found = set(_references(part, "schemas")) - used
        used |= found
        waiting += [components["schemas"][name] for name in found]
    components["schemas"] = _only(components["schemas"], used)


def _only(parts: Document, names: Iterable[str]) -> Document:
    kept = set(names)
    return {name: part for name, part in parts.items() if name in kept}


def without_null(schema: Document) -> Document:
    """Return a parameter's schema without null, which a URL cannot express."""
    schema = dict(schema)
    if isinstance(schema.get("type"), list):
        (schema["type"],) = [kind for kind in schema["type"] if kind != "null"]
    if schema.get("default", ...) is None:
        del schema["default"]
    return schema


def _require_members(document: Document) -> None:
    """Mark the members of every response as required, but for those that a response may lack."""
    schemas = document["components"]["schemas"]
    waiting = [operation["responses"] for operation in _operations(document)]
    waiting.append(document["components"]["responses"])
    seen: set[str] = set()
    for part in waiting:
        for name in set(_references(part, "schemas")) - seen:
            seen.add(name)
            schema = schemas[name]
            schema["required"] = sorted(
                member for member, facts in schema["properties"].items() if "x-optional" not in facts
            )
            waiting.append(schema)
    schemas["Problem"]["additionalProperties"] = True


def _references(part: Any, kind: str) -> Iterator[str]:
    """Yield the names of the components of a kind that a part refers to."""
    if isinstance(part, dict):
        place, _, name = part.get("$ref", "").rpartition("/")
        if place == f"#/components/{kind}":
            yield name
        for below in part.values():
            yield from _references(below, kind)
    elif isinstance(part, list):
        for below in part:
            yield from _references(below, kind)
