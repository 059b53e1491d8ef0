"""Between the API's JSON and Python: camelCase and snake_case, strings and exact decimals, texts and times."""

import functools
import re
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]


def read_as(shape: type[T], document: Any) -> T:
    """Return a JSON object as a dataclass; members that the dataclass does not know are left out.

    Raise KeyError, TypeError or ValueError if the document does not have this shape.
    """
    kind: Any = shape
    values = {}
    for name, key, read, is_needed in _members(kind):
        if key in document:
            values[name] = read(document[key])
        elif is_needed:
            raise KeyError(key)
    return shape(**values)


def read_value(kind: Any, value: Any) -> Any:
    """Return a JSON value as a type: a Decimal, a time, a dataclass, a tuple of them, or itself."""
    return _reader(kind)(value)


def written(value: Any) -> Any:
    """Return a value as JSON has it; members of mappings that are None are left out."""
    match value:
        case bool() | int() | str() | None:
            return value
        case Decimal():
            return format(value, "f")
        case datetime():
            return _time(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {camel_case(name): written(item) for name, item in value.items() if item is not None}
        case Sequence():
            return [written(item) for item in value]
    raise TypeError(f"{value!r} is not exact: write a Decimal, a string or an int")


def camel_case(name: str) -> str:
    """Return a Python name as the API spells it."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name.rstrip("_"))


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} names no zone: use datetime.now(UTC) or a tzinfo")
    return moment.isoformat()


@functools.cache
def _members(shape: Any) -> list[tuple[str, str, Reader, bool]]:
    hints = get_type_hints(shape)
    return [
        (field.name, camel_case(field.name), _reader(hints[field.name]), field.default is MISSING)
        for field in fields(shape)
    ]


@functools.cache
def _reader(kind: Any) -> Reader:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional([argument for argument in arguments if argument is not type(None)])
    if origin is tuple:
        read = _reader(arguments[0])
        return lambda values: tuple(map(read, values))
    if isinstance(kind, type) and is_dataclass(kind):
        return functools.partial(read_as, kind)
    if hasattr(kind, "of_document"):
        return cast(Reader, kind.of_document)
    readers: dict[Any, Reader] = {
        Decimal: Decimal,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
    }
    return readers.get(kind, _unchanged)


def _optional(kinds: Sequence[Any]) -> Reader:
    read = _reader(kinds[0]) if len(kinds) == 1 else _unchanged
    return lambda value: None if value is None else read(value)


def _unchanged(value: Any) -> Any:
    return value
