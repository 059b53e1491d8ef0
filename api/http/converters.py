"""Path parameters."""

from typing import Any
from uuid import UUID

from werkzeug.routing import BaseConverter

from schemas.fields import parse_uuid

NOBODY = UUID(int=0)


class OpaqueUuid(BaseConverter):
    """A UUID in a path; anything else becomes an id that nothing has.

    It matches every segment, so that a request is first refused for its token, its body and
    its query, in the order that clients rely on, and only then for its address. Words that are
    addresses of their own are none of its segments: their other methods are a 405.
    """

    regex = r"(?!(?:preview|batch)$)[^/]+"
    part_isolating = True

    def to_python(self, value: str) -> UUID:
        """Return the UUID."""
        return parse_uuid(value) or NOBODY

    def to_url(self, value: Any) -> str:
        """Return the text of the UUID."""
        return str(value)


def describe_opaque_uuid(converter: BaseConverter) -> dict[str, str]:
    """Describe the converter to OpenAPI."""
    del converter
    return {"type": "string", "format": "uuid"}
