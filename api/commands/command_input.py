"""Check the values of the command line and of files with the schemas of the API."""

import sys
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import click
from marshmallow import Schema, ValidationError

from api.http.errors import HttpRefusal, invalid
from schemas.fields import parse_uuid
from trading.accounts.audit import record_action

from .csv_input import CsvFile

COMMAND_LINE = "command line"  # the address of these actions in the audit


# The identifiers of arguments, each with the way to find it.
LISTED_BY = {
    "account": "`tradepost accounts list` shows those of accounts",
    "order": "`tradepost orders list` shows those of orders",
    "tokenId": "`tradepost tokens list` shows those of tokens",
}


def is_typed() -> bool:
    """Return True if a person can answer a question: standard input is a terminal."""
    return sys.stdin.isatty()


def record(action: str, detail: Mapping[str, Any]) -> None:
    """Record an administrative action in the audit."""
    record_action(action, detail, address=COMMAND_LINE)


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
        raise invalid({name: [f"Must be a UUID: {LISTED_BY[name]}."]})
    return found


def load_row(schema: Schema, row: Mapping[str, str]) -> dict[str, Any]:
    """Return the cells of a row that are not empty, loaded as by `load`."""
    return load(schema, {name: cell for name, cell in row.items() if cell})


def take_columns(file: CsvFile, schema: Schema) -> None:
    """Let the rows of a file have the columns of a schema only, and name the others on standard error."""
    others = file.take_only([field.data_key or name for name, field in schema.load_fields.items()])
    if others:
        click.echo(f"columns that are not read: {', '.join(others)}", err=True)


def at_line(number: int, refusal: HttpRefusal) -> HttpRefusal:
    """Return the refusal with the number of a file's line before each field."""
    return invalid({f"line {number}, {name}": text for name, text in (refusal.fields or {}).items()})
