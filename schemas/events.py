"""Events of an account, each rendered with the schema of the object that changed."""

from typing import Any

from marshmallow import fields

from .accounts import AccountSchema
from .base import StrictSchema
from .fields import Timestamp, Whole, WholeParameter
from .live_quotes import MAX_WATCHED, StockKeysParameter
from .orders import OrderDetailSchema
from .pages import LIMIT_DEFAULT, MAX_LIMIT, AccountChoiceSchema
from .positions import PositionSchema


class OrderStateSchema(OrderDetailSchema):
    """An order in an event: without its entries of the fund ledger."""

    class Meta(StrictSchema.Meta):
        """The members that events omit."""

        exclude = ("transactions",)


class PositionStateSchema(PositionSchema):
    """A position in an event: without the members that move with the market."""

    class Meta(StrictSchema.Meta):
        """The members that events omit."""

        exclude = ("last_price", "unrealized_pnl", "day_pnl")


class AccountStateSchema(AccountSchema):
    """An account in an event: without the members that move with the market, and without a token's scopes."""

    class Meta(StrictSchema.Meta):
        """The members that events omit."""

        exclude = ("unrealized_pnl", "scopes")


DATA_SCHEMAS = {"order": OrderStateSchema(), "position": PositionStateSchema(), "account": AccountStateSchema()}
# Each type with its description.
EVENT_TYPES = {
    "order.pending": "An order was accepted.",
    "order.open": "An order rests; `waitingFor` says what it waits for.",
    "order.triggered": "The trigger of a stop has fired.",
    "order.executed": "An order was filled.",
    "order.modified": "A PENDING or OPEN order got other terms.",
    "order.cancelled": "An order was cancelled; `endReason` says why.",
    "order.expired": "The time of an order is over; margin and charges were given back.",
    "order.rejected": "An accepted order could not be filled; `rejectionReason` says why.",
    "position.updated": "A position was opened or changed.",
    "account.updated": "An account was opened, or its money, status, name or fill model changed.",
}


class EventListSchema(AccountChoiceSchema):
    """The query of the list of events."""

    since = WholeParameter(
        load_default=None, metadata={"example": 123, "description": "The `id` of the last event that the client knows."}
    )
    limit = WholeParameter(
        minimum=1, maximum=MAX_LIMIT, load_default=LIMIT_DEFAULT, metadata={"example": LIMIT_DEFAULT}
    )


class EventStreamSchema(AccountChoiceSchema):
    """The query of a stream of events."""

    since = WholeParameter(
        load_default=None, metadata={"example": 123, "description": "First replay the events after this one."}
    )


class StreamRequestSchema(EventStreamSchema):
    """The query of the websocket, which sends live quotes too."""

    symbols = StockKeysParameter(
        load_default=(),
        metadata={
            "example": "NSE:RELIANCE,NSE:INFY",
            "description": f"Watch these stocks, up to {MAX_WATCHED}; commas between them.",
        },
    )


class EventSchema(StrictSchema):
    """An event; the reference describes it by the three schemas below."""

    id = Whole(
        metadata={"example": 123, "description": "The number of the event: 1, 2, 3 … for each account, without a gap."}
    )
    type = fields.String(metadata={"enum": list(EVENT_TYPES), "example": "account.updated"})
    at = Timestamp(metadata={"description": "The time of the change."})
    data: fields.Field[Any] = fields.Dict(metadata={"description": "The changed object as it was after the change."})


class OrderEventSchema(EventSchema):
    """A change of an order."""

    type = fields.String(metadata={"enum": [name for name in EVENT_TYPES if name.startswith("order.")]})
    data = fields.Nested(OrderStateSchema, metadata={"description": "The order as it was after the change."})


class PositionEventSchema(EventSchema):
    """A change of a position."""

    type = fields.String(metadata={"enum": ["position.updated"], "description": "The only type of these events."})
    data = fields.Nested(PositionStateSchema, metadata={"description": "The position as it was after the change."})


class AccountEventSchema(EventSchema):
    """A change of an account."""

    type = fields.String(metadata={"enum": ["account.updated"], "description": "The only type of these events."})
    data = fields.Nested(AccountStateSchema, metadata={"description": "The account as it was after the change."})


EVENT_SCHEMAS = {"order": OrderEventSchema, "position": PositionEventSchema, "account": AccountEventSchema}


class EventPageSchema(StrictSchema):
    """A page of events, oldest first."""

    data = fields.List(fields.Nested(EventSchema))
    last_event_id = Whole(
        data_key="lastEventId", metadata={"example": 123, "description": "Send it as `since` for the next page."}
    )
    reset = fields.Boolean(
        metadata={
            "x-optional": True,
            "description": "Present if `since` is unknown, too old or lost in a failover: read the state again.",
        }
    )
