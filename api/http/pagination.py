"""Page lists by keyset: page 10,000 costs as much as page 1."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from models.database import Row, fetch_all
from models.routing import session_of_all
from models.spanning import each_in_transaction
from schemas.fields import MAX_IDENTIFIER, format_timestamp, parse_timestamp, parse_uuid

from .errors import invalid
from .responses import encode


def read_timestamp(value: Any) -> datetime:
    """Return a timestamp of a cursor; raise ValueError unless it is written exactly as this API writes it."""
    timestamp = parse_timestamp(value)
    if timestamp is None or format_timestamp(timestamp) != value:
        raise ValueError(value)
    return timestamp


def read_uuid(value: Any) -> UUID:
    """Return a UUID of a cursor, or raise ValueError."""
    identifier = parse_uuid(value)
    if identifier is None:
        raise ValueError(value)
    return identifier


def read_integer(value: Any) -> int:
    """Return an integer of a cursor, or raise ValueError."""
    if type(value) is not int or not 0 <= value <= MAX_IDENTIFIER:
        raise ValueError(value)
    return value


def read_word(value: Any) -> str:
    """Return a word of a cursor, or raise ValueError."""
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise ValueError(value)
    return value


@dataclass(frozen=True)
class Keyset:
    """The order of a list: its columns with the readers of their cursor values, and the direction."""

    columns: Mapping[str, Callable[[Any], Any]]
    descending: bool = True

    def values(self, row: Row) -> list[Any]:
        """Return a row's values of the columns."""
        return [row[column.rpartition(".")[2]] for column in self.columns]

    def encode(self, row: Row) -> str:
        """Return the cursor of the page that follows a row."""
        values = [_plain(value) for value in self.values(row)]
        return base64.urlsafe_b64encode(encode(values).encode()).decode().rstrip("=")

    def decode(self, cursor: str) -> list[Any]:
        """Return the values of a cursor, or refuse a cursor that is not of this list."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
            if not isinstance(values, list):
                raise ValueError(cursor)
            return [read(value) for read, value in zip(self.columns.values(), values, strict=True)]
        except (ValueError, TypeError, binascii.Error, RecursionError):
            raise invalid({"cursor": ["Must be a nextCursor of this list."]}) from None


def fetch_page(
    select: str,
    where: Mapping[str, Any],
    keyset: Keyset,
    *,
    limit: int,
    cursor: str | None,
    selects_by: Sequence[Any] = (),
) -> dict[str, Any]:
    """Return a page of a query's rows; conditions whose value is None are left out.

    `where` maps conditions such as "status = %s" to their values, selects_by are the parameters of the select itself.
    Needs an open session.
    """
    after = None if cursor is None else keyset.decode(cursor)
    rows = fetch_rows(select, where, keyset, limit=limit + 1, after=after, selects_by=selects_by)
    return _page(rows, keyset, limit)


def fetch_page_of_all(
    select: str, where: Mapping[str, Any], keyset: Keyset, *, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return a page as fetch_page does, of the rows of all buckets; opens its own session."""
    after = None if cursor is None else keyset.decode(cursor)
    rows = list[Row]()
    with session_of_all():
        for _ in each_in_transaction():
            rows += fetch_rows(select, where, keyset, limit=limit + 1, after=after)
    rows.sort(key=keyset.values, reverse=keyset.descending)
    return _page(rows, keyset, limit)


def _page(rows: list[Row], keyset: Keyset, limit: int) -> dict[str, Any]:
    """Return the first rows as a page, with a cursor if there are more."""
    return {"data": rows[:limit], "next_cursor": keyset.encode(rows[limit - 1]) if len(rows) > limit else None}


def fetch_rows(
    select: str,
    where: Mapping[str, Any],
    keyset: Keyset,
    *,
    limit: int,
    after: Sequence[Any] | None = None,
    selects_by: Sequence[Any] = (),
) -> list[Row]:
    """Return the first rows of a query, or those after a row with these values of the keyset; see fetch_page."""
    conditions = {condition: value for condition, value in where.items() if value is not None}
    parameters = [*selects_by, *conditions.values()]
    clauses = list(conditions)
    if after is not None:
        # An index on these columns answers one comparison of rows directly.
        sign = "<" if keyset.descending else ">"
        clauses.append(f"({', '.join(keyset.columns)}) {sign} ({', '.join(['%s'] * len(after))})")
        parameters += after
    direction = " DESC" if keyset.descending else ""
    order = ", ".join(column + direction for column in keyset.columns)
    sql = f"{select} WHERE {' AND '.join(clauses) or 'true'} ORDER BY {order} LIMIT %s"
    return fetch_all(sql, [*parameters, limit])


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_timestamp(value)
    return value if isinstance(value, int) else str(value)
