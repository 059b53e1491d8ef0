"""What operators and schedulers ask and get."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Whole, WholeParameter


class SweepRequestSchema(StrictSchema):
    """Bound one sweep."""

    limit = WholeParameter(minimum=1, maximum=500, load_default=25)


class SweepSchema(StrictSchema):
    """Say what a sweep did."""

    claimed = Whole()
    executed = Whole()
    rejected = Whole()
    failed = Whole()
    remaining = Whole()
    duration_ms = Whole(data_key="durationMs")


class LiveSchema(StrictSchema):
    """Say that the process answers."""

    status = fields.String()


class ReadySchema(StrictSchema):
    """Say whether what the process needs is there."""

    status = fields.String(metadata={"enum": ["ok", "degraded", "unavailable"]})
    database = fields.String(metadata={"enum": ["ok", "unavailable"]})
    migrations = fields.String(metadata={"enum": ["ok", "pending", "unknown"]})
    broker = fields.String(metadata={"enum": ["ok", "unavailable", "disabled"]})
    warnings = fields.List(
        fields.String(), metadata={"description": "What an operator should look at; absent when there is nothing."}
    )
