"""Positions."""

from marshmallow import fields

from .base import StrictSchema
from .examples import ACCOUNT_ID, POSITION_ID, STOCK_ID
from .fields import MAX_IDENTIFIER, Flag, Identifier, Money, Timestamp, Whole
from .orders import EXCHANGES, PRODUCTS


class PositionSchema(StrictSchema):
    """A position; the caller adds `average_price` and `unrealized_pnl` to its row."""

    id = Identifier(data_key="positionId", metadata={"example": POSITION_ID})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    stock_id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    product = fields.String(metadata={"enum": list(PRODUCTS)})
    quantity = Whole(
        minimum=-MAX_IDENTIFIER,
        metadata={"example": 10, "description": "The signed quantity: negative if the position is short."},
    )
    average_price = Money(data_key="averagePrice", allow_none=True, metadata={"example": "2500.00"})
    realized_pnl = Money(data_key="realizedPnl", metadata={"example": "0.00"})
    unrealized_pnl = Money(data_key="unrealizedPnl", allow_none=True, metadata={"example": "0.00"})
    blocked_margin = Money(data_key="blockedMargin", metadata={"example": "5000.00"})
    last_price = Money(data_key="lastPrice", allow_none=True, metadata={"example": "2500.00"})
    updated_at = Timestamp(data_key="updatedAt")


class ClosingSchema(StrictSchema):
    """The way to close a position; the body may be left out."""

    cancel_open_orders = Flag(
        data_key="cancelOpenOrders",
        load_default=False,
        metadata={"description": "First cancel the live orders to which the position is promised."},
    )


class PositionPageSchema(StrictSchema):
    """A page of positions."""

    data = fields.List(fields.Nested(PositionSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
