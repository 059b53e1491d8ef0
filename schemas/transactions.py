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

    order_id = Identifier(
        data_key="orderId",
        load_default=None,
        metadata={"example": ORDER_ID, "description": "Only the entries of this order."},
    )
    kind = Choice(*KINDS, load_default=None, metadata={"description": "Only entries of this kind."})
    created_from = Timestamp(
        data_key="from", load_default=None, metadata={"description": "Entries with `createdAt` at or after this time."}
    )
    created_before = Timestamp(
        data_key="to", load_default=None, metadata={"description": "Entries with `createdAt` before this time."}
    )


class TransactionSchema(StrictSchema):
    """An entry of the fund ledger."""

    id = Whole(
        metadata={
            "example": 123,
            "description": "The number of the entry: a later entry of the account has a higher one.",
        }
    )
    kind = fields.String(metadata={"enum": list(KINDS), "example": "MARGIN_BLOCK"})
    amount = Money(
        metadata={"example": "5000.00", "description": "The amount in rupees, over 0: the kind says which way it goes."}
    )
    balance_after = Money(
        data_key="balanceAfter",
        metadata={"example": "1000000.00", "description": "The balance of the account after the entry."},
    )
    blocked_after = Money(
        data_key="blockedAfter",
        metadata={"example": "5000.00", "description": "The blocked margin of the account after the entry."},
    )
    order_id = Identifier(
        data_key="orderId",
        allow_none=True,
        metadata={"example": ORDER_ID, "description": "The order that caused the entry; null if none did."},
    )
    position_id = Identifier(
        data_key="positionId",
        allow_none=True,
        metadata={"description": "The position of the order, once it is filled; null before and for other entries."},
    )
    created_at = Timestamp(data_key="createdAt", metadata={"description": "The time of the entry."})


class TransactionPageSchema(StrictSchema):
    """A page of ledger entries."""

    data = fields.List(fields.Nested(TransactionSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
