"""The answer to a preview of an order."""

from marshmallow import fields

from .base import StrictSchema
from .fields import Money, Whole
from .orders import WAITS, ChargeItemsSchema


class PreviewSchema(StrictSchema):
    """The margin and the charges that an order would need."""

    price = Money(
        metadata={"example": "2500.00", "description": "The price in rupees for which margin and charges are computed."}
    )
    margin = Money(metadata={"example": "5000.00", "description": "The margin in rupees that a placement would block."})
    charges = Money(metadata={"example": "10.54"})
    charge_items = fields.Nested(ChargeItemsSchema, data_key="chargeItems")
    closing_quantity = Whole(
        data_key="closingQuantity", metadata={"description": "The part that closes what is held; it needs no margin."}
    )
    opening_quantity = Whole(
        data_key="openingQuantity", metadata={"example": 10, "description": "The part that opens; it needs margin."}
    )
    available_margin = Money(
        data_key="availableMargin",
        metadata={"example": "1000000.00", "description": "The available margin of the account now."},
    )
    available_margin_after = Money(
        data_key="availableMarginAfter",
        metadata={
            "example": "994989.46",
            "description": "`availableMargin` less `margin` and `charges`; negative if it does not suffice.",
        },
    )
    would_fill = fields.Boolean(
        data_key="wouldFill",
        metadata={"example": True, "description": "True if the order would fill at once, on the present quote."},
    )
    fill_price = Money(
        data_key="fillPrice",
        allow_none=True,
        metadata={
            "example": "2500.00",
            "description": "The price of that fill; null if the order would not fill at once.",
        },
    )
    would_wait_for = fields.String(
        data_key="wouldWaitFor",
        allow_none=True,
        metadata={
            "enum": [*WAITS, None],
            "description": "The thing that the order would rest for; null if it would fill, or, with the validity IOC, "
            "end.",
        },
    )
    refusal = fields.String(
        allow_none=True,
        metadata={
            "x-term": "ProblemCode",
            "description": "The code of the problem with which the order would be refused now, or null.",
        },
    )
