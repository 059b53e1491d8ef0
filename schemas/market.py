"""Stocks and quotes."""

from collections import Counter
from typing import Any

from marshmallow import fields, post_load, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .calendars import SESSION_CLASSES
from .examples import MOMENT, STOCK_ID
from .fields import MAX_PRICE, Choice, Flag, GivenMoney, Identifier, Money, Symbol, Timestamp, Whole
from .lists import Several
from .orders import EXCHANGES

MAX_QUOTES = 1_000
MAX_QUOTES_PER_STOCK = 10
NOT_STORED = ("stale", "future", "no_last_price")
NOT_MATCHED = ("session_closed", "halted", "crossed_book", "out_of_day_range", "too_old")
BOOK = ("bid_price", "ask_price", "bid_quantity", "ask_quantity")
LAST_PRICE_ONLY = frozenset({"exchange", "symbol", "lastPrice"})


class StockKeySchema(StrictSchema):
    """The key of a stock."""

    exchange = Choice(*EXCHANGES, required=True)
    symbol = Symbol(required=True, metadata={"example": "RELIANCE"})


def _price(name: str, example: str, description: str | None = None) -> Money:
    """Return the field of a price that may be unknown."""
    described = {"description": description} if description else {}
    return Money(data_key=name, allow_none=True, metadata={"example": example, **described})


def _number(name: str, example: int, description: str) -> Whole:
    return Whole(data_key=name, allow_none=True, metadata={"example": example, "description": description})


class StockSchema(StrictSchema):
    """A stock with its quote; unknown values are null."""

    id = Identifier(data_key="stockId", metadata={"example": STOCK_ID})
    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    name = fields.String(
        allow_none=True,
        metadata={"example": "Reliance Industries", "description": "The name of the company; null if it is not known."},
    )
    last_price = Money(data_key="lastPrice", allow_none=True, metadata={"example": "2500.00"})
    last_price_at = Timestamp(
        data_key="lastPriceAt",
        allow_none=True,
        metadata={"example": MOMENT, "description": "The time of the last price; null if there is none."},
    )
    bid_price = _price("bidPrice", "2499.95", "The best bid; null if there is none.")
    ask_price = _price("askPrice", "2500.05", "The best offer; null if there is none.")
    bid_quantity = _number("bidQuantity", 120, "The quantity at the best bid.")
    ask_quantity = _number("askQuantity", 75, "The quantity at the best offer.")
    quoted_at = Timestamp(
        data_key="quotedAt", allow_none=True, metadata={"example": MOMENT, "description": "The time of the quote."}
    )
    quote_number = Whole(
        data_key="quoteNumber", metadata={"example": 1201, "description": "The number of the stock's quotes so far."}
    )
    volume = _number("volume", 1_250_000, "The quantity traded on the day of the quote; null if it is not known.")
    open_price = _price("open", "2480.00")
    high_price = _price("high", "2512.40")
    low_price = _price("low", "2471.10")
    previous_close = _price("previousClose", "2478.30")
    close_price = _price("closePrice", "2498.00", "The official close.")
    lower_circuit = _price("lowerCircuit", "2230.50", "The lowest price of the day of the newest circuits.")
    upper_circuit = _price("upperCircuit", "2726.10", "The highest price of that day.")
    is_halted = fields.Boolean(
        data_key="halted", metadata={"description": "True: nothing of this stock is matched until a quote says false."}
    )
    tick_size = _price("tickSize", "0.05", "Prices of orders are multiples of it; null if it is not known.")
    lot_size = _number("lotSize", 1, "Quantities of orders are multiples of it; null if it is not known.")
    allows_intraday = fields.Boolean(
        data_key="intradayAllowed", metadata={"description": "False: only DELIVERY orders are taken."}
    )
    session_class = fields.String(
        data_key="sessionClass",
        metadata={"enum": list(SESSION_CLASSES), "description": "AUCTION: its sessions end earlier (docs/market.md)."},
    )
    instrument_token = Whole(
        data_key="instrumentToken",
        metadata={
            "example": 738561,
            "description": "Kite Connect's number of the stock; one of this service if no import gave it.",
        },
    )
    isin = fields.String(
        allow_none=True, metadata={"example": "INE002A01018", "description": "The ISIN; null if it is not known."}
    )
    series = fields.String(
        allow_none=True,
        metadata={"example": "EQ", "description": "The series on the exchange; null if it is not known."},
    )


def _given(name: str, example: str | None = None, description: str | None = None) -> GivenMoney:
    """Return the field of a price that a quote may give."""
    facts = {name: value for name, value in (("example", example), ("description", description)) if value}
    return GivenMoney(data_key=name, maximum=MAX_PRICE, allow_none=True, metadata=facts)


