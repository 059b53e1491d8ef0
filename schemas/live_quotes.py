"""Live quotes: the messages by which a listener watches stocks, and those that it gets."""

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import fields

from .base import StrictSchema
from .fields import described
from .market import StockSchema
from .orders import EXCHANGES

MAX_WATCHED = 200
# The codes of the stream's `problem`; they mean what they mean in a problem document.
PROBLEM_CODES = ("malformed_json", "bad_request", "validation_failed", "service_unavailable")
KEY = re.compile(rf"({'|'.join(EXCHANGES)}):[A-Z0-9&_.\-]{{1,32}}")
KEY_FACTS = {"type": "string", "pattern": f"^{KEY.pattern}$", "example": "NSE:RELIANCE"}
# A key before it is folded.
ANY_CASE = "|".join("".join(f"[{letter}{letter.lower()}]" for letter in exchange) for exchange in EXCHANGES)
GIVEN_KEY = rf"({ANY_CASE}):[A-Za-z0-9&_.\-]{{1,32}}"
ERRORS: dict[str, Any] = {
    "invalid": "Must be a list.",
    "length": "Must have 1 to {maximum} items.",
    "key": "Must be an exchange and a symbol, such as NSE:RELIANCE.",
}


class StockKeys(fields.List[Any]):
    """A list of stocks as `NSE:RELIANCE`; lower case is folded to upper case, and repetitions are dropped."""

    default_error_messages = ERRORS

    def __init__(self, **options: Any) -> None:
        super().__init__(fields.String(metadata=KEY_FACTS), **described(options, minItems=1, maxItems=MAX_WATCHED))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        return _read_keys(self, value)


class StockKeysParameter(fields.Field[Any]):
    """The same list in a query string: a text with commas between the stocks."""

    default_error_messages = ERRORS

    def __init__(self, **options: Any) -> None:
        pattern = rf"^{GIVEN_KEY}(,{GIVEN_KEY}){{0,{MAX_WATCHED - 1}}}$"
        super().__init__(**described(options, type="string", pattern=pattern))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> list[str]:
        return _read_keys(self, value.split(",") if isinstance(value, str) else [])


def _read_keys(field: fields.Field[Any], items: Sequence[Any]) -> list[str]:
    if not 1 <= len(items) <= MAX_WATCHED:
        raise field.make_error("length", maximum=MAX_WATCHED)
    # Only ASCII is folded: otherwise "ı" and "ſ" would become ASCII letters.
    keys = [item.upper() if isinstance(item, str) and item.isascii() else "" for item in items]
    if not all(map(KEY.fullmatch, keys)):
        raise field.make_error("key")
    return list(dict.fromkeys(keys))


class WatchSchema(StrictSchema):
    """A listener's message that begins or ends the watching of stocks."""

    action = fields.String(required=True)
    symbols = StockKeys(required=True)


class LiveQuoteSchema(StockSchema):
    """The newest quote of a watched stock, in the words of `GET /api/market/stocks`."""

    class Meta(StrictSchema.Meta):
        """The members of a stock that quotes change."""

        fields = (
            "exchange",
            "symbol",
            "last_price",
            "last_price_at",
            "bid_price",
            "ask_price",
            "bid_quantity",
            "ask_quantity",
            "volume",
            "open_price",
            "high_price",
            "low_price",
            "previous_close",
            "quoted_at",
            "quote_number",
            "is_halted",
        )
