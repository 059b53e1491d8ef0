"""Positions: one row per account, stock and product, kept when flat."""

from peewee import BigIntegerField, DateField, TextField, UUIDField

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
    bucket_day = DateField(null=True)
    today_quantity = BigIntegerField()
    t1_quantity = BigIntegerField()
    t1_settles_on = DateField(null=True)
    later_quantity = BigIntegerField()
    later_settles_on = DateField(null=True)
    settled_quantity = BigIntegerField()
    figures_day = DateField(null=True)
    day_buy_quantity = BigIntegerField()
    day_buy_value = MoneyField()
    day_sell_quantity = BigIntegerField()
    day_sell_value = MoneyField()
