"""Lists in requests."""

from typing import Any

from marshmallow import fields

from .fields import Choice, described


class Several(fields.List[Any]):
    """A list of bounded length; its length is checked before its items, which may be too many to check."""

    default_error_messages = {"invalid": "Must be a list.", "length": "Must have 1 to {maximum} items."}

    def __init__(self, item: fields.Nested, *, maximum: int, **options: Any) -> None:
        super().__init__(item, **described(options, minItems=1, maxItems=maximum))
        self.maximum = maximum

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise self.make_error("invalid")
        if not 1 <= len(value) <= self.maximum:
            raise self.make_error("length", maximum=self.maximum)
        return self._items(value, **options)

    def _items(self, items: list[Any], **options: Any) -> list[Any]:
        return super()._deserialize(items, None, None, **options)


class ChoicesParameter(fields.List[Any]):
    """Some words of a fixed list in a query string: repeated, or with commas between them."""

    def __init__(self, *choices: str, **options: Any) -> None:
        super().__init__(Choice(*choices), **described(options, minItems=1))

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        words = [word for given in value for word in given.split(",")]
        return list(dict.fromkeys(self.inner.deserialize(word) for word in words))
