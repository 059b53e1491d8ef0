"""Build JSON responses."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from flask import Response, request
from flask.json.provider import DefaultJSONProvider
from marshmallow import Schema
from werkzeug.datastructures import Headers

encode = json.JSONEncoder(separators=(",", ":")).encode
# One element of If-Match (RFC 9110, sections 5.6.1 and 8.8.3), which may be empty. A bare word is a tag whose
# quotes were forgotten.
TAG = re.compile(r"""[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)"|([^\s",]*))[ \t]*(?:,|$)""")
# A version as respond_tagged writes it: a bigint over 0, without leading zeros.
VERSION = re.compile(r"[1-9][0-9]{0,18}")


class CompactProvider(DefaultJSONProvider):
    """The JSON provider: compact, in the order of the fields."""

    compact = True
    sort_keys = False


class JsonResponse(Response):
    """A response with JSON, which needs no correction: it has a body and its length, and its Location is an ASCII path.

    To find that out takes werkzeug 30 µs.
    """

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers as they are."""
        del environ
        return self.headers

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the body as it is, unless something has to be done after it."""
        if self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return super().get_app_iter(environ)
        return cast(Iterable[bytes], self.response)


def respond(schema: Schema, row: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a response with a row as JSON, rendered by the schema."""
    return JsonResponse(encode(schema.dump(row)), status, headers, content_type="application/json")


def no_content() -> Response:
    """Return a 204, which has no body and so no type of one."""
    response = Response(status=204)
    del response.headers["Content-Type"]
    return response


def respond_tagged(schema: Schema, row: Any, version: int) -> Response:
    """Return a response with a row as JSON and its version as a strong ETag, or 304 if the client has this version."""
    headers = {"ETag": f'"{version}"'}
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(str(version)):
        return Response(status=304, headers=headers)
    return respond(schema, row, headers=headers)


def expected_versions() -> frozenset[int] | None:
    """Return the versions that the request's If-Match names; None without the header and for `*`: any version will do.

    A header that cannot be parsed names no version. werkzeug's own parser would skip its malformed part.
    """
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    return frozenset(int(tag) for tag in strong_tags(given) if VERSION.fullmatch(tag))


def strong_tags(given: str) -> frozenset[str]:
    """Return the strong tags of an If-Match; weak tags match nothing, and a malformed header has no tags."""
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
