"""Converters of path parameters."""

from typing import Any
from uuid import UUID

from werkzeug.routing import BaseConverter

from schemas.fields import parse_uuid

NOTHING = UUID(int=0)


class OpaqueUuid(BaseConverter):
    """A UUID in a path; any other segment becomes an id that nothing has.

    It matches every segment, so that a request is refused for its token, its body and its query first,
    in the order that clients rely on, and only then for its address. Segments that have routes of their
    own are excepted, so that another method on them is a 405.
    """

    regex = r"(?!(?:preview|batch)$)[^/]+"
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
