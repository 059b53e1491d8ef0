"""Rows of a schema as lines of comma-separated values (RFC 4180), with the columns of the JSON."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from marshmallow import fields

from schemas.base import StrictSchema

# A spreadsheet takes a text that begins like this for a formula (OWASP, "CSV Injection", read 2026-11).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
MISSING: Mapping[str, Any] = {}

Render = Callable[[Any, str, Any], Any]


class Column(NamedTuple):
    """A column: its heading, the keys that lead to its value in a row, the value's renderer, and its kind."""

    heading: str
    parent: str | None
    name: str
    render: Render
    is_text: bool


class CsvRows:
    """The lines of a schema's rows; a nested object has a column for each of its members, such as `fill.rule`."""

    def __init__(self, schema: StrictSchema) -> None:
        self.columns = [column for name, field in schema.dump_fields.items() for column in _columns(name, field)]

    @property
    def header(self) -> str:
        """Return the line of headings."""
        return _line([column.heading for column in self.columns])

    def lines(self, rows: Iterable[Mapping[str, Any]]) -> str:
        """Return rows as lines; null is an empty cell."""
        text = io.StringIO()
        csv.writer(text).writerows([self._cell(row, column) for column in self.columns] for row in rows)
        return text.getvalue()

    @staticmethod
    def _cell(row: Mapping[str, Any], column: Column) -> Any:
        _, parent, name, render, is_text = column
        found = row if parent is None else row[parent] or MISSING
        value = render(found.get(name), name, found)
        if value is True or value is False:
            return "true" if value else "false"
        if is_text and value is not None and value.startswith(FORMULA):
            return f"'{value}"
        return value


def _columns(name: str, field: fields.Field[Any], parent: str | None = None) -> Iterator[Column]:
    heading = field.data_key or name
    if isinstance(field, fields.Nested):
        for below, nested in cast(StrictSchema, field.schema).dump_fields.items():
            for column in _columns(below, nested, field.attribute or name):
                yield column._replace(heading=f"{heading}.{column.heading}")
    else:
        yield Column(heading, parent, field.attribute or name, field._serialize, isinstance(field, fields.String))


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue()
