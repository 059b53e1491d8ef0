"""Problem documents of RFC 9457."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ORDER_ID


class ProblemSchema(StrictSchema):
    """A problem document; some codes have further members."""

    type = fields.String(metadata={"example": "urn:tradepost:problem:not_found"})
    title = fields.String(metadata={"example": "Not found"})
    status = fields.Integer(metadata={"example": 404})
    detail = fields.String(metadata={"example": "There is no such thing here."})
    instance = fields.String(metadata={"example": f"/api/trading/orders/{ORDER_ID}"})
    code = fields.String(
        metadata={"example": "not_found", "description": "The kind of the problem, a stable word for programs."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "x-optional": True,
            "description": "The messages for each invalid field; only for `validation_failed`.",
        },
    )
