"""Trading accounts, the owners of money, margin and orders."""

from peewee import BigIntegerField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class Account(Table):
    """One trading account; the database computes available_margin."""

    id = UUIDField(primary_key=True)
    name = TextField()
    status = TextField()
    balance = MoneyField()
    blocked_margin = MoneyField()
    available_margin = MoneyField()
    realized_pnl = MoneyField()
    last_event_id = BigIntegerField()
    created_at = TimestampField()
    updated_at = TimestampField()
    fill_model = TextField()
    last_entry_id = BigIntegerField()
    numbered_after = BigIntegerField()
