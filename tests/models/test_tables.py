"""The models and the row types agree with the tables that the migrations have made."""

import types
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import pytest

import models
from models import rows
from models.base import Table

# PostgreSQL's internal names of peewee's types.
NAMES = {"BIGAUTO": "int8", "BIGINT": "int8", "INT": "int4", "SMALLINT": "int2", "DECIMAL": "numeric"}
NAMES |= {"BLOB": "bytea", "TEXT[]": "_text"}
# The Python type that psycopg2 makes of each type of PostgreSQL.
PYTHON_TYPES = {
    **dict.fromkeys(("int2", "int4", "int8"), int),
    "bool": bool,
    "bytea": memoryview,
    "date": date,
    "jsonb": dict[str, Any],
    "numeric": Decimal,
    "text": str,
    "timestamptz": datetime,
    "uuid": UUID,
    "_text": list[str],
}
ROW_TYPES = {
    rows.AccountRow: "account",
    rows.EventRow: "event",
    rows.LedgerRow: "fund_transaction",
    rows.OrderRow: "trading_order",
    rows.PositionChangeRow: "position_change",
    rows.PositionRow: "position",
    rows.StockRow: "stock",
    rows.TokenRow: "api_token",
}


@pytest.fixture
def columns_of(database: Any) -> Any:
    """Return a function that gives the columns of a table: name → (type, whether it may be NULL)."""

    def columns(table: str) -> dict[str, tuple[str, bool]]:
        found = database.fetch_all(
            """SELECT attname AS name, NOT (attnotnull OR type.typnotnull OR attgenerated <> '') AS is_null,
                      coalesce(base.typname, type.typname) AS type
               FROM pg_attribute JOIN pg_type AS type ON type.oid = atttypid
               LEFT JOIN pg_type AS base ON base.oid = type.typbasetype
               WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped""",
            (table,),
        )
        return {column["name"]: (column["type"], column["is_null"]) for column in found}

    return columns


@pytest.mark.parametrize("table", Table.__subclasses__(), ids=lambda table: table.__name__)
def test_a_model_has_the_columns_of_its_table(columns_of: Any, table: type[Table]) -> None:
    declared = {
        field.column_name: (NAMES.get(field.field_type, field.field_type.lower()), field.null)
        for field in table._meta.sorted_fields
    }
    assert declared == columns_of(table._meta.table_name)


@pytest.mark.parametrize("row_type", ROW_TYPES, ids=lambda row_type: row_type.__name__)
def test_a_row_type_has_the_columns_of_its_table(columns_of: Any, row_type: Any) -> None:
    hints = get_type_hints(row_type, include_extras=True)
    declared = {name: _parts(hint) for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    found = columns_of(ROW_TYPES[row_type])
    assert declared == {name: (PYTHON_TYPES[kind], is_null) for name, (kind, is_null) in found.items()}


def test_every_row_type_is_compared_with_a_table() -> None:
    declared = {item for item in vars(rows).values() if isinstance(item, type) and item.__module__ == rows.__name__}
    assert declared == set(ROW_TYPES)


def test_every_model_is_exported() -> None:
    assert sorted(models.__all__) == sorted(table.__name__ for table in Table.__subclasses__())


def _parts(hint: Any) -> tuple[Any, bool]:
    """Return a column's type without None, and whether None was in it."""
    if get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    (kind,) = set(get_args(hint)) - {type(None)}
    return kind, True
