"""Baskets: several orders in one request, and what became of each."""

from typing import Any

from marshmallow import fields
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .examples import ORDER_ID
from .fields import Identifier, Whole
from .lists import Several
from .orders import OrderSchema, OrderTermsSchema
from .problems import ProblemSchema

MAX_BASKET = 20


class EachByItself(Several):
    """A list of which each item is judged by itself: what it was made into, or the ValidationError."""

    def _items(self, items: list[Any], **_: Any) -> list[Any]:
        return [self._judged(item) for item in items]

    def _judged(self, item: Any) -> Any:
        try:
            return self.inner.deserialize(item)
        except ValidationError as error:
            return error


class ProblemAsItIs(fields.Nested):
    """A problem document that stands as it is, with the members of its code."""

    def _serialize(self, nested_obj: Any, attr: str | None, obj: Any, **_: Any) -> Any:  # type: ignore[override]
        return nested_obj


class BasketSchema(StrictSchema):
    """Place several orders; one that is not valid is refused by itself."""

    orders = EachByItself(fields.Nested(OrderTermsSchema), maximum=MAX_BASKET, required=True)
    account_id = Identifier(data_key="tradingAccountId", load_default=None)


class BasketResultSchema(StrictSchema):
    """Show what became of one order: the order when it was accepted, else the problem."""

    status = Whole(
        minimum=200,
        maximum=599,
        metadata={
            "example": 202,
            "description": "What placing it alone would have been answered with: 202, 200, 409, 422 …",
        },
    )
    order_id = Identifier(data_key="orderId", metadata={"x-optional": True, "example": ORDER_ID})
    execution_scheduled = fields.Boolean(data_key="executionScheduled", metadata={"x-optional": True, "example": True})
    order = fields.Nested(OrderSchema, metadata={"x-optional": True, "x-shown": True})
    problem = ProblemAsItIs(ProblemSchema, metadata={"x-optional": True})


class BasketAnswerSchema(StrictSchema):
    """Show what became of each order, in the order of the request."""

    results = fields.List(fields.Nested(BasketResultSchema))
