"""Stocks: the query of their list, and the lines of files."""

from decimal import Decimal
from typing import Any

from marshmallow import fields, validates_schema
from marshmallow.exceptions import ValidationError

from .base import StrictSchema
from .calendars import SESSION_CLASSES
from .fields import CLEAN_PATTERN, MAX_PRICE, Choice, GivenMoney, Symbol, Text, WholeParameter, described
from .market import StockKeySchema, StockSchema
from .orders import EXCHANGES
from .pages import ListSchema

MAX_TICK_SIZE = Decimal("1000.00")
MAX_LOT_SIZE = 1_000_000
MAX_NAME_LENGTH = 120
MAX_SEARCH_LENGTH = 64
MAX_KEYS = 200
# Clean, and not only blanks.
SEARCH_PATTERN = rf"^{CLEAN_PATTERN}*[^\s{CLEAN_PATTERN[2:]}{CLEAN_PATTERN}*$"

Key = tuple[str, str]  # exchange, symbol
KEY = StockKeySchema()


def parse_key(text: Any) -> Key | None:
    """Return the exchange and the symbol of a text such as NSE:RELIANCE, or None."""
    exchange, colon, symbol = text.partition(":") if isinstance(text, str) else ("", "", "")
    given = {"exchange": exchange.upper() if exchange.isascii() else "", "symbol": symbol}
    try:
        loaded = KEY.load(given) if colon else None
    except ValidationError:
        return None
    return None if loaded is None else (loaded["exchange"], loaded["symbol"])


class SearchText(Text):
    """A text to search for, without needless blanks."""

    def __init__(self, **options: Any) -> None:
        super().__init__(maximum=MAX_SEARCH_LENGTH, **described(options, pattern=SEARCH_PATTERN))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        text = super()._deserialize(value, attr, data, **options)
        return super()._deserialize(" ".join(text.split()), attr, data, **options)


class StockKeys(fields.Field[list[Key]]):
    """A list of stocks of a query string, such as NSE:RELIANCE,NSE:INFY; each stock counts once."""

    default_error_messages = {
        "invalid": "Must be stocks such as NSE:RELIANCE,NSE:INFY.",
        "key": '"{given}" is no stock such as NSE:RELIANCE.',
        "length": "Must have 1 to {maximum} stocks.",
    }

    def __init__(self, *, maximum: int = MAX_KEYS, **options: Any) -> None:
        key = r"[A-Za-z]{3}:[A-Za-z0-9&_.\-]{1,32}"
        pattern = rf"^{key}(,{key}){{0,{maximum - 1}}}$"
        super().__init__(**described(options, type="string", pattern=pattern))
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[Key]:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        parts = value.split(",")
        if len(parts) > self.maximum:
            raise self.make_error("length", maximum=self.maximum)
        keys = {part: parse_key(part) for part in parts}
        for part, key in keys.items():
            if key is None:
                raise self.make_error("key", given=part[:64])
        return list(dict.fromkeys(key for key in keys.values() if key is not None))


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
    symbols = StockKeys(
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
