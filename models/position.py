"""Positions: what an account holds, one row per stock and product, kept when flat."""

from peewee import BigIntegerField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class Position(Table):
    """A holding; quantity is signed, cost is what its open quantity was opened for."""

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
