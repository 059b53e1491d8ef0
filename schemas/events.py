"""Events of an account, each rendered with the schema of the thing that changed."""

from marshmallow import fields

from .accounts import AccountSchema
from .base import StrictSchema
from .examples import ACCOUNT_ID
from .fields import Timestamp, Whole, WholeParameter
from .orders import OrderDetailSchema
from .pages import LIMIT_DEFAULT, MAX_LIMIT, AccountChoiceSchema
from .positions import PositionSchema

# What moves with the market, and what has events of its own, stays out of an event.
DATA_SCHEMAS = {
    "order": OrderDetailSchema(exclude=("transactions",)),
    "position": PositionSchema(exclude=("last_price", "unrealized_pnl")),
    "account": AccountSchema(exclude=("unrealized_pnl",)),
}


# Each type with its description.
EVENT_TYPES = {
    "order.pending": "An order was accepted.",
    "order.executed": "An order was filled.",
    "order.modified": "A PENDING order got another price or quantity.",
    "order.cancelled": "An order was cancelled.",
    "order.rejected": "An accepted order could not be filled; `rejectionReason` says why.",
    "position.updated": "A position was opened or changed.",
    "account.updated": "An account was opened, or its money, status or name changed.",
}


class EventListSchema(AccountChoiceSchema):
    """Ask for the events after one."""

    since = WholeParameter(
        load_default=None, metadata={"example": 123, "description": "`id` of the last event that is known."}
    )
    limit = WholeParameter(
        minimum=1, maximum=MAX_LIMIT, load_default=LIMIT_DEFAULT, metadata={"example": LIMIT_DEFAULT}
    )


class StreamRequestSchema(AccountChoiceSchema):
    """Ask for a stream of events."""

    since = WholeParameter(
        load_default=None, metadata={"example": 123, "description": "Replay what came after this event first."}
    )


class EventSchema(StrictSchema):
    """Show an event."""

    id = Whole(metadata={"example": 123})
    type = fields.String(metadata={"enum": list(EVENT_TYPES), "example": "account.updated"})
    at = Timestamp()
    data = fields.Dict(
        metadata={
            "example": {"tradingAccountId": ACCOUNT_ID, "balance": "999989.46"},
            "description": "What changed, as it is now: /asyncapi.json says in which shape.",
        }
    )


class EventPageSchema(StrictSchema):
    """Show events, oldest first."""

    data = fields.List(fields.Nested(EventSchema))
    last_event_id = Whole(
        data_key="lastEventId", metadata={"example": 123, "description": "Give it as `since` to go on."}
    )
    reset = fields.Boolean(
        metadata={
            "x-optional": True,
            "description": "`since` is not kept, not known or taken back: read the state anew. Else left out.",
        }
    )
