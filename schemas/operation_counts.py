"""The counts, processes, due orders and daily work of the operator's page."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID, ORDER_ID
from .fields import Identifier, Timestamp, Whole
from .orders import EXCHANGES, SIDES


class OutcomeCountSchema(StrictSchema):
    """The number of orders or requests with one code."""

    code = fields.String(metadata={"example": "insufficient_margin", "description": "The code or the reason."})
    count = Whole(metadata={"example": 3, "description": "How often it came."})


class CountsSchema(StrictSchema):
    """Counts of this machine's processes since they started: rates are the differences of two readings."""

    quotes = Whole(metadata={"description": "The quotes that feeders have sent."})
    unusable_quotes = Whole(
        data_key="unusableQuotes", metadata={"description": "Those of them that could not match orders."}
    )
    requests = Whole(metadata={"description": "The HTTP requests that were answered."})
    failed_requests = Whole(
        data_key="failedRequests", metadata={"description": "Those of them that were answered with 500 or more."}
    )
    accepted = Whole(metadata={"description": "The placements that were accepted."})
    refusals = fields.List(
        fields.Nested(OutcomeCountSchema),
        metadata={"description": "The placements that were refused, by the problem's code, the most frequent first."},
    )
    rejections = fields.List(
        fields.Nested(OutcomeCountSchema),
        metadata={"description": "The orders that were accepted and rejected at their execution, by reason."},
    )


class ListenersSchema(StrictSchema):
    """The listeners of the event streams, of all web processes of this machine."""

    connected = Whole(metadata={"example": 12, "description": "The listeners that are connected."})
    allowed = Whole(metadata={"example": 16000, "description": "The largest number; more are refused."})


class PoolSchema(StrictSchema):
    """The database connections of this machine's processes of one kind."""

    process = fields.String(metadata={"example": "web", "description": "The kind of process: web or worker."})
    in_use = Whole(data_key="inUse", metadata={"example": 3, "description": "Connections in use."})
    open = Whole(metadata={"example": 9, "description": "Connections in use and idle ones."})
    waiting = Whole(metadata={"description": "Requests and threads that wait for a connection."})
    allowed = Whole(metadata={"example": 32, "description": "The size of all pools together."})


class DueOrderSchema(StrictSchema):
    """An order for which a worker is due."""

    id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    account_id = Identifier(data_key="accountId", metadata={"example": ACCOUNT_ID, "description": "Its account."})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    side = fields.String(metadata={"enum": list(SIDES)})
    quantity = Whole(metadata={"example": 10})
    status = fields.String(metadata={"enum": ["PENDING", "OPEN"], "description": "The status of the order."})
    age_ms = Whole(data_key="ageMs", metadata={"description": "The time for which a worker has been due."})


class DailyWorkSchema(StrictSchema):
    """Work that is done once a day."""

    work = fields.String(metadata={"example": "square-off", "description": "The name of the work."})
    behind_ms = Whole(
        data_key="behindMs", metadata={"description": "The time since it was due and is not done; 0 if it is done."}
    )


class JobRunSchema(StrictSchema):
    """The work of one day."""

    day = fields.Date(metadata={"example": "2026-11-27", "description": "The trading day, in India."})
    name = fields.String(
        metadata={
            "example": "square-off NORMAL",
            "description": "The name of the work, and the class of stocks if it has one.",
        }
    )
    started_at = Timestamp(data_key="startedAt", metadata={"description": "The time at which it began."})
    finished_at = Timestamp(
        data_key="finishedAt", allow_none=True, metadata={"description": "The time of its end; null while it runs."}
    )
    is_skipped = fields.Boolean(data_key="skipped", metadata={"description": "True: an operator let it count as done."})


class MinuteSchema(StrictSchema):
    """The orders of one minute."""

    at = Timestamp()
    placed = Whole(metadata={"description": "The orders placed in this minute."})
    executed = Whole(metadata={"description": "The orders filled in this minute."})


class HistorySchema(StrictSchema):
    """The orders of the last hour, from the newest 50,000."""

    minutes = fields.List(
        fields.Nested(MinuteSchema),
        metadata={"description": "Each whole minute of the last hour that the newest orders cover."},
    )


class CheckStateSchema(StrictSchema):
    """A check of the ledger that has not ended."""

    state = fields.String(
        metadata={"enum": ["asked", "running"], "description": "`asked`: no worker has begun it yet."}
    )
    since = Timestamp(metadata={"description": "The time at which this state began."})
