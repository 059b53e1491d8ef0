"""Baskets: several orders in one request, each with a result of its own."""

from typing import Any

from marshmallow import fields
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .examples import ORDER_ID
from .fields import Identifier, Whole
from .lists import Several
from .order_requests import OrderTermsSchema
from .orders import OrderSchema
from .pages import NAMED_ACCOUNT
from .problems import ProblemSchema

MAX_BASKET = 20


class EachByItself(Several):
    """A list whose items are loaded one by one: each becomes its values or its ValidationError."""

    def _items(self, items: list[Any], **_: Any) -> list[Any]:
        return [self._loaded(item) for item in items]

    def _loaded(self, item: Any) -> Any:
        try:
            return self.inner.deserialize(item)
        except ValidationError as error:
            return error


class ProblemAsItIs(fields.Nested):
    """A problem document, rendered unchanged because its members depend on its code."""

    def _serialize(self, nested_obj: Any, attr: str | None, obj: Any, **_: Any) -> Any:  # type: ignore[override]
        return nested_obj


class BasketSchema(StrictSchema):
    """Orders to place; an invalid order does not affect the others."""

    orders = EachByItself(
        fields.Nested(OrderTermsSchema),
        maximum=MAX_BASKET,
        required=True,
        metadata={"description": "The orders, placed one after the other."},
    )
    account_id = Identifier(data_key="tradingAccountId", load_default=None, metadata=NAMED_ACCOUNT)


class BasketResultSchema(StrictSchema):
    """The result of one order: the order if it was accepted, otherwise the problem."""

    status = Whole(
        minimum=200,
        maximum=599,
        metadata={
            "example": 202,
            "description": "The status with which the order alone would have been answered: 202, 200, 409, 422 …",
        },
    )
    order_id = Identifier(data_key="orderId", metadata={"x-optional": True, "example": ORDER_ID})
    execution_scheduled = fields.Boolean(
        data_key="executionScheduled",
        metadata={
            "x-optional": True,
            "example": True,
            "description": "True: a worker executes the order. False: it is final already.",
        },
    )
    order = fields.Nested(OrderSchema, metadata={"x-optional": True, "x-shown": True})
    problem = ProblemAsItIs(ProblemSchema, metadata={"x-optional": True})


class BasketAnswerSchema(StrictSchema):
    """The results of a basket's orders, in the order of the request."""

    results = fields.List(
        fields.Nested(BasketResultSchema), metadata={"description": "One result for each order of the request."}
    )
