"""The base class of all tables, and the column types that peewee lacks."""

import json
from decimal import Decimal
from typing import Any

from peewee import DecimalField, Field, Model

from models.database import db


class Table(Model):
    """A table of the schema, for reading and writing its rows; the migrations own its definition."""

    class Meta:
        database = db
        legacy_table_names = False


class MoneyField(DecimalField):
    """Rupees with two places."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=20, decimal_places=2, auto_round=False, **options)

    def db_value(self, value: Any) -> Any:
        return value if value is None or isinstance(value, Decimal) else Decimal(value)


class TimestampField(Field):
    """An aware point in time, in UTC."""

    field_type = "TIMESTAMPTZ"


class TextArrayField(Field):
    """A list of strings."""

    field_type = "TEXT[]"


class JsonbField(Field):
    """JSON; numbers are read as Decimal (models.database.initialise), and other types are written as text."""

    field_type = "JSONB"

    def db_value(self, value: Any) -> str:
        return json.dumps(value, default=str)
