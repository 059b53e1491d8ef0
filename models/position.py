"""Positions: one row per account, stock and product, kept when flat."""

from peewee import BigIntegerField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class Position(Table):
    """A position; `quantity` is signed, and `cost` is the price paid or received for the open quantity."""

    id = UUIDField(primary_key=True)
    account_id = UUIDField()
    stock_id = UUIDField()
    exchange = TextField()
    symbol = TextField()
    product = TextField()
    quantity = BigIntegerField()
    cost = MoneyField()
    blocked_margin = MoneyField()
    realized_pnl = MoneyField()
    created_at = TimestampField()
    updated_at = TimestampField()
