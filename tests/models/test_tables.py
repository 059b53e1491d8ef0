"""The models say of the tables what the migrations have made of them."""

from typing import Any

import pytest

import models
from models.base import Table

# What PostgreSQL calls peewee's types inside.
NAMES = {"BIGAUTO": "int8", "BIGINT": "int8", "INT": "int4", "SMALLINT": "int2", "DECIMAL": "numeric"}
NAMES |= {"BLOB": "bytea", "TEXT[]": "_text"}


@pytest.mark.parametrize("table", Table.__subclasses__(), ids=lambda table: table.__name__)
def test_a_model_has_the_columns_of_its_table(database: Any, table: type[Table]) -> None:
    declared = {
        field.column_name: (NAMES.get(field.field_type, field.field_type.lower()), field.null)
        for field in table._meta.sorted_fields
    }
    found = {
        column["name"]: (column["type"], column["is_null"])
        for column in database.fetch_all(
            """SELECT attname AS name, NOT (attnotnull OR type.typnotnull OR attgenerated <> '') AS is_null,
                      coalesce(base.typname, type.typname) AS type
               FROM pg_attribute JOIN pg_type AS type ON type.oid = atttypid
               LEFT JOIN pg_type AS base ON base.oid = type.typbasetype
               WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped""",
            (table._meta.table_name,),
        )
    }
    assert declared == found


def test_every_model_is_exported() -> None:
    assert sorted(models.__all__) == sorted(table.__name__ for table in Table.__subclasses__())
