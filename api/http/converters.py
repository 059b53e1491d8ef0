"""Converters of path parameters."""

import re
from typing import Any
from uuid import UUID

from werkzeug.routing import BaseConverter, PathConverter

from schemas.fields import parse_uuid
from schemas.words import PRINTABLE

NOTHING = UUID(int=0)


class OpaqueUuid(BaseConverter):
    """A UUID in a path; any other segment becomes an id that nothing has.

    It matches every segment, so that a request is refused for its token, its body and its query first,
    in the order that clients rely on, and only then for its address. Segments that have routes of their
    own are excepted, so that another method on them is a 405.
    """

    regex = r"(?!(?:preview|batch|close)$)[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> UUID:
        """Return the UUID of a segment."""
        return parse_uuid(value) or NOTHING

    def to_url(self, value: Any) -> str:
        """Return the segment of a UUID."""
        return str(value)


def describe_opaque_uuid(converter: BaseConverter) -> dict[str, str]:
    """Return the OpenAPI schema of the converter."""
    del converter
    return {"type": "string", "format": "uuid"}


class OpaqueWord(PathConverter):
    """The printable ASCII characters that end a path, `/` included; any others become a word that nothing has."""

    regex = ".+"
    part_isolating = False

    def to_python(self, value: str) -> str:
        """Return the characters, or none."""
        return value if re.fullmatch(PRINTABLE, value) else ""


def describe_opaque_word(converter: BaseConverter) -> dict[str, Any]:
    """Return the OpenAPI schema of the converter."""
    del converter
    return {"type": "string", "minLength": 1, "maxLength": 64, "pattern": f"^{PRINTABLE}$"}
