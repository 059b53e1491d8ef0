"""The history of an order."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Identifier, Money, Timestamp, Whole
from .orders import END_REASONS, ORDER_TYPES, REJECTION_REASONS, STATUSES, WAITS, FillSchema
from .transactions import TransactionSchema

TYPES = ("order.modified", "order.triggered", *(f"order.{status.lower()}" for status in STATUSES))


class OrderChangesSchema(StrictSchema):
    """The changed members of an order; the others are absent."""

    quantity = Whole(metadata={"x-optional": True, "example": 10})
    price = Money(allow_none=True, metadata={"x-optional": True})
    order_type = fields.String(data_key="orderType", metadata={"x-optional": True, "enum": list(ORDER_TYPES)})
    trigger_price = Money(data_key="triggerPrice", allow_none=True, metadata={"x-optional": True})
    protection_price = Money(
        data_key="protectionPrice",
        allow_none=True,
        metadata={"x-optional": True, "description": "The price at which a protected order rests."},
    )
    waiting_for = fields.String(
        data_key="waitingFor",
        allow_none=True,
        metadata={"x-optional": True, "enum": [*WAITS, None], "description": "The thing that the order waits for."},
    )
    triggered_at = Timestamp(data_key="triggeredAt", metadata={"x-optional": True})
    end_reason = fields.String(data_key="endReason", metadata={"x-optional": True, "enum": list(END_REASONS)})
    blocked_margin = Money(data_key="blockedMargin", metadata={"x-optional": True, "example": "5000.00"})
    charges = Money(metadata={"x-optional": True, "example": "10.54"})
    filled_quantity = Whole(data_key="filledQuantity", metadata={"x-optional": True})
    average_price = Money(data_key="averagePrice", metadata={"x-optional": True})
    position_id = Identifier(data_key="positionId", metadata={"x-optional": True})
    rejection_reason = fields.String(
        data_key="rejectionReason", metadata={"x-optional": True, "enum": list(REJECTION_REASONS)}
    )
    matched_at = Timestamp(
        data_key="matchedAt",
        metadata={"x-optional": True, "description": "The time at which the market traded the order."},
    )
    executed_at = Timestamp(data_key="executedAt", metadata={"x-optional": True})
    fill = fields.Nested(
        FillSchema, metadata={"x-optional": True, "description": "The quote and the rule that filled the order."}
    )


class OrderMomentSchema(StrictSchema):
    """One change of an order."""

    event_id = Whole(
        data_key="eventId",
        allow_none=True,
        metadata={"example": 123, "description": "Null if the event is no longer kept (7 days)."},
    )
    type = fields.String(metadata={"enum": list(TYPES)})
    at = Timestamp()
    status = fields.String(metadata={"enum": list(STATUSES)})
    changes = fields.Nested(
        OrderChangesSchema,
        allow_none=True,
        metadata={"description": "The changed terms; for the first event that is kept all terms, and null before it."},
    )
    transactions = fields.List(
        fields.Nested(TransactionSchema), metadata={"description": "The entries of the fund ledger of this change."}
    )


class OrderHistorySchema(StrictSchema):
    """The history of an order, oldest first."""

    data = fields.List(fields.Nested(OrderMomentSchema))
