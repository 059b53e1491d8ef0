"""Positions."""

from marshmallow import fields

from .base import StrictSchema
from .baskets import ProblemAsItIs
from .examples import ACCOUNT_ID, OTHER_POSITION_ID, POSITION_ID, STOCK_ID
from .fields import MAX_IDENTIFIER, Choice, Flag, Identifier, Money, Symbol, Timestamp, Whole
from .order_requests import MAX_QUANTITY
from .orders import EXCHANGES, PRODUCT_SPELLINGS, PRODUCTS, PlacementSchema
from .pages import AccountListSchema, FlagParameter
from .problems import ProblemSchema


class PositionFilterSchema(StrictSchema):
    """The filters of positions, named as those of trading.accounts.portfolio; null is no filter, but a mistake."""

    exchange = Choice(*EXCHANGES)
    symbol = Symbol(metadata={"example": "RELIANCE"})
    product = Choice(*PRODUCTS, spellings=PRODUCT_SPELLINGS)


class PositionListSchema(PositionFilterSchema, AccountListSchema):
    """The query of the list of positions."""

    is_open = FlagParameter(
        data_key="open",
        metadata={"description": "`true`: only positions with a quantity; `false`: only flat ones."},
    )


class HoldingListSchema(AccountListSchema):
    """The query of the list of holdings."""

    exchange = Choice(*EXCHANGES, load_default=None)
    symbol = Symbol(load_default=None, metadata={"example": "RELIANCE"})


class PositionSchema(StrictSchema):
    """A position; the caller adds its average price, its profits and the figures of the day to its row."""

    id = Identifier(data_key="positionId", metadata={"example": POSITION_ID, "description": "The id of the position."})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    stock_id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    product = fields.String(metadata={"enum": list(PRODUCTS)})
    quantity = Whole(
        minimum=-MAX_IDENTIFIER,
        metadata={"example": 10, "description": "The signed quantity: negative if the position is short."},
    )
    average_price = Money(
        data_key="averagePrice",
        allow_none=True,
        metadata={"example": "2500.00", "description": "The average price of the open quantity; null if it is flat."},
    )
    realized_pnl = Money(data_key="realizedPnl", metadata={"example": "0.00"})
    unrealized_pnl = Money(data_key="unrealizedPnl", allow_none=True, metadata={"example": "0.00"})
    blocked_margin = Money(
        data_key="blockedMargin",
        metadata={"example": "5000.00", "description": "The margin in rupees that the open quantity blocks."},
    )
    last_price = Money(data_key="lastPrice", allow_none=True, metadata={"example": "2500.00"})
    overnight_quantity = Whole(
        minimum=-MAX_IDENTIFIER,
        data_key="overnightQuantity",
        metadata={"example": 0, "description": "The signed quantity that was carried into the trading day."},
    )
    day_buy_quantity = Whole(
        data_key="dayBuyQuantity", metadata={"example": 10, "description": "The shares bought today."}
    )
    day_buy_value = Money(
        data_key="dayBuyValue", metadata={"example": "25000.00", "description": "Their price in all, in rupees."}
    )
    day_sell_quantity = Whole(
        data_key="daySellQuantity", metadata={"example": 0, "description": "The shares sold today."}
    )
    day_sell_value = Money(
        data_key="daySellValue", metadata={"example": "0.00", "description": "Their price in all, in rupees."}
    )
    day_pnl = Money(
        data_key="dayPnl",
        allow_none=True,
        metadata={
            "example": "0.00",
            "description": "The profit of the day: sales less purchases, plus the quantity at the last price, less the "
            "carried quantity at the previous close. Null without a price that it needs.",
        },
    )
    updated_at = Timestamp(data_key="updatedAt")


class HoldingSchema(StrictSchema):
    """The part of a DELIVERY position that was bought on earlier days."""

    id = Identifier(data_key="positionId", metadata={"example": POSITION_ID, "description": "The id of the position."})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    stock_id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    quantity = Whole(metadata={"example": 10, "description": "`settledQuantity` and `t1Quantity` together."})
    settled_quantity = Whole(
        data_key="settledQuantity", metadata={"example": 10, "description": "Bought on an earlier day, and settled."}
    )
    t1_quantity = Whole(
        data_key="t1Quantity", metadata={"example": 0, "description": "Bought on an earlier day, not yet settled."}
    )
    sold_today = Whole(
        data_key="soldToday", metadata={"example": 0, "description": "Sold today out of the shares of earlier days."}
    )
    average_price = Money(
        data_key="averagePrice",
        allow_none=True,
        metadata={"example": "2500.00", "description": "The average of the whole position, today's shares included."},
    )
    last_price = Money(data_key="lastPrice", allow_none=True, metadata={"example": "2500.00"})
    previous_close = Money(data_key="previousClose", allow_none=True, metadata={"example": "2490.00"})
    day_change = Money(
        data_key="dayChange",
        allow_none=True,
        metadata={"example": "10.00", "description": "`lastPrice` less `previousClose`, for one share."},
    )
    unrealized_pnl = Money(data_key="unrealizedPnl", allow_none=True, metadata={"example": "0.00"})


