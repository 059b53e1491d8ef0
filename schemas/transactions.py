"""Entries of the fund ledger."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ORDER_ID
from .fields import Choice, Identifier, Money, Timestamp, Whole
from .pages import AccountListSchema

KINDS = (
    "DEPOSIT",
    "WITHDRAWAL",
    "CHARGES",
    "CHARGES_REFUND",
    "PROFIT",
    "LOSS",
    "MARGIN_BLOCK",
    "MARGIN_RELEASE",
    "ADJUST_CREDIT",
    "ADJUST_DEBIT",
)


class TransactionListSchema(AccountListSchema):
    """The query of the list of ledger entries."""

    order_id = Identifier(data_key="orderId", load_default=None, metadata={"example": ORDER_ID})
    kind = Choice(*KINDS, load_default=None)
    created_from = Timestamp(
        data_key="from", load_default=None, metadata={"description": "Entries with `createdAt` at or after this time."}
    )
    created_before = Timestamp(
        data_key="to", load_default=None, metadata={"description": "Entries with `createdAt` before this time."}
    )


class TransactionSchema(StrictSchema):
    """An entry of the fund ledger."""

    id = Whole(metadata={"example": 123})
    kind = fields.String(metadata={"enum": list(KINDS), "example": "MARGIN_BLOCK"})
    amount = Money(metadata={"example": "5000.00"})
    balance_after = Money(data_key="balanceAfter", metadata={"example": "999989.46"})
    blocked_after = Money(data_key="blockedAfter", metadata={"example": "5000.00"})
    order_id = Identifier(data_key="orderId", allow_none=True, metadata={"example": ORDER_ID})
    position_id = Identifier(data_key="positionId", allow_none=True)
    created_at = Timestamp(data_key="createdAt")


class TransactionPageSchema(StrictSchema):
    """A page of ledger entries."""

    data = fields.List(fields.Nested(TransactionSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
