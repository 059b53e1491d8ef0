"""Requests and responses for operators and schedulers."""

from marshmallow import fields

from .base import StrictSchema
from .examples import MESSAGE_ID, ORDER_ID
from .fields import Identifier, Timestamp, Whole, WholeParameter
from .operation_counts import (
    CheckStateSchema,
    CountsSchema,
    DailyWorkSchema,
    DueOrderSchema,
    JobRunSchema,
    ListenersSchema,
    PoolSchema,
)


class SweepRequestSchema(StrictSchema):
    """The query of a sweep."""

    limit = WholeParameter(
        minimum=1,
        maximum=500,
        load_default=25,
        metadata={
            "example": 50,
            "description": "The largest number of orders of each kind: due, to be released, expired.",
        },
    )


class SweepSchema(StrictSchema):
    """The counts of a sweep."""

    claimed = Whole(metadata={"example": 2, "description": "The due orders that the sweep took."})
    executed = Whole(metadata={"example": 2, "description": "Those of them that were filled."})
    rejected = Whole(metadata={"description": "Those of them that could not be filled."})
    failed = Whole(metadata={"description": "Those of them whose execution failed; another sweep tries again."})
    opened = Whole(metadata={"description": "The number of orders that rest from now on."})
    cancelled = Whole(metadata={"description": "The number of orders that were not filled and may not rest."})
    expired = Whole(metadata={"description": "The number of orders whose time is over."})
    remaining = Whole(
        metadata={"description": "The number of orders that a worker is due for, counted up to 100,000. None rests."}
    )
    daily_work_done = fields.Boolean(
        data_key="dailyWorkDone",
        metadata={"example": True, "description": "True if none of the work that is due once a day is missing."},
    )
    duration_ms = Whole(data_key="durationMs", metadata={"example": 14, "description": "The time that the sweep took."})


class PendingSchema(StrictSchema):
    """The orders for which a worker is due; orders that rest are not among them."""

    count = Whole(metadata={"description": "The number of these orders, counted up to 10,000."})
    oldest_placed_at = Timestamp(
        data_key="oldestPlacedAt",
        allow_none=True,
        metadata={"description": "The placement of the oldest of them; null if there is none."},
    )
    oldest_age_ms = Whole(
        data_key="oldestAgeMs", allow_none=True, metadata={"description": "Its age; null if there is none."}
    )


class RestingSchema(StrictSchema):
    """The OPEN orders that wait for the market, and whether it has passed any of them by."""

    for_price = Whole(
        data_key="forPrice",
        metadata={"description": "The number of orders whose price is watched, counted up to 10,000."},
    )
    for_trigger = Whole(
        data_key="forTrigger",
        metadata={"description": "The number of orders whose trigger is watched, counted up to 10,000."},
    )
    expiry_behind_ms = Whole(
        data_key="expiryBehindMs",
        metadata={"description": "The time since the end of the oldest order that should have expired; 0 if none."},
    )
    late_matches = Whole(
        data_key="lateMatches",
        metadata={
            "description": "The matches that only a level sweep found, counted by this machine's processes since they"
            " started; must be 0."
        },
    )


class SecondSchema(StrictSchema):
    """The orders of one second."""

    at = Timestamp()
    placed = Whole(metadata={"description": "The orders placed in this second."})
    executed = Whole(metadata={"description": "The orders filled in this second."})


class ThroughputSchema(StrictSchema):
    """The throughput, from the newest 5,000 orders."""

    placed_per_second = fields.Float(data_key="placedPerSecond", metadata={"description": "In the last 10 s."})
    executed_per_second = fields.Float(data_key="executedPerSecond", metadata={"description": "In the last 10 s."})
    seconds = fields.List(
        fields.Nested(SecondSchema),
        metadata={"description": "Each whole second of the last minute that the newest orders cover."},
    )


class LatencySchema(StrictSchema):
    """The times to the executions of the last 5 minutes."""

    orders = Whole(metadata={"description": "The number of these orders among the newest 5,000."})
    p50_ms = fields.Float(
        data_key="p50Ms", allow_none=True, metadata={"description": "50 % took at most this; null without orders."}
    )
    p95_ms = fields.Float(
        data_key="p95Ms", allow_none=True, metadata={"description": "95 % took at most this; null without orders."}
    )
    p99_ms = fields.Float(
        data_key="p99Ms", allow_none=True, metadata={"description": "99 % took at most this; null without orders."}
    )


