"""Orders; a PENDING row is the staged job that a worker executes."""

from peewee import BigIntegerField, Field, IntegerField, SmallIntegerField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class JsonbField(Field):
    """JSON whose numbers are read as Decimal (see models.database.initialise)."""

    field_type = "JSONB"


class Order(Table):
    """One order, from PENDING to EXECUTED, CANCELLED or REJECTED."""

    id = UUIDField(primary_key=True)
    account_id = UUIDField()
    stock_id = UUIDField()
    exchange = TextField()
    symbol = TextField()
    client_order_id = TextField(null=True)
    side = TextField()
    product = TextField()
    order_type = TextField()
    quantity = IntegerField()
    price = MoneyField(null=True)
    status = TextField()
    filled_quantity = IntegerField()
    average_price = MoneyField(null=True)
    position_id = UUIDField(null=True)
    closing_quantity = IntegerField()
    blocked_margin = MoneyField()
    charges = MoneyField()
    charge_items = JsonbField()
    rejection_reason = TextField(null=True)
    attempts = SmallIntegerField()
    retry_at = TimestampField(null=True)
    placed_at = TimestampField()
    executed_at = TimestampField(null=True)
    updated_at = TimestampField()
    version = BigIntegerField()

    class Meta:
        table_name = "trading_order"
