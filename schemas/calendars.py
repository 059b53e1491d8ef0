"""Holidays and sessions of a market's calendar: the lines of files, and the answer of the market's clock."""

from typing import Any

from marshmallow import fields, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .examples import MOMENT
from .fields import Choice, Text, Timestamp

CALENDARS = ("NSE",)
SESSION_CLASSES = ("NORMAL", "AUCTION")
SESSION_KINDS = ("REGULAR", "SPECIAL")
HOLIDAY_KINDS = ("TRADING", "SETTLEMENT")


class HolidaySchema(StrictSchema):
    """One line of a file of holidays."""

    calendar = Choice(*CALENDARS, required=True)
    day = fields.Date(required=True)
    name = Text(maximum=100, required=True)
    kind = Choice(*HOLIDAY_KINDS, load_default="TRADING")


class SessionSchema(StrictSchema):
    """One line of a file of sessions; times are Indian, and without a class the line holds for all classes."""

    calendar = Choice(*CALENDARS, required=True)
    day = fields.Date(required=True)
    session_class = Choice(*SESSION_CLASSES, data_key="class", load_default=None)
    opens_at = fields.Time(data_key="opensAt", required=True)
    closes_at = fields.Time(data_key="closesAt", required=True)
    square_off_at = fields.Time(data_key="squareOffAt", load_default=None)
    kind = Choice(*SESSION_KINDS, load_default="SPECIAL")

    @validates_schema
    def check_order(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse times with an offset, and times that are not in order."""
        given = {name: data[name] for name in ("opens_at", "closes_at", "square_off_at") if data.get(name) is not None}
        if any(moment.tzinfo is not None for moment in given.values()):
            raise ValidationError("Must be an Indian time without an offset.", "opensAt")
        if data["opens_at"] >= data["closes_at"]:
            raise ValidationError("Must be later than opensAt.", "closesAt")
        if "square_off_at" in given and not data["opens_at"] < data["square_off_at"] <= data["closes_at"]:
            raise ValidationError("Must be later than opensAt and at most closesAt.", "squareOffAt")


class ClassSessionSchema(StrictSchema):
    """The open session of a class of stocks, or its next one if none is open; unknown times are null."""

    session_class = fields.String(data_key="sessionClass", metadata={"enum": list(SESSION_CLASSES)})
    is_open = fields.Boolean(data_key="open", metadata={"description": "True if orders of this class may fill now."})
    opens_at = Timestamp(
        data_key="opensAt", allow_none=True, metadata={"description": "Null in a market that is always open."}
    )
    closes_at = Timestamp(
        data_key="closesAt",
        allow_none=True,
        metadata={"example": MOMENT, "description": "The time at which DAY orders end; the session excludes it."},
    )
    square_off_at = Timestamp(
        data_key="squareOffAt",
        allow_none=True,
        metadata={"description": "The time at which INTRADAY positions are closed; null if nothing is squared off."},
    )
    next_opens_at = Timestamp(
        data_key="nextOpensAt",
        allow_none=True,
        metadata={"description": "The opening of the next session; null if none is known, or the market never closes."},
    )


class MarketClockSchema(StrictSchema):
    """The time of the market, and the session of each class of stocks."""

    at = Timestamp(metadata={"example": MOMENT, "description": "The time by the service's clock."})
    calendar = fields.String(
        allow_none=True,
        metadata={"enum": [*CALENDARS, None], "description": "Null for a market that is always open."},
    )
    sessions = fields.List(
        fields.Nested(ClassSessionSchema), metadata={"description": "One entry for each class of stocks."}
    )
