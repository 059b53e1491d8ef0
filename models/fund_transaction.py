"""The fund ledger, append-only."""

from peewee import BigAutoField, TextField, UUIDField

from models.base import MoneyField, Table, TimestampField


class FundTransaction(Table):
    """One change of an account's balance or blocked margin, with both as they stood after it."""

    id = BigAutoField()
    account_id = UUIDField()
    kind = TextField()
    amount = MoneyField()
    balance_after = MoneyField()
    blocked_after = MoneyField()
    order_id = UUIDField(null=True)
    position_id = UUIDField(null=True)
    created_at = TimestampField()
