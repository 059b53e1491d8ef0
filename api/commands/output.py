"""Print the result of a command: tables and short texts for people, JSON for programs."""

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from trading.rules.sessions import INDIAN_TIME

as_json = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")

# The headings of a table, each with the member of the document that it shows, or with a function of the document.
Columns = Mapping[str, str | Callable[[Any], object]]
NOTHING = "-"
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
BETWEEN = "  "


def is_terminal() -> bool:
    """Return True if a person reads the output."""
    return sys.stdout.isatty()


def show(as_json: bool, document: Any, columns: Columns | None = None) -> None:
    """Print a document as one line of JSON, or as a text: a list as a table with these columns, by default all."""
    if as_json:
        click.echo(json.dumps(document, separators=(",", ":")))
    elif isinstance(document, dict):
        for name, value in document.items():
            click.echo(f"{name}: {value}")
    else:
        show_table(document, columns or {name: name for document in document[:1] for name in document})


def tell(as_json: bool, text: str, document: Mapping[str, Any]) -> None:
    """Print the outcome of a command: a text for people, or a document as one line of JSON."""
    if as_json:
        show(as_json, document)
    else:
        click.echo(text)


def show_table(documents: Sequence[Any], columns: Columns) -> None:
    """Print a line for each document; on a terminal below the headings, or a word if there is no document."""
    rows = [[_cell(document, column) for column in columns.values()] for document in documents]
    if is_terminal() and not rows:
        click.echo("none", err=True)
        return
    lines = [list(columns), *rows] if is_terminal() else rows
    widths = [max(map(width, cells)) for cells in zip(*lines, strict=True)]
    are_numbers = [all(map(_is_number, cells)) for cells in zip(*rows, strict=True)]
    for cells in lines:
        padded = map(_padded, cells, widths, are_numbers)
        click.echo(BETWEEN.join(padded).rstrip())


def short_time(text: str | None) -> str:
    """Return a timestamp of a document as a time in India for people."""
    return NOTHING if text is None else f"{datetime.fromisoformat(text).astimezone(INDIAN_TIME):%Y-%m-%d %H:%M:%S}"


def as_time(name: str) -> Callable[[Mapping[str, Any]], str]:
    """Return the column of a timestamp: in India, as short_time shows it."""
    return lambda document: short_time(document[name])


def width(text: str) -> int:
    """Return the number of columns that a text takes on a terminal."""
    return sum(_width_of(sign) for sign in text)


def _width_of(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def _cell(document: Any, column: str | Callable[[Any], object]) -> str:
    value = document[column] if isinstance(column, str) else column(document)
    return NOTHING if value is None or value == "" else str(value)


def _is_number(cell: str) -> bool:
    return cell == NOTHING or NUMBER.fullmatch(cell) is not None


def _padded(cell: str, columns: int, is_number: bool) -> str:
    blanks = " " * (columns - width(cell))
    return blanks + cell if is_number else cell + blanks


def joined(parts: Iterable[object]) -> str:
    """Return the parts that are there with blanks between."""
    return " ".join(str(part) for part in parts if part not in (None, ""))
