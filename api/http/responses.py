"""Build JSON responses."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema

encode = json.JSONEncoder(separators=(",", ":")).encode
# One element of If-Match (RFC 9110, sections 5.6.1 and 8.8.3), which may be empty. A bare word is a tag whose
# quotes were forgotten.
TAG = re.compile(r"""[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"|([^\s",]*))[ \t]*(?:,|$)""")


class CompactProvider(DefaultJSONProvider):
    """The JSON provider: compact, in the order of the fields."""

    compact = True
    sort_keys = False


def respond(schema: Schema, row: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a row as JSON, rendered by the schema."""
    return Response(encode(schema.dump(row)), status, dict(headers or {}), content_type="application/json")


def respond_tagged(schema: Schema, row: Any) -> Response:
    """Return a row as JSON with a strong ETag of its bytes, or 304 when a reader has them."""
    body = encode(schema.dump(row)).encode()
    tag = _tag_of(body)
    headers = {"ETag": f'"{tag}"'}
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    return Response(body, 200, headers, content_type="application/json")


def is_meant(schema: Schema, row: Any) -> bool:
    """Return True if a row, as respond_tagged would show it, is what the request's If-Match names.

    A condition that cannot be read holds for no row: werkzeug's own parser leaves out what it cannot read.
    """
    given = request.headers.get("If-Match", "")
    return given.strip() == "*" or _tag_of(encode(schema.dump(row)).encode()) in strong_tags(given)


def strong_tags(given: str) -> frozenset[str]:
    """Return the tags of an If-Match less the weak ones, which match nothing; none when any of it cannot be read."""
    tags, position = set(), 0
    while position < len(given):
        element = TAG.match(given, position)
        if element is None:
            return frozenset()
        is_weak, quoted, bare = element.groups()
        if not is_weak and (tag := quoted or bare):
            tags.add(tag)
        position = element.end()
    return frozenset(tags)


def _tag_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
