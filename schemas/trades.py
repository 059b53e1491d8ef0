"""Trades: the fills of orders."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID, ORDER_ID, POSITION_ID, STOCK_ID
from .fields import Choice, Identifier, Money, Symbol, Timestamp, Whole
from .orders import EXCHANGES, FILL_RULES, ORIGINS, PRODUCT_SPELLINGS, PRODUCTS, SIDES
from .pages import AccountListSchema
from .words import Printable


class TradeListSchema(AccountListSchema):
    """The query of the list of trades."""

    exchange = Choice(*EXCHANGES, load_default=None)
    symbol = Symbol(load_default=None, metadata={"example": "RELIANCE"})
    side = Choice(*SIDES, load_default=None)
    product = Choice(*PRODUCTS, spellings=PRODUCT_SPELLINGS, load_default=None)
    tag = Printable(maximum=20, load_default=None, metadata={"example": "scalper-1"})
    traded_from = Timestamp(
        data_key="from", load_default=None, metadata={"description": "Trades with `tradedAt` at or after this time."}
    )
    traded_before = Timestamp(
        data_key="to", load_default=None, metadata={"description": "Trades with `tradedAt` before this time."}
    )


class TradeSchema(StrictSchema):
    """A trade: the fill of an order."""

    id = Identifier(
        data_key="tradeId",
        metadata={"example": ORDER_ID, "description": "The id of the trade: that of its order, which fills whole."},
    )
    order_id = Identifier(data_key="orderId", metadata={"example": ORDER_ID})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    client_order_id = fields.String(data_key="clientOrderId", allow_none=True)
    position_id = Identifier(
        data_key="positionId", metadata={"example": POSITION_ID, "description": "The position that the trade changed."}
    )
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    stock_id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    side = fields.String(metadata={"enum": list(SIDES)})
    product = fields.String(metadata={"enum": list(PRODUCTS)})
    quantity = Whole(metadata={"example": 10})
    price = Money(metadata={"example": "2500.00", "description": "The price of the fill, in rupees."})
    charges = Money(metadata={"example": "10.54", "description": "The charges of the order."})
    rule = fields.String(
        allow_none=True,
        metadata={
            "enum": [*FILL_RULES, None],
            "description": "The rule that filled the order; null for the fill model IMMEDIATE.",
        },
    )
    origin = fields.String(metadata={"enum": list(ORIGINS)})
    tag = fields.String(allow_none=True)
    traded_at = Timestamp(data_key="tradedAt", metadata={"description": "The time of the fill."})


class TradePageSchema(StrictSchema):
    """A page of trades."""

    data = fields.List(fields.Nested(TradeSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)


class OrderTradesSchema(StrictSchema):
    """The trades of an order."""

    data = fields.List(fields.Nested(TradeSchema))
