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
    """Return a row as JSON with a strong ETag of its bytes, or 304 when the client has them."""
    body = encode(schema.dump(row)).encode()
    tag = hashlib.sha256(body).hexdigest()[:32]
    headers = {"ETag": f'"{tag}"'}
    if request.if_none_match.contains_weak(tag):
        return Response(status=304, headers=headers)
    return Response(body, 200, headers, content_type="application/json")
