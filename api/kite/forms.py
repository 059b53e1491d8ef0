"""Read forms and queries with Kite's tolerance: unknown and repeated parameters, and several spellings of nothing."""

import json
from collections.abc import Collection, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qsl

from flask import request

from api.http.parsing import read_body
from schemas.fields import UNCLEAN

from .envelope import KiteRefusal

# JavaScript's client writes these for values that its caller left out.
ABSENT = frozenset({"", "undefined", "null"})
TRUE, FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
MAX_PARAMETERS = 1_000
MAX_NAME_LENGTH, MAX_VALUE_LENGTH = 100, 4_000
MAX_NUMBER_LENGTH = 40
# Above every price, quantity and amount of this service.
MAX_NUMBER = Decimal(10) ** 15

Values = Mapping[str, str]


def values() -> dict[str, str]:
    """Return the parameters of the path, the query and the form; of those given twice the last in this order."""
    given: list[tuple[str, str]] = [(name, str(value)) for name, value in (request.view_args or {}).items()]
    given += [(name, value) for name, values in request.args.lists() for value in values]
    given += _form()
    found = {}
    for name, value in given:
        if value in ABSENT or len(name) > MAX_NAME_LENGTH:
            continue
        if len(value) > MAX_VALUE_LENGTH or UNCLEAN.search(value):
            raise invalid(_printable(name))
        found[name] = value
    return found


def listed(name: str) -> list[str]:
    """Return the values of a query parameter that may be repeated, those that mean something, in their order."""
    found = [value for value in request.args.getlist(name) if value not in ABSENT]
    if any(UNCLEAN.search(value) for value in found):
        raise invalid(name)
    return found


def required(given: Values, *names: str) -> None:
    """Refuse a request that lacks one of the parameters."""
    for name in names:
        if name not in given:
            raise KiteRefusal("InputException", f"Missing or empty field `{name}`", field=name)


def invalid(name: str) -> KiteRefusal:
    """Return the refusal of a parameter's value."""
    return KiteRefusal("InputException", f"Invalid `{name}`.", field=name)


def decimal(given: Values, name: str) -> Decimal | None:
    """Return a number of 0 or more, or None if it is absent; Python's floats arrive as 100.05000000000001 or 1e-05."""
    text = given.get(name)
    if text is None:
        return None
    number = _number(text)
    if number is None or number < 0:
        raise invalid(name)
    return number


def signed(given: Values, name: str) -> Decimal | None:
    """Return a number of whatever sign, or None if it is absent."""
    text = given.get(name)
    number = None if text is None else _number(text)
    if number is None and text is not None:
        raise invalid(name)
    return number


def whole(given: Values, name: str) -> int | None:
    """Return a whole number of 0 or more, which may be written 1.0, or None if it is absent."""
    number = decimal(given, name)
    if number is None:
        return None
    if number != number.to_integral_value():
        raise invalid(name)
    return int(number)


def flag(given: Values, name: str, default: bool = False) -> bool:
    """Return a boolean, which may be written True, true or 1, or the default if it is absent."""
    text = given.get(name)
    if text is None:
        return default
    if text.lower() not in TRUE | FALSE:
        raise invalid(name)
    return text.lower() in TRUE


def choice(given: Values, name: str, choices: Collection[str], default: str | None = None) -> str | None:
    """Return a word of the choices, in upper or lower case as they have it, or the default if it is absent."""
    text = given.get(name)
    if text is None:
        return default
    for word in choices:
        if text.strip().lower() == word.lower():
            return word
    raise invalid(name)


def json_list(maximum: int) -> list[dict[str, Any]]:
    """Return the JSON list of objects that is the body; their numbers with a fraction are Decimals."""
    try:
        body = json.loads(read_body().decode(), parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, InvalidOperation, RecursionError):  # an exponent may be too large for a Decimal
        raise KiteRefusal("InputException", "Invalid JSON in the body of the request.") from None
    if not isinstance(body, list) or not all(isinstance(entry, dict) for entry in body):
        raise KiteRefusal("InputException", "The body must be a JSON list of orders.")
    if len(body) > maximum:
        raise KiteRefusal("InputException", f"Too many orders requested. Max permitted is {maximum}.")
    return body


def texts_of(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the members of a JSON object that are no objects and no lists, as the values of a form."""
    found = {}
    for name, value in entry.items():
        text = value if isinstance(value, str) else "" if value is None else str(value)
        if isinstance(value, dict | list) or text in ABSENT:
            continue
        if len(text) > MAX_VALUE_LENGTH or UNCLEAN.search(text):
            raise invalid(_printable(name))
        found[name] = text
    return found


def _form() -> list[tuple[str, str]]:
    """Return the fields of the form; a body of another type is none."""
    raw = read_body()
    if not raw or request.mimetype not in ("application/x-www-form-urlencoded", ""):
        return []
    try:
        return parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise KiteRefusal("InputException", "Too many parameters.") from None


def _number(text: str) -> Decimal | None:
    if len(text) > MAX_NUMBER_LENGTH or not text.isascii() or "_" in text:
        return None
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        return None
    # Comparisons are exact, while abs() of a number with a huge exponent overflows.
    if not number.is_finite() or not -MAX_NUMBER <= number <= MAX_NUMBER:
        return None
    return None if number and number.adjusted() < -MAX_NUMBER_LENGTH else number


def _printable(name: str) -> str:
    return name if name.isascii() and name.isprintable() else "parameter"


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)
