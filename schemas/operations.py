"""What operators and schedulers ask and get."""

from marshmallow import fields

from .base import StrictSchema
from .examples import MESSAGE_ID, ORDER_ID
from .fields import Identifier, Timestamp, Whole, WholeParameter


class SweepRequestSchema(StrictSchema):
    """Bound one sweep."""

    limit = WholeParameter(minimum=1, maximum=500, load_default=25, metadata={"example": 50})


class SweepSchema(StrictSchema):
    """Say what a sweep did."""

    claimed = Whole(metadata={"example": 2})
    executed = Whole(metadata={"example": 2})
    rejected = Whole()
    failed = Whole()
    remaining = Whole(metadata={"description": "PENDING orders, counted to 100,000."})
    duration_ms = Whole(data_key="durationMs", metadata={"example": 14})


class LiveSchema(StrictSchema):
    """Say that the process answers."""

    status = fields.String(metadata={"example": "ok"})


class ReadySchema(StrictSchema):
    """Say whether what the process needs is there."""

    status = fields.String(metadata={"enum": ["ok", "degraded", "unavailable"]})
    database = fields.String(metadata={"enum": ["ok", "read_only", "unavailable", "unfit"]})
    migrations = fields.String(metadata={"enum": ["ok", "pending", "unknown"]})
    broker = fields.String(metadata={"enum": ["ok", "unavailable", "disabled"]})
    warnings = fields.List(
        fields.String(),
        metadata={"x-optional": True, "description": "What an operator should look at; absent when there is nothing."},
    )


class PendingSchema(StrictSchema):
    """Say what waits to be executed."""

    count = Whole(metadata={"description": "Counted to 10,000."})
    oldest_placed_at = Timestamp(data_key="oldestPlacedAt", allow_none=True)
    oldest_age_ms = Whole(data_key="oldestAgeMs", allow_none=True)


class SecondSchema(StrictSchema):
    """Say what happened in one second."""

    at = Timestamp()
    placed = Whole()
    executed = Whole()


class ThroughputSchema(StrictSchema):
    """Say how fast it goes, by the newest 5,000 orders."""

    placed_per_second = fields.Float(data_key="placedPerSecond", metadata={"description": "Of the last 10 s."})
    executed_per_second = fields.Float(data_key="executedPerSecond", metadata={"description": "Of the last 10 s."})
    seconds = fields.List(
        fields.Nested(SecondSchema), metadata={"description": "Every whole second of the last minute that is known."}
    )


class LatencySchema(StrictSchema):
    """Say how long orders took from their acceptance to their execution, in the last 5 minutes."""

    orders = Whole(metadata={"description": "How many orders this is about, of the newest 5,000."})
    p50_ms = fields.Float(data_key="p50Ms", allow_none=True)
    p95_ms = fields.Float(data_key="p95Ms", allow_none=True)
    p99_ms = fields.Float(data_key="p99Ms", allow_none=True)


class LedgerCheckSchema(StrictSchema):
    """Say what the last periodic proof of the books has found."""

    at = Timestamp()
    violations = Whole()
    duration_ms = Whole(data_key="durationMs")


class QueueSchema(StrictSchema):
    """Count the messages of a queue."""

    name = fields.String(metadata={"example": "orders"})
    waiting = Whole(metadata={"example": 3})
    working = Whole(metadata={"example": 4})
    delayed = Whole(metadata={"description": "Waiting for another try."})
    dead = Whole(metadata={"example": 1})


class DeadLetterSchema(StrictSchema):
    """Show a message that has failed for good."""

    message_id = Identifier(data_key="messageId", metadata={"example": MESSAGE_ID})
    queue = fields.String(metadata={"example": "orders"})
    actor = fields.String(metadata={"example": "execute_order"})
    arguments = fields.List(fields.String(metadata={"example": ORDER_ID}))
    error = fields.String(allow_none=True, metadata={"description": "What was raised before the last try."})
    enqueued_at = Timestamp(data_key="enqueuedAt")
    died_at = Timestamp(data_key="diedAt")


class WorkerSchema(StrictSchema):
    """Show a worker process."""

    name = fields.String(metadata={"example": "worker.1:12"})
    silent_ms = Whole(data_key="silentMs", metadata={"example": 400, "description": "Since it was last heard of."})


class BrokerSchema(StrictSchema):
    """Show what Redis knows."""

    queues = fields.List(fields.Nested(QueueSchema))
    dead_letters = fields.List(
        fields.Nested(DeadLetterSchema), data_key="deadLetters", metadata={"description": "The newest 50."}
    )
    workers = fields.List(fields.Nested(WorkerSchema), metadata={"description": "Those of the last minute."})


class OperationsSchema(StrictSchema):
    """Show what an operator watches."""

    at = Timestamp()
    pending = fields.Nested(PendingSchema)
    throughput = fields.Nested(ThroughputSchema)
    latency = fields.Nested(LatencySchema)
    ledger_check = fields.Nested(LedgerCheckSchema, data_key="ledgerCheck", allow_none=True)
    broker = fields.Nested(
        BrokerSchema,
        metadata={"x-optional": True, "x-shown": True, "description": "Absent when Redis does not answer."},
    )
