"""The audit of administrative actions, append-only."""

from peewee import BigAutoField, TextField, UUIDField

from models.base import JsonbField, Table, TimestampField


class AdminAction(Table):
    """One administrative action; `token_id` is empty for the command line."""

    id = BigAutoField()
    at = TimestampField()
    action = TextField()
    token_id = UUIDField(null=True)
    address = TextField()
    request_id = TextField(null=True)
    detail = JsonbField()
