"""An order's life."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Identifier, Money, Timestamp, Whole
from .orders import STATUSES
from .transactions import TransactionSchema

TYPES = ("order.modified", *(f"order.{status.lower()}" for status in STATUSES))


class OrderChangesSchema(StrictSchema):
    """Show what is new about an order; what is not is left out."""

    quantity = Whole()
    price = Money()
    blocked_margin = Money(data_key="blockedMargin")
    charges = Money()
    filled_quantity = Whole(data_key="filledQuantity")
    average_price = Money(data_key="averagePrice")
    position_id = Identifier(data_key="positionId")
    rejection_reason = fields.String(data_key="rejectionReason")
    executed_at = Timestamp(data_key="executedAt")


class OrderMomentSchema(StrictSchema):
    """Show a change of an order."""

    event_id = Whole(
        data_key="eventId", allow_none=True, metadata={"description": "Null when the event is no longer kept (7 days)."}
    )
    type = fields.String(metadata={"enum": list(TYPES)})
    at = Timestamp()
    status = fields.String(metadata={"enum": list(STATUSES)})
    changes = fields.Nested(
        OrderChangesSchema,
        allow_none=True,
        metadata={"description": "Of the first event that is kept, the terms as they then were; null before it."},
    )
    transactions = fields.List(fields.Nested(TransactionSchema))


class OrderHistorySchema(StrictSchema):
    """Show an order's life, oldest first."""

    data = fields.List(fields.Nested(OrderMomentSchema))
