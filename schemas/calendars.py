"""Holidays of a market's calendar."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Choice, Text


class HolidaySchema(StrictSchema):
    """One line of a file of holidays."""

    calendar = Choice("NSE", required=True)
    day = fields.Date(required=True)
    name = Text(maximum=100, required=True)
