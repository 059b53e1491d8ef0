"""The answers of the health checks."""

from marshmallow import fields

from .base import StrictSchema


class LiveSchema(StrictSchema):
    """The answer of a live process."""

    status = fields.String(metadata={"example": "ok", "description": "Always `ok`: a process that answers is live."})


class ReadySchema(StrictSchema):
    """The readiness of a process and of its dependencies."""

    status = fields.String(
        metadata={
            "enum": ["ok", "degraded", "unavailable"],
            "description": "`degraded`: without the broker orders are still accepted and executed.",
        }
    )
    database = fields.String(
        metadata={
            "enum": ["ok", "read_only", "unavailable", "unfit"],
            "description": "`read_only`: it is a standby. `unfit`: it lacks something that the service needs.",
        }
    )
    migrations = fields.String(
        metadata={
            "enum": ["ok", "pending", "unknown"],
            "description": "`pending`: run `db upgrade`. `unknown`: the database cannot be asked.",
        }
    )
    broker = fields.String(
        metadata={
            "enum": ["ok", "unavailable", "disabled"],
            "description": "Redis; `disabled`: the service runs without one.",
        }
    )
    warnings = fields.List(
        fields.String(),
        metadata={
            "x-optional": True,
            "description": "Conditions that an operator should look at; absent if there are none.",
        },
    )
