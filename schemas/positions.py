"""Positions."""

from marshmallow import fields

from .base import StrictSchema
from .fields import MAX_IDENTIFIER, Identifier, Money, Timestamp, Whole
from .orders import EXCHANGES, PRODUCTS


class PositionSchema(StrictSchema):
    """Show a position; `average_price` and `unrealized_pnl` are put into the row before."""

    id = Identifier(data_key="positionId")
    account_id = Identifier(data_key="tradingAccountId")
    stock_id = Identifier(data_key="stockId")
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String()
    product = fields.String(metadata={"enum": list(PRODUCTS)})
    quantity = Whole(minimum=-MAX_IDENTIFIER, metadata={"description": "Negative when short."})
    average_price = Money(data_key="averagePrice", allow_none=True)
    realized_pnl = Money(data_key="realizedPnl")
    unrealized_pnl = Money(data_key="unrealizedPnl", allow_none=True)
    blocked_margin = Money(data_key="blockedMargin")
    last_price = Money(data_key="lastPrice", allow_none=True)
    updated_at = Timestamp(data_key="updatedAt")


class PositionPageSchema(StrictSchema):
    """Show one page of positions."""

    data = fields.List(fields.Nested(PositionSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
