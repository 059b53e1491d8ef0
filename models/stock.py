"""Stocks and their last traded prices."""

from peewee import BigIntegerField, BooleanField, DateField, IntegerField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class Stock(Table):
    """A symbol on an exchange; its next order or quote activates an inactive one."""

    id = UUIDField(primary_key=True)
    exchange = TextField()
    symbol = TextField()
    name = TextField(null=True)
    last_price = MoneyField(null=True)
    last_price_at = TimestampField(null=True)
    is_active = BooleanField()
    created_at = TimestampField()
    quote_number = BigIntegerField()
    usable_number = BigIntegerField()
    is_usable = BooleanField()
    bid_price = MoneyField(null=True)
    ask_price = MoneyField(null=True)
    bid_quantity = BigIntegerField(null=True)
    ask_quantity = BigIntegerField(null=True)
    quoted_at = TimestampField(null=True)
    newest_trade_at = TimestampField(null=True)
    largest_volume = BigIntegerField(null=True)
    volume_day = DateField(null=True)
    open_price = MoneyField(null=True)
    high_price = MoneyField(null=True)
    low_price = MoneyField(null=True)
    previous_close = MoneyField(null=True)
    close_price = MoneyField(null=True)
    lower_circuit = MoneyField(null=True)
    upper_circuit = MoneyField(null=True)
    close_day = DateField(null=True)
    circuit_day = DateField(null=True)
    is_halted = BooleanField()
    tick_size = MoneyField(null=True)
    lot_size = IntegerField(null=True)
    allows_intraday = BooleanField()
    session_class = TextField()
    instrument_token = IntegerField()
    isin = TextField(null=True)
    series = TextField(null=True)
