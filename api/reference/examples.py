"""Examples for every schema of the documents, built from the examples of fields and parameters."""

import itertools
from typing import Any

from schemas.examples import MOMENT

Schema = dict[str, Any]

# Metadata of fields for the reference alone (schemas/examples.py explains it); the documents do not repeat it.
HINTS = ("example", "x-optional", "x-shown", "x-term")
UNKNOWN = "…"  # of a text whose field has no example; a test finds it


def add_examples(document: dict[str, Any]) -> None:
    """Add an example to every schema of an OpenAPI document: of its components and of its parameters."""
    components = document["components"]["schemas"]
    for schema in components.values():
        schema["examples"] = [example_of(schema, components)]
    for item in document["paths"].values():
        parameters = [operation["parameters"] for method, operation in item.items() if method != "parameters"]
        for parameter in itertools.chain(item["parameters"], *parameters):
            parameter["schema"] = {"examples": [example_of(parameter["schema"], components)]} | parameter["schema"]
            remove_hints(parameter["schema"])
    for schema in components.values():
        remove_hints(schema)


def example_of(schema: Schema, components: dict[str, Schema]) -> Any:
    """Return an example that fits a schema."""
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return example_of(components[schema["$ref"].rpartition("/")[2]], components)
    if "anyOf" in schema:
        is_null = {"type": "null"} in schema["anyOf"] and "x-shown" not in schema
        return None if is_null else example_of(schema["anyOf"][0], components)
    if "oneOf" in schema:
        return example_of(components[schema["oneOf"][0]["$ref"].rpartition("/")[2]], components)
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        return None
    if kinds == "object":
        return _example_of_object(schema, components)
    if kinds == "array":
        return [example_of(item, components) for item in _alternatives(schema["items"], components)]
    return _example_of_value(schema)


def _alternatives(schema: Schema, components: dict[str, Schema]) -> list[Schema]:
    """Return the schemas of which an item has one."""
    named = components[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    alternatives: list[Schema] = named.get("oneOf", [schema])
    return alternatives


def remove_hints(schema: Schema) -> None:
    """Remove the hints from a schema and from the schemas inside it."""
    for hint in HINTS:
        schema.pop(hint, None)
    for below in (*schema.get("properties", {}).values(), *schema.get("anyOf", ())):
        remove_hints(below)
    if "items" in schema:
        remove_hints(schema["items"])


def _example_of_object(schema: Schema, components: dict[str, Schema]) -> dict[str, Any]:
    """Return an example of an object: its required members, and the optional ones that have a hint."""
    required = schema.get("required", ())
    return {
        name: example_of(member, components)
        for name, member in schema.get("properties", {}).items()
        if name in required or "example" in member or "x-shown" in member
    }


def _example_of_value(schema: Schema) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "boolean":
        return True
    if schema.get("type") == "number":
        return 0.0
    if schema.get("type") == "integer":
        return schema.get("minimum", 0)
    if schema.get("format") == "date-time":
        return MOMENT
    return schema.get("examples", [UNKNOWN])[0]
