"""Events, written by the database's triggers, numbered per account."""

from peewee import BigIntegerField, CompositeKey, TextField, UUIDField

from models.base import Table, TimestampField
from models.order import JsonbField


class Event(Table):
    """What listeners are told: the changed row as it stood after the change."""

    account_id = UUIDField()
    id = BigIntegerField()
    type = TextField()
    at = TimestampField()
    data = JsonbField()

    class Meta:
        primary_key = CompositeKey("account_id", "id")
