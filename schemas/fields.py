"""Field types: exact decimals, strict integers, clean texts, UUIDs and timestamps."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from marshmallow import fields

MAX_PRICE = Decimal("10000000.00")
MAX_AMOUNT = Decimal("1000000000000.00")
MAX_IDENTIFIER = 2**63 - 1

DECIMAL_PATTERN = re.compile(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,2})?")
UUID_PATTERN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
DAY_PATTERN = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
TIMESTAMP_PATTERN = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})"
)
# Control characters, and single surrogates, which UTF-8 cannot encode.
UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
# The opposite, for the API's description; without surrogates, which no UTF-8 text contains.
CLEAN_PATTERN = r"[^\u0000-\u001f\u007f-\u009f]"


class NumberLiteral:
    """The text of a JSON number with a fraction, an exponent or very many digits.

    It is neither a str nor a number, so that only a Money field accepts it.
    """

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def parse_uuid(text: Any) -> UUID | None:
    """Return the UUID of a text in the usual hyphenated form, or None."""
    if isinstance(text, str) and UUID_PATTERN.fullmatch(text):
        return UUID(text)
    return None


def parse_timestamp(text: Any) -> datetime | None:
    """Return an RFC 3339 timestamp as a time in UTC, or None; the database does not accept every offset."""
    try:
        if isinstance(text, str) and TIMESTAMP_PATTERN.fullmatch(text.upper()):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):  # no such day or offset, or in UTC outside the years 1 to 9999
        pass
    return None


def parse_day(text: Any) -> date | None:
    """Return the day that a text like 2026-01-31 names, or None."""
    if not isinstance(text, str) or not DAY_PATTERN.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def described(options: dict[str, Any], **facts: Any) -> dict[str, Any]:
    """Return a field's options with facts for the API's description; the field's own metadata overrides them."""
    return options | {"metadata": facts | options.get("metadata", {})}


def format_timestamp(moment: datetime) -> str:
    """Return a time as RFC 3339 in UTC with six fractional digits and Z."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


class Money(fields.Field[Decimal]):
    """An amount or price with 2 places: a Decimal inside, a string outside."""

    default_error_messages = {
        "invalid": 'Must be a decimal number, such as "1050.00", without commas or an exponent.',
        "places": "Must have at most 2 decimals.",
        "low": "Must be greater than 0.",
        "negative": "Must be 0 or more.",
        "high": "Must be at most {maximum}.",
    }

    def __init__(self, *, maximum: Decimal = MAX_AMOUNT, allow_zero: bool = False, **options: Any) -> None:
        facts = {"type": "string", "format": "decimal", "pattern": r"^-?(0|[1-9][0-9]*)\.[0-9]{2}$"}
        super().__init__(**described(options, **facts, examples=["1050.00"]))
        self.maximum = maximum
        self.allow_zero = allow_zero

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else f"{value:.2f}"

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> Decimal:
        amount = Decimal(self._exact_text(value))
        if amount < 0 and self.allow_zero:
            raise self.make_error("negative")
        if amount <= 0 and not self.allow_zero:
            raise self.make_error("low")
        if amount > self.maximum:
            raise self.make_error("high", maximum=self.maximum)
        return amount.quantize(Decimal("0.01"))

    def _exact_text(self, value: Any) -> str:
        if type(value) is NumberLiteral:
            text = value.text
        elif type(value) is int:
            text = str(value)
        else:
            text = value
        if not isinstance(text, str):
            raise self.make_error("invalid")
        if not DECIMAL_PATTERN.fullmatch(text):
            raise self.make_error("places" if re.fullmatch(r"-?[0-9]+\.[0-9]{3,}", text) else "invalid")
        return text


class GivenMoney(Money):
    """An amount or a price in a request, as a string or a number; its description has the limits."""

    def __init__(self, *, maximum: Decimal = MAX_AMOUNT, allow_zero: bool = False, **options: Any) -> None:
        digits = len(str(int(maximum))) - 1  # every maximum is a power of ten
        positive = "" if allow_zero else r"(?!0(\.0{1,2})?$)"
        pattern = rf"^{positive}((0|[1-9][0-9]{{0,{digits - 1}}})(\.[0-9]{{1,2}})?|10{{{digits}}}(\.0{{1,2}})?)$"
        lowest = {"minimum": 0} if allow_zero else {"exclusiveMinimum": 0}
        facts = {"type": ["string", "number"], "pattern": pattern, "maximum": int(maximum), "multipleOf": 0.01}
        super().__init__(maximum=maximum, allow_zero=allow_zero, **described(options, **facts, **lowest))


class Whole(fields.Integer):
    """A JSON integer within bounds; true, "10" and 10.0 are refused."""

    default_error_messages = {
        "invalid": 'Must be a JSON integer, such as 10, and neither "10" nor 10.0.',
        "range": "Must be from {minimum} to {maximum}.",
    }

    def __init__(self, *, minimum: int = 0, maximum: int = MAX_IDENTIFIER, **options: Any) -> None:
        super().__init__(**described(options, minimum=minimum, maximum=maximum))
        self.minimum = minimum
        self.maximum = maximum

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> int | None:
        return None if value is None else int(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if type(value) is not int:
            raise self.make_error("invalid")
        return self._within_bounds(value)

    def _within_bounds(self, value: int) -> int:
        if not self.minimum <= value <= self.maximum:
            raise self.make_error("range", minimum=self.minimum, maximum=self.maximum)
        return value


class Flag(fields.Boolean):
    """A JSON boolean; 1 and "true" are refused."""

    default_error_messages = {"invalid": "Must be true or false."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid")
        return value


class WholeParameter(Whole):
    """A whole number of a query string."""

    default_error_messages = {"invalid": "Must be a whole number."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> int:
        if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,19}", value):
            raise self.make_error("invalid")
        return self._within_bounds(int(value))


class Text(fields.String):
    """A text of bounded length without control characters, optionally with a pattern."""

    default_error_messages = {
        "invalid": "Must be a string.",
        "unclean": "Must not contain control characters or broken Unicode.",
        "length": "Must have 1 to {maximum} characters.",
        "pattern": "Must match {pattern}.",
    }

    def __init__(self, *, maximum: int, pattern: str | None = None, **options: Any) -> None:
        facts = {"minLength": 1, "maxLength": maximum, "pattern": f"^{pattern or CLEAN_PATTERN + '+'}$"}
        super().__init__(**described(options, **facts))
        self.maximum = maximum
        self.pattern = re.compile(pattern) if pattern else None

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        if UNCLEAN.search(value):
            raise self.make_error("unclean")
        if not 1 <= len(value) <= self.maximum:
            raise self.make_error("length", maximum=self.maximum)
        if self.pattern and not self.pattern.fullmatch(value):
            raise self.make_error("pattern", pattern=self.pattern.pattern)
        return value


class Symbol(Text):
    """A stock's symbol, or its first characters; lower case is folded to upper case."""

    default_error_messages = {"pattern": "Must consist of letters, digits and & _ . - without blanks."}

    def __init__(self, **options: Any) -> None:
        facts = {"pattern": r"^[A-Za-z0-9&_.\-]+$"}
        super().__init__(maximum=32, pattern=r"[A-Z0-9&_.\-]+", **described(options, **facts))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> str:
        # Only ASCII is folded: otherwise "ı" and "ſ" would become ASCII letters.
        folded = value.upper() if isinstance(value, str) and value.isascii() else value
        return super()._deserialize(folded, attr, data, **options)


