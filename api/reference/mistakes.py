"""The invalid request that an operation's example of `validation_failed` answers."""

from collections.abc import Iterator
from typing import Any

Document = dict[str, Any]
Mistakes = dict[str, list[str]]

UNKNOWN = "colour"  # of no route


def mistakes_of(operation: Document, schemas: dict[str, Document]) -> Mistakes:
    """Return the messages for one invalid field or parameter of an operation, by its name."""
    return next(_mistakes(operation, schemas))


def _mistakes(operation: Document, schemas: dict[str, Document]) -> Iterator[Mistakes]:
    """Yield possible mistakes, the most instructive first."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    body = {} if content is None else schemas[content["schema"]["$ref"].rpartition("/")[2]]
    fields = list(body.get("properties", {}).items())
    queried = [(each["name"], each["schema"]) for each in operation["parameters"] if each["in"] == "query"]
    for name, schema in fields or queried:
        if schema.get("type") in ("integer", ["integer", "null"]):
            yield {name: [f"Must be from {schema['minimum']} to {schema['maximum']}."]}
    for name in sorted(body.get("required", ())):
        yield {name: ["Missing data for required field."]}
    for name, schema in [] if content else queried:
        if schema.get("format") == "uuid":
            yield {name: ["Must be a UUID."]}
    yield {UNKNOWN: ["Unknown field." if content or queried else "Unknown parameter."]}
