"""Holidays and sessions of a market: the lines of files, the answers of the market's clock and of its calendar."""

from typing import Any

from marshmallow import fields, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .examples import MOMENT
from .fields import Choice, Day, Text, Timestamp

CALENDARS = ("NSE",)
SESSION_CLASSES = ("NORMAL", "AUCTION")
SESSION_KINDS = ("REGULAR", "SPECIAL")
HOLIDAY_KINDS = ("TRADING", "SETTLEMENT")
AS_TIME: dict[str, Any] = {"invalid": "Must be a time like 09:15."}


class HolidaySchema(StrictSchema):
    """One line of a file of holidays."""

    calendar = Choice(*CALENDARS, required=True)
    day = Day(required=True)
    name = Text(maximum=100, required=True)
    kind = Choice(*HOLIDAY_KINDS, load_default="TRADING")


class SessionSchema(StrictSchema):
    """One line of a file of sessions; times are Indian, and without a class the line holds for all classes."""

    calendar = Choice(*CALENDARS, required=True)
    day = Day(required=True)
    session_class = Choice(*SESSION_CLASSES, data_key="class", load_default=None)
    opens_at = fields.Time(data_key="opensAt", required=True, error_messages=AS_TIME)
    closes_at = fields.Time(data_key="closesAt", required=True, error_messages=AS_TIME)
    square_off_at = fields.Time(data_key="squareOffAt", load_default=None, error_messages=AS_TIME)
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


class CalendarQuerySchema(StrictSchema):
    """The days of a calendar."""

    first = Day(
        data_key="from",
        load_default=None,
        metadata={"example": "2026-11-02", "description": "The first day. Default: today in India."},
    )
    last = Day(
        data_key="to",
        load_default=None,
        metadata={
            "example": "2026-11-30",
            "description": "The last day, at most 366 days after `from`. Default: 30 days after `from`.",
        },
    )


class DaySessionSchema(StrictSchema):
    """A session of a class of stocks."""

    day = Day(metadata={"example": "2026-11-02", "description": "The day in India."})
    session_class = fields.String(
        data_key="sessionClass",
        metadata={"enum": list(SESSION_CLASSES), "description": "The class of stocks that it is for."},
    )
    opens_at = Timestamp(
        data_key="opensAt", metadata={"example": "2026-11-02T03:45:00.000000Z", "description": "The opening."}
    )
    closes_at = Timestamp(
        data_key="closesAt",
        metadata={"example": "2026-11-02T10:00:00.000000Z", "description": "The close; the session excludes it."},
    )
    square_off_at = Timestamp(
        data_key="squareOffAt",
        allow_none=True,
        metadata={"description": "The time at which INTRADAY positions are closed; null if nothing is squared off."},
    )
    kind = fields.String(
        metadata={"enum": list(SESSION_KINDS), "description": "SPECIAL: it was imported as an exception."}
    )


class ListedHolidaySchema(StrictSchema):
    """A holiday."""

    day = Day(metadata={"example": "2026-11-10", "description": "The day in India."})
    name = fields.String(metadata={"example": "Diwali Balipratipada", "description": "The name of the holiday."})
    kind = fields.String(
        metadata={
            "enum": list(HOLIDAY_KINDS),
            "description": "TRADING: no regular session. SETTLEMENT: it is traded, and no delivery settles.",
        }
    )


class MarketCalendarSchema(StrictSchema):
    """The sessions and holidays of a market from a first to a last day."""

    calendar = fields.String(
        allow_none=True,
        metadata={"enum": [*CALENDARS, None], "description": "Null for a market that is always open."},
    )
    first = Day(data_key="from", metadata={"example": "2026-11-02", "description": "The first day."})
    last = Day(data_key="to", metadata={"example": "2026-11-30", "description": "The last day."})
    sessions = fields.List(
        fields.Nested(DaySessionSchema), metadata={"description": "The sessions that take place, in their order."}
    )
    holidays = fields.List(fields.Nested(ListedHolidaySchema), metadata={"description": "The holidays, by day."})