class Choice(fields.String):
    """A word of a fixed list, or another spelling of such a word."""

    default_error_messages = {"choice": "Must be one of: {choices}."}

    def __init__(self, *choices: str, spellings: dict[str, str] | None = None, **options: Any) -> None:
        nothing = [None] if options.get("allow_none") else []
        super().__init__(**described(options, enum=[*choices, *(spellings or {}), *nothing]))
        self.choices = choices
        self.words = {choice: choice for choice in choices} | (spellings or {})

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> str:
        word = self.words.get(value) if isinstance(value, str) else None
        if word is None:
            raise self.make_error("choice", choices=", ".join(self.choices))
        return word


class Identifier(fields.UUID):
    """A UUID in the usual hyphenated form."""

    default_error_messages = {"invalid": "Must be a UUID."}

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        return None if value is None else str(value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> UUID:
        identifier = parse_uuid(value)
        if identifier is None:
            raise self.make_error("invalid")
        return identifier


class Timestamp(fields.DateTime):
    """An RFC 3339 timestamp with an offset; loaded and rendered in UTC."""

    default_error_messages = {
        "invalid": "Must be an RFC 3339 timestamp with an offset, such as 2026-01-31T09:15:00Z.",
        "plus": 'A "+" in a URL means a space: write it as %2B, such as 2026-01-31T09:15:00%2B05:30.',
    }

    def _serialize(self, value: Any, attr: str | None, obj: Any, **_: Any) -> str | None:
        if value is None:
            return None
        return format_timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> datetime:
        moment = parse_timestamp(value)
        if moment is None:
            is_decoded = isinstance(value, str) and parse_timestamp(value.replace(" ", "+"))
            raise self.make_error("plus" if is_decoded else "invalid")
        return moment


class Day(fields.Date):
    """A day like 2026-01-31."""

    default_error_messages = {"invalid": "Must be a day like 2026-01-31."}

    def _deserialize(self, value: Any, attr: str | None, data: Any, **_: Any) -> date:
        day = parse_day(value)
        if day is None:
            raise self.make_error("invalid")
        return day
