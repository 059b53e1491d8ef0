"""Complete the OpenAPI document with the facts that hold for every route, so that no route has to repeat them."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from typing import Any

from api.http.description import HEADERS, PATH_EXAMPLES, SECURITY_SCHEMES, Document, carries

from . import answers, common, event_schemas, examples, problem_responses, terms
from .mistakes import mistakes_of

HEADERS_OF_ALL = ("X-Request-Id",)
HEADERS_OF_PLACEMENTS = ("Server-Timing", "RateLimit-Policy", "RateLimit")


def complete(document: Document, classes: Mapping[str, type]) -> Document:
    """Return the document with each route's responses, required members, descriptions, shared terms and examples.

    `classes` are the schemas' classes by the schemas' names in the document.
    """
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
                _complete_operation(operation, path, components["schemas"])
    components |= {"headers": HEADERS, "securitySchemes": SECURITY_SCHEMES}
    components["responses"] = problem_responses.responses()
    common.describe(document, classes)
    terms.share(document)
    components["schemas"] |= event_schemas.one_of_three()
    _remove_unused(document)
    _require_members(document)
    examples.add_examples(document)
    answers.add_examples(document)
    return document


def _operations(document: Document) -> Iterator[Document]:
    for item in document["paths"].values():
        yield from (operation for method, operation in item.items() if method != "parameters")


def _complete_operation(operation: Document, path: str, schemas: Document) -> None:
    facts = operation.pop("x-problems", {})
    operation["parameters"] = [*_parameters(operation), *operation.pop("x-headers", {}).values()]
    names = {parameter["name"] for parameter in operation["parameters"]}
    codes = _codes_of(operation, facts, names_object="{" in path or _names_account(operation, schemas))
    of_refusals = (*HEADERS_OF_ALL, *(HEADERS_OF_PLACEMENTS if "rate_limited" in codes else ()))
    responses = operation["responses"]
    responses.pop("422", None)
    for response in responses.values():
        response["headers"] = response.get("headers", {}) | carries(*of_refusals, *_headers_of(names))
    address = path.format_map(PATH_EXAMPLES)
    refusals = problem_responses.responses_of(codes, address, mistakes_of(operation, schemas), of_refusals)
    operation["responses"] = {status: responses[status] for status in sorted(responses)} | {
        status: refusal for status, refusal in refusals.items() if status not in responses
    }


def _codes_of(operation: Document, facts: Document, *, names_object: bool) -> set[str]:
    """Return the codes of an operation's own refusals, and of those that follow from its token and its parameters."""
    parameters = {parameter["name"]: parameter for parameter in operation["parameters"]}
    codes = {"validation_failed", *facts}  # an unknown parameter is refused everywhere
    if operation["security"]:
        codes |= {"unauthenticated", "service_unavailable"}
    if any(scopes for entry in operation["security"] for scopes in entry.values()):
        codes |= {"forbidden"}
    if names_object:
        codes |= {"not_found"}
    if "Idempotency-Key" in parameters:
        codes |= {"idempotency_conflict", "idempotency_in_progress"}
    if "If-Match" in parameters:
        codes |= {"precondition_failed"}
        codes |= {"precondition_required"} if parameters["If-Match"].get("required") else set()
    return codes - set(problem_responses.GENERAL)


def _parameters(part: Document) -> list[Document]:
    return [parameter | {"schema": without_null(parameter["schema"])} for parameter in part.get("parameters", [])]


def _headers_of(names: set[str]) -> Iterator[str]:
    """Yield the headers of an operation's answers that follow from its parameters."""
    if "Idempotency-Key" in names:
        yield "Idempotent-Replayed"
    if "Prefer" in names:
        yield "Preference-Applied"


def _names_account(operation: Document, schemas: Document) -> bool:
    """Return True if the query or the body of an operation may name an account."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    members = {} if body is None else schemas[body["schema"]["$ref"].rpartition("/")[2]]["properties"]
    return "tradingAccountId" in {*members, *(parameter["name"] for parameter in operation["parameters"])}


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
            waiting.append(schema)
            if "properties" not in schema:
                continue
            schema["required"] = sorted(
                member for member, facts in schema["properties"].items() if "x-optional" not in facts
            )
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
