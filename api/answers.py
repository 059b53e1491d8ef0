"""Build JSON answers without going through more layers than needed."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema

encode = json.JSONEncoder(separators=(",", ":")).encode


class CompactProvider(DefaultJSONProvider):
    """Write compact JSON in the order of the fields."""

    compact = True
    sort_keys = False


def answer(schema: Schema, row: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a row as JSON, rendered by its schema."""
    return Response(encode(schema.dump(row)), status, dict(headers or {}), content_type="application/json")


def tagged_answer(schema: Schema, row: Any) -> Response:
    """Return a row as JSON with a strong ETag of its bytes, or 304 when a reader has them."""
    body = encode(schema.dump(row)).encode()
    tag = _tag_of(body)
    headers = {"ETag": f'"{tag}"'}
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    return Response(body, 200, headers, content_type="application/json")


def is_meant(schema: Schema, row: Any) -> bool:
    """Tell whether a row, as tagged_answer would show it, is what the request's If-Match names."""
    return request.if_match.contains(_tag_of(encode(schema.dump(row)).encode()))


def _tag_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]
