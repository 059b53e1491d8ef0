"""Stocks and quotes."""

from marshmallow import fields

from .base import StrictSchema
from .examples import MOMENT, STOCK_ID
from .fields import MAX_PRICE, Choice, GivenMoney, Identifier, Money, Symbol, Timestamp
from .lists import Several
from .orders import EXCHANGES
from .pages import ListSchema

MAX_QUOTES = 1_000


class StockListSchema(ListSchema):
    """The query of the list of stocks."""

    prefix = Symbol(
        load_default=None, metadata={"example": "REL", "description": "The first characters of the symbol."}
    )
    exchange = Choice(*EXCHANGES, load_default=None)


class StockKeySchema(StrictSchema):
    """The key of a stock."""

    exchange = Choice(*EXCHANGES, required=True)
    symbol = Symbol(required=True, metadata={"example": "RELIANCE"})


class StockSchema(StrictSchema):
    """A stock with its last traded price."""

    id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    last_price = Money(data_key="lastPrice", allow_none=True, metadata={"example": "2500.00"})
    last_price_at = Timestamp(data_key="lastPriceAt", allow_none=True, metadata={"example": MOMENT})


class StockPageSchema(StrictSchema):
    """A page of stocks."""

    data = fields.List(fields.Nested(StockSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)


class QuoteSchema(StockKeySchema):
    """The last traded price of one stock."""

    last_price = GivenMoney(data_key="lastPrice", maximum=MAX_PRICE, required=True, metadata={"example": "2500.00"})


class QuotesSchema(StrictSchema):
    """The last traded prices of many stocks."""

    quotes = Several(fields.Nested(QuoteSchema), maximum=MAX_QUOTES, required=True)


class StockImportSchema(StockKeySchema):
    """One line of a file of stocks."""

    last_price = GivenMoney(data_key="lastPrice", maximum=MAX_PRICE, allow_none=True, load_default=None)
