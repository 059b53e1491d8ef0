"""Check the values of the command line and of files with the schemas of the API."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError

from api.http.errors import HttpRefusal, invalid
from schemas.fields import parse_uuid


def load(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values as the schema loads them; raise HttpRefusal if they are not valid."""
    try:
        loaded: dict[str, Any] = schema.load(values)
    except ValidationError as error:
        raise invalid(error.messages) from None
    return loaded


def identifier(name: str, text: str) -> UUID:
    """Return a UUID; raise HttpRefusal for any other text."""
    found = parse_uuid(text)
    if found is None:
        raise invalid({name: ["Must be a UUID."]})
    return found


def load_row(schema: Schema, row: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells of a row that are not empty, loaded as by `load`."""
    return load(schema, {name: cell for name, cell in row.items() if cell})


def at_line(number: int, refusal: HttpRefusal) -> HttpRefusal:
    """Return the refusal with the number of a file's line before each field."""
    return invalid({f"line {number}, {name}": text for name, text in (refusal.fields or {}).items()})
