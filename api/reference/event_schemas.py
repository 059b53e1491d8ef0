"""The schema of an event in the OpenAPI document: one of three, told apart by its type."""

from typing import Any

from apispec import APISpec

from schemas.events import EVENT_SCHEMAS, EVENT_TYPES

Schema = dict[str, Any]


def register(spec: APISpec) -> None:
    """Add the three schemas to a document; no route names them."""
    for subject, schema in EVENT_SCHEMAS.items():
        spec.components.schema(f"{subject.title()}Event", schema=schema)


def one_of_three() -> dict[str, Schema]:
    """Return the schema of an event, by its name."""
    references = {subject: f"#/components/schemas/{subject.title()}Event" for subject in EVENT_SCHEMAS}
    return {
        "Event": {
            "description": "A change of an order, of a position or of the account; `type` tells which.",
            "oneOf": [{"$ref": reference} for reference in references.values()],
            "discriminator": {
                "propertyName": "type",
                "mapping": {name: references[name.partition(".")[0]] for name in EVENT_TYPES},
            },
        }
    }
