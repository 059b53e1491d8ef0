"""The OpenAPI document describes everything, and each list of words once."""

from collections.abc import Iterator
from typing import Any

from schemas.events import EVENT_TYPES
from tests.api.test_openapi import resolved
from tests.security.operations import operations_of


def test_every_operation_schema_member_and_parameter_has_a_description(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bare = [name for name, schema in schemas.items() if "description" not in schema]
    bare += [
        f"{name}.{member}"
        for name, schema in schemas.items()
        for member, part in schema.get("properties", {}).items()
        if "description" not in part and "description" not in resolved(document, part)
    ]
    for operation in operations_of(document):
        bare += [str(operation)] if "description" not in operation.spec else []
        parameters = operation.spec["parameters"] + document["paths"][operation.path]["parameters"]
        bare += [f"{operation} {each['name']}" for each in parameters if "description" not in each | each["schema"]]
    assert bare == []


def test_every_member_and_parameter_has_a_type(document: dict[str, Any]) -> None:
    parts = {
        f"{name}.{member}": part
        for name, schema in document["components"]["schemas"].items()
        for member, part in schema.get("properties", {}).items()
    }
    for operation in operations_of(document):
        parameters = operation.spec["parameters"] + document["paths"][operation.path]["parameters"]
        parts |= {f"{operation} {each['name']}": each["schema"] for each in parameters}
    parts |= {f"{place}[]": part["items"] for place, part in parts.items() if "items" in part}
    assert [place for place, part in parts.items() if not {"type", "$ref", "anyOf"} & part.keys()] == []


def test_each_list_of_words_stands_once(document: dict[str, Any]) -> None:
    def lists(part: Any, place: str) -> Iterator[tuple[frozenset[str], str]]:
        if isinstance(part, dict) and "enum" in part:
            yield frozenset(part["enum"]) - {None}, place
        for name, below in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(below, dict | list):
                yield from lists(below, f"{place}.{name}")

    found: dict[frozenset[str], list[str]] = {}
    for words, place in [*lists(document["components"]["schemas"], ""), *lists(document["paths"], "paths")]:
        found.setdefault(words, []).append(place)
    del found[frozenset(("true", "false"))]
    assert {words: places for words, places in found.items() if len(words) > 1 and len(places) > 1} == {}


def test_an_event_is_one_of_three_by_its_type(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    mapping = schemas["Event"]["discriminator"]["mapping"]
    assert {reference["$ref"] for reference in schemas["Event"]["oneOf"]} == set(mapping.values())
    for name, reference in mapping.items():
        kind = resolved(document, {"$ref": reference})["properties"]["type"]
        assert name in resolved(document, kind)["enum"]
    assert set(mapping) == set(EVENT_TYPES)
