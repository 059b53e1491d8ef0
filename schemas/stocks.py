"""Stocks: the query of their list, and the lines of files."""

from decimal import Decimal
from typing import Any

from marshmallow import fields, post_load, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .calendars import SESSION_CLASSES
from .fields import CLEAN_PATTERN, MAX_PRICE, Choice, GivenMoney, Symbol, Text, WholeParameter, described
from .live_quotes import StockKeysParameter
from .market import StockKeySchema, StockSchema
from .orders import EXCHANGES
from .pages import ListSchema

MAX_TICK_SIZE = Decimal("1000.00")
MAX_LOT_SIZE = 1_000_000
MAX_NAME_LENGTH = 120
MAX_SEARCH_LENGTH = 64
# Kite Connect's (3, market quotes, read 2026-11): an instrument token is exchange_token * 256 + segment.
LARGEST_INSTRUMENT_TOKEN = 2**31 - 1
SEGMENTS = {"NSE": 1, "BSE": 4}
ISIN_PATTERN = "[A-Z]{2}[A-Z0-9]{9}[0-9]"
SERIES_PATTERN = "[A-Z0-9]{1,4}"
# Clean, and not only blanks.
SEARCH_PATTERN = rf"^{CLEAN_PATTERN}*[^\s{CLEAN_PATTERN[2:]}{CLEAN_PATTERN}*$"


class SearchText(Text):
    """A text to search for, without needless blanks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(maximum=MAX_SEARCH_LENGTH, **described(options, pattern=SEARCH_PATTERN))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        return super()._deserialize(" ".join(text.split()), attr, data, **options)


class StockListSchema(ListSchema):
    """The query of the list of stocks."""

    prefix = Symbol(
        load_default=None, metadata={"example": "REL", "description": "The first characters of the symbol."}
    )
    search = SearchText(
        load_default=None,
        metadata={
            "example": "tata mo",
            "description": "Any part of the symbol or of the name. The best `limit` stocks are listed, and no others.",
        },
    )
    symbols = StockKeysParameter(
        load_default=None,
        metadata={
            "example": "NSE:RELIANCE,NSE:INFY",
            "description": "The stocks to list, up to 200, in their order. It is used alone.",
        },
    )
    exchange = Choice(*EXCHANGES, load_default=None)

    @validates_schema(pass_original=True)
    def check_combination(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> None:
        """Refuse parameters that would have no effect beside others."""
        if "symbols" in original:
            useless, used = [name for name in original if name != "symbols"], "symbols"
        else:
            useless, used = [name for name in ("prefix", "cursor") if name in original], "search"
        if used in original and useless:
            raise ValidationError({name: [f"Is not used with {used}."] for name in useless})


class StockPageSchema(StrictSchema):
    """A page of stocks."""

    data = fields.List(fields.Nested(StockSchema))
    next_cursor = fields.String(data_key="nextCursor", allow_none=True)


class StockImportSchema(StockKeySchema):
    """One line of a file of stocks."""

    name = Text(maximum=MAX_NAME_LENGTH, load_default=None)
    last_price = GivenMoney(data_key="lastPrice", maximum=MAX_PRICE, allow_none=True, load_default=None)
    tick_size = GivenMoney(data_key="tickSize", maximum=MAX_TICK_SIZE, load_default=None)
    lot_size = WholeParameter(data_key="lotSize", minimum=1, maximum=MAX_LOT_SIZE, load_default=None)
    allows_intraday = Choice("true", "false", data_key="intradayAllowed", load_default=None)
    session_class = Choice(*SESSION_CLASSES, data_key="sessionClass", load_default=None)
    instrument_token = WholeParameter(
        data_key="instrumentToken", minimum=1, maximum=LARGEST_INSTRUMENT_TOKEN, load_default=None
    )
    exchange_token = WholeParameter(
        data_key="exchangeToken", minimum=1, maximum=LARGEST_INSTRUMENT_TOKEN // 256, load_default=None
    )
    isin = Text(maximum=12, pattern=ISIN_PATTERN, load_default=None)
    series = Text(maximum=4, pattern=SERIES_PATTERN, load_default=None)

    @post_load
    def make_instrument_token(self, line: dict[str, Any], **_: Any) -> dict[str, Any]:
        """Return the line with the instrument token that its exchange token gives; refuse two that differ."""
        of_exchange = line.pop("exchange_token")
        if of_exchange is None:
            return line
        if line["instrument_token"] is None:
            line["instrument_token"] = of_exchange * 256 + SEGMENTS[line["exchange"]]
        elif line["instrument_token"] // 256 != of_exchange:
            raise ValidationError(
                "Is not that of instrumentToken, which is exchangeToken * 256 + segment.", "exchangeToken"
            )
        return line