class HoldingPageSchema(StrictSchema):
    """A page of holdings."""

    data = fields.List(fields.Nested(HoldingSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)


class ConversionSchema(StrictSchema):
    """The quantity to convert, and the product it gets; the body may be left out."""

    quantity = Whole(
        minimum=1,
        maximum=MAX_IDENTIFIER,
        load_default=None,
        metadata={"example": 5, "description": "Without it all that may be converted is."},
    )
    product = Choice(
        *PRODUCTS,
        spellings=PRODUCT_SPELLINGS,
        load_default=None,
        metadata={
            "example": "DELIVERY",
            "description": "The product that the shares get. It may be left out; the position's own is refused.",
        },
    )


class ConvertedSchema(StrictSchema):
    """A conversion: the quantity that has moved from one position to another, and its cost."""

    id = Whole(data_key="conversionId", metadata={"example": 12, "description": "The number of the conversion."})
    account_id = Identifier(data_key="tradingAccountId", metadata={"example": ACCOUNT_ID})
    from_position = Identifier(
        data_key="fromPositionId",
        metadata={"example": POSITION_ID, "description": "The position that the shares left."},
    )
    to_position = Identifier(
        data_key="toPositionId",
        metadata={"example": OTHER_POSITION_ID, "description": "The position of the other product, which got them."},
    )
    quantity = Whole(metadata={"example": 5})
    cost = Money(metadata={"example": "12500.00", "description": "The cost in rupees that moved with the shares."})
    changed_at = Timestamp(data_key="convertedAt", metadata={"description": "The time of the conversion."})
    source = fields.Nested(
        PositionSchema, data_key="from", metadata={"description": "The position that the shares left, as it is now."}
    )
    target = fields.Nested(
        PositionSchema, data_key="to", metadata={"description": "The position that got them, as it is now."}
    )


class ClosingSchema(StrictSchema):
    """The part of a position to close, and the way; the body may be left out."""

    quantity = Whole(
        minimum=1,
        maximum=MAX_QUANTITY,
        load_default=None,
        metadata={"example": 4, "description": "Without it all that no live order will close is closed."},
    )
    cancel_open_orders = Flag(
        data_key="cancelOpenOrders",
        load_default=False,
        metadata={"description": "First cancel the live orders to which the position is promised."},
    )


class ClosingAllSchema(PositionFilterSchema):
    """The positions to close, and the way; the body may be left out."""

    cancel_open_orders = Flag(
        data_key="cancelOpenOrders",
        load_default=False,
        metadata={"description": "First cancel the live orders to which each position is promised."},
    )


class ClosedSchema(PlacementSchema):
    """The order that closes a position, as its placement alone would have been answered."""

    position_id = Identifier(data_key="positionId", metadata={"example": POSITION_ID})
    status = Whole(
        minimum=200,
        maximum=202,
        metadata={"example": 202, "description": "The status with which the order alone would have been answered."},
    )


class NotClosedSchema(StrictSchema):
    """A position for which no order was placed, with the problem that its own close would have been answered with."""

    position_id = Identifier(data_key="positionId", metadata={"example": POSITION_ID})
    problem = ProblemAsItIs(ProblemSchema)


class ClosingsSchema(StrictSchema):
    """The orders that close positions, and the positions for which none was placed."""

    placed = fields.List(fields.Nested(ClosedSchema), metadata={"description": "The closing orders."})
    refused = fields.List(
        fields.Nested(NotClosedSchema), metadata={"description": "The selected positions that get no order."}
    )
    has_more = fields.Boolean(
        data_key="hasMore",
        metadata={
            "example": False,
            "description": "True if more positions were selected than one request closes; send it again.",
        },
    )


class PositionPageSchema(StrictSchema):
    """A page of positions."""

    data = fields.List(fields.Nested(PositionSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)
