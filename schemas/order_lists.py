"""Queries that select orders: of their list, and of the cancellation of many; and the answer to the latter."""

from marshmallow import fields

from .base import StrictSchema
from .baskets import ProblemAsItIs
from .examples import ORDER_ID
from .fields import Choice, Identifier, Symbol, Timestamp
from .lists import ChoicesParameter
from .orders import EXCHANGES, LIVE_STATUSES, PRODUCT_SPELLINGS, PRODUCTS, SIDES, STATUSES, OrderSchema
from .pages import AccountChoiceSchema, ListSchema
from .problems import ProblemSchema
from .words import Printable


class OrderFilterSchema(AccountChoiceSchema):
    """The filters of orders, named as those of trading.orders.selection."""

    exchange = Choice(*EXCHANGES, load_default=None)
    symbol = Symbol(load_default=None, metadata={"example": "RELIANCE"})
    side = Choice(*SIDES, load_default=None)
    product = Choice(*PRODUCTS, spellings=PRODUCT_SPELLINGS, load_default=None)
    tag = Printable(maximum=20, load_default=None, metadata={"example": "scalper-1"})
    client_order_id = Printable(
        maximum=64,
        data_key="clientOrderId",
        load_default=None,
        metadata={"example": "my-order-1", "description": "The one order that has this `clientOrderId`."},
    )
    placed_from = Timestamp(
        data_key="from", load_default=None, metadata={"description": "Orders with `placedAt` at or after this time."}
    )
    placed_before = Timestamp(
        data_key="to", load_default=None, metadata={"description": "Orders with `placedAt` before this time."}
    )
    updated_from = Timestamp(
        data_key="updatedFrom",
        load_default=None,
        metadata={
            "description": "Orders with `updatedAt` at or after this time, whenever they were placed. The order of the "
            "list stays that of `placedAt`."
        },
    )


class OrderListSchema(OrderFilterSchema, ListSchema):
    """The query of the list of orders."""

    statuses = ChoicesParameter(
        *STATUSES,
        data_key="status",
        load_default=None,
        metadata={
            "description": "One status or several: `status=PENDING&status=OPEN`, or `status=PENDING,OPEN`.",
        },
    )


class CancellationListSchema(OrderFilterSchema):
    """The query that selects the orders to cancel."""

    statuses = ChoicesParameter(
        *LIVE_STATUSES,
        data_key="status",
        load_default=None,
        metadata={"description": "Without it, PENDING and OPEN orders are cancelled."},
    )


class NotCancelledSchema(StrictSchema):
    """An order that was not cancelled, with the problem that its own cancellation would have been answered with."""

    order_id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    problem = ProblemAsItIs(ProblemSchema)


class CancellationsSchema(StrictSchema):
    """The orders that were cancelled, and those that were not."""

    cancelled = fields.List(fields.Nested(OrderSchema), metadata={"description": "The cancelled orders."})
    refused = fields.List(
        fields.Nested(NotCancelledSchema), metadata={"description": "The selected orders that were not cancelled."}
    )
    has_more = fields.Boolean(
        data_key="hasMore",
        metadata={
            "example": False,
            "description": "True if more orders were selected than one request cancels; send it again.",
        },
    )