class LedgerCheckSchema(StrictSchema):
    """The result of the last check of the ledger."""

    at = Timestamp(metadata={"description": "The end of the check."})
    violations = Whole(metadata={"description": "The invariants that were found broken; must be 0."})
    duration_ms = Whole(data_key="durationMs", metadata={"description": "The time that the check took."})


class QueueSchema(StrictSchema):
    """The numbers of messages of a queue."""

    name = fields.String(metadata={"example": "orders", "description": "The name of the queue."})
    waiting = Whole(metadata={"example": 3, "description": "Messages that no worker has taken yet."})
    working = Whole(metadata={"example": 4, "description": "Messages that workers have taken."})
    delayed = Whole(metadata={"description": "Messages that wait for another attempt."})
    dead = Whole(metadata={"example": 1, "description": "Messages that failed and are not tried again."})


class DeadLetterSchema(StrictSchema):
    """A message that failed and is not retried."""

    message_id = Identifier(
        data_key="messageId", metadata={"example": MESSAGE_ID, "description": "The id by which it can be sent again."}
    )
    queue = fields.String(metadata={"example": "orders", "description": "The queue of the message."})
    actor = fields.String(
        metadata={"example": "execute_order", "description": "The function that was to handle the message."}
    )
    arguments = fields.List(
        fields.String(metadata={"example": ORDER_ID}), metadata={"description": "Its arguments, as text."}
    )
    error = fields.String(allow_none=True, metadata={"description": "The error of the attempt before the last one."})
    enqueued_at = Timestamp(data_key="enqueuedAt", metadata={"description": "The time at which it was sent."})
    died_at = Timestamp(data_key="diedAt", metadata={"description": "The time of its last attempt."})


class WorkerSchema(StrictSchema):
    """A worker process."""

    name = fields.String(metadata={"example": "worker.1:12", "description": "Its host or dyno, and its process id."})
    silent_ms = Whole(
        data_key="silentMs", metadata={"example": 400, "description": "The time since its last heartbeat."}
    )


class BrokerSchema(StrictSchema):
    """The queues, the workers and an unfinished check of the ledger, as Redis has them."""

    queues = fields.List(fields.Nested(QueueSchema), metadata={"description": "The queues with their messages."})
    dead_letters = fields.List(
        fields.Nested(DeadLetterSchema), data_key="deadLetters", metadata={"description": "The newest 50 dead letters."}
    )
    workers = fields.List(
        fields.Nested(WorkerSchema), metadata={"description": "The workers with a heartbeat in the last minute."}
    )
    ledger_check = fields.Nested(
        CheckStateSchema,
        data_key="ledgerCheck",
        allow_none=True,
        metadata={"description": "The check of the ledger that is asked for or running; null if there is none."},
    )


class OperationsSchema(StrictSchema):
    """The state of the service, for an operator."""

    at = Timestamp()
    version = fields.String(metadata={"example": "0.1.0", "description": "The release of this web process."})
    pending = fields.Nested(PendingSchema)
    due_orders = fields.List(
        fields.Nested(DueOrderSchema),
        data_key="dueOrders",
        metadata={"description": "The ten orders for which a worker has been due the longest."},
    )
    resting = fields.Nested(RestingSchema)
    throughput = fields.Nested(ThroughputSchema)
    latency = fields.Nested(
        LatencySchema, metadata={"description": "From the placement, of orders that filled without a wait."}
    )
    fills = fields.Nested(
        LatencySchema, metadata={"description": "From the quote's match, of orders that waited for the market."}
    )
    machine = fields.String(
        metadata={
            "example": "web-1",
            "description": "The machine whose processes have the counts, listeners and pools.",
        }
    )
    counts = fields.Nested(CountsSchema)
    listeners = fields.Nested(ListenersSchema)
    pools = fields.List(
        fields.Nested(PoolSchema), metadata={"description": "The database connections of this machine's processes."}
    )
    daily_work = fields.List(
        fields.Nested(DailyWorkSchema),
        data_key="dailyWork",
        metadata={"description": "The work that is done once a day, and how late each is."},
    )
    job_runs = fields.List(
        fields.Nested(JobRunSchema),
        data_key="jobRuns",
        metadata={"description": "The daily work of the last week, the latest day first."},
    )
    ledger_check = fields.Nested(
        LedgerCheckSchema,
        data_key="ledgerCheck",
        allow_none=True,
        metadata={"x-shown": True, "description": "The result of the last check; null if there was none."},
    )
    broker = fields.Nested(
        BrokerSchema,
        metadata={"x-optional": True, "x-shown": True, "description": "Absent if Redis does not answer."},
    )
