"""Words that clients make up for their orders: the clientOrderId and the tag."""

from typing import Any

from .fields import Text

PRINTABLE = r"[\x20-\x7e]+"


class Printable(Text):
    """A text of printable ASCII characters."""

    default_error_messages = {"pattern": "Must consist of printable ASCII characters."}

    def __init__(self, **options: Any) -> None:
        super().__init__(pattern=PRINTABLE, **options)