def _side(name: str, example: str) -> GivenMoney:
    facts = {"example": example, "description": "0, null or absent: there is none."}
    return GivenMoney(data_key=name, maximum=MAX_PRICE, allow_zero=True, allow_none=True, metadata=facts)


class LastPriceSchema(StockKeySchema):
    """The last traded price of one stock."""

    last_price = GivenMoney(
        data_key="lastPrice",
        maximum=MAX_PRICE,
        required=True,
        metadata={"example": "2500.00", "description": "The last traded price, in rupees."},
    )


class QuoteSchema(StockKeySchema):
    """A quote of one stock; a member that is absent leaves its value unchanged, but an absent book is none."""

    last_price = _given(
        "lastPrice", "2500.00", "The last traded price; required unless bidPrice and askPrice are both there."
    )
    last_traded_at = Timestamp(
        data_key="lastTradedAt", allow_none=True, metadata={"description": "The last trade's time."}
    )
    volume = _number("volume", 1_250_000, "The quantity traded on this day so far.")
    bid_price = _side("bidPrice", "2499.95")
    ask_price = _side("askPrice", "2500.05")
    bid_quantity = _number("bidQuantity", 120, "The quantity at the best bid.")
    ask_quantity = _number("askQuantity", 75, "The quantity at the best offer.")
    quoted_at = Timestamp(
        data_key="quotedAt",
        allow_none=True,
        metadata={
            "description": "Default: now. A quote older than the stored one, or from more than 2 s ahead, is left out.",
        },
    )
    open_price = _given("open")
    high_price = _given("high")
    low_price = _given("low")
    previous_close = _given("previousClose")
    close_price = _given("closePrice", None, "The official close.")
    lower_circuit = _given("lowerCircuit", None, "The lowest price of the quote's day.")
    upper_circuit = _given("upperCircuit", None, "The highest price of the quote's day.")
    is_halted = Flag(
        data_key="halted",
        allow_none=True,
        metadata={"description": "True: nothing of this stock is matched until a quote says false."},
    )

    @post_load
    def read_zero_as_none(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the quote with None in place of a side of the book that is 0."""
        return data | {name: data[name] or None for name in BOOK if name in data}

    @validates_schema
    def check_prices(self, data: dict[str, Any], **_: Any) -> None:
        """Require a last price or both sides of the book."""
        if data.get("last_price") is None and not (data.get("bid_price") and data.get("ask_price")):
            raise ValidationError("Is required unless bidPrice and askPrice are both there.", "lastPrice")


class NestedQuote(fields.Nested):
    """A quote; one that gives only the last price is read with a schema of three fields, in a fifth of the time."""

    last_price = LastPriceSchema()

    def _load(self, value: Any, partial: Any = None) -> Any:
        if isinstance(value, dict) and value.keys() == LAST_PRICE_ONLY:
            return self.last_price.load(value)
        return super()._load(value, partial=partial)


class QuotesSchema(StrictSchema):
    """Quotes of many stocks."""

    quotes = Several(
        NestedQuote(QuoteSchema),
        maximum=MAX_QUOTES,
        required=True,
        metadata={"description": "The quotes, taken in their order."},
    )

    @validates_schema
    def check_repetitions(self, data: dict[str, Any], **_: Any) -> None:
        """Refuse more than MAX_QUOTES_PER_STOCK quotes of a stock, unless all give only last prices."""
        if not goes_beyond_last_prices(data["quotes"]):
            return
        counts = Counter((quote["exchange"], quote["symbol"]) for quote in data["quotes"])
        for (exchange, symbol), count in counts.most_common(1):
            if count > MAX_QUOTES_PER_STOCK:
                message = f"Has {count} quotes of {exchange} {symbol}; at most {MAX_QUOTES_PER_STOCK} are allowed."
                raise ValidationError(message, "quotes")


def goes_beyond_last_prices(quotes: list[dict[str, Any]]) -> bool:
    """Return True if any of the loaded quotes has a member beyond the stock and its last price."""
    return any(len(quote) > len(LAST_PRICE_ONLY) or "last_price" not in quote for quote in quotes)


class RefusedQuoteSchema(StrictSchema):
    """A quote that was not stored, or was stored and matches no order."""

    exchange = fields.String(metadata={"enum": list(EXCHANGES)})
    symbol = fields.String(metadata={"example": "RELIANCE"})
    outcome = fields.String(metadata={"enum": [*NOT_STORED, *NOT_MATCHED], "example": "stale"})


class ReceptionSchema(StrictSchema):
    """The quotes that were stored, and the orders that they matched."""

    accepted = Whole(metadata={"example": 1, "description": "The quotes that were stored."})
    matched = Whole(metadata={"example": 0, "description": "The orders that the quotes matched."})
    not_matched = fields.List(
        fields.Nested(RefusedQuoteSchema),
        data_key="notMatched",
        metadata={
            "example": [],
            "description": "The quotes that were not stored, or that match no order, in their order.",
        },
    )
