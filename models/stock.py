"""Stocks and their last traded prices."""

from peewee import BooleanField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class Stock(Table):
    """A symbol on an exchange; its next order or quote activates an inactive one."""

    id = UUIDField(primary_key=True)
    exchange = TextField()
    symbol = TextField()
    last_price = MoneyField(null=True)
    last_price_at = TimestampField(null=True)
    is_active = BooleanField()
    created_at = TimestampField()
