"""Check what the command line and its files give, with the schemas that the API uses."""

import csv
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from marshmallow import Schema, ValidationError

from schemas.fields import parse_uuid

from .errors import HttpRefusal, invalid


def load(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values that fit the schema, or refuse."""
    try:
        loaded: dict[str, Any] = schema.load(values)
    except ValidationError as error:
        raise invalid(error.messages) from None
    return loaded


def identifier(name: str, text: str) -> UUID:
    """Return a UUID, or refuse."""
    found = parse_uuid(text)
    if found is None:
        raise invalid({name: ["Must be a UUID."]})
    return found


def read_csv(path: str, schema: Schema) -> Iterator[dict[str, Any]]:
    """Return the rows of a CSV file with a header line; name the line of what does not fit."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, restkey="surplus", strict=True)
        try:
            for row in reader:
                yield load(schema, _filled(row))
        except HttpRefusal as error:
            fields = error.fields or {}
            raise invalid({f"line {reader.line_num}, {name}": text for name, text in fields.items()}) from None
        except (UnicodeDecodeError, csv.Error) as error:
            raise invalid({f"line {reader.line_num + 1}": [f"Is not CSV in UTF-8 ({error})."]}) from None


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells that hold something, without the blanks around them."""
    cells = {name.strip(): value.strip() if isinstance(value, str) else value for name, value in row.items()}
    return {name: value for name, value in cells.items() if value}
