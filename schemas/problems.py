"""Problem documents of RFC 9457."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ORDER_ID


class ProblemSchema(StrictSchema):
    """Say what is wrong; some codes add members of their own."""

    type = fields.String(metadata={"example": "urn:tradepost:problem:not_found"})
    title = fields.String(metadata={"example": "Not found"})
    status = fields.Integer(metadata={"example": 404})
    detail = fields.String(metadata={"example": "There is no such thing here."})
    instance = fields.String(metadata={"example": f"/api/trading/orders/{ORDER_ID}"})
    code = fields.String(metadata={"example": "not_found", "description": "A stable word for programs."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"x-optional": True, "description": "What is wrong with each field; for `validation_failed`."},
    )
