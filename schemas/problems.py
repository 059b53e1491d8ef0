"""Problem documents of RFC 9457."""

from marshmallow import fields

from .base import StrictSchema


class ProblemSchema(StrictSchema):
    """Say what is wrong; some codes add members of their own."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    code = fields.String(metadata={"description": "A stable word for programs."})
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with each field; for `validation_failed`."},
    )
