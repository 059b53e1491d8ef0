"""Serve the pages and their static files, compressed, with the headers of a page."""

import functools
import re

from flask import Response, request
from werkzeug.exceptions import NotFound

from api.http.facts import Headers, request_facts

from .assembly import assemble
from .static_files import CONTENT_TYPES, Content, pack, read_static, static_version

HOST_PATTERN = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {origins}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# The addresses in a page carry the version of the static files.
VERSIONED = re.compile(r"v-([0-9a-f]{12})/(.+)")
# A browser shows neither of them as a document, so no policy applies to them.
PARTS = frozenset({CONTENT_TYPES[".js"], CONTENT_TYPES[".css"]})
YEAR_S = 365 * 24 * 3600


def static_page(name: str) -> Response:
    """Return a page of the static folder, whose addresses of files carry their version."""
    content = read_static(name)
    if content is None:
        raise NotFound
    return html_page(assemble(content.body.decode(), static_version()))


def static_file(name: str) -> Response:
    """Return a file below the static folder, or a 304 if the browser has it; raise NotFound for any other.

    Browsers keep a file that they asked for by its version, and revalidate any other.
    """
    version, name = match.groups() if (match := VERSIONED.fullmatch(name)) else ("", name)
    content = read_static(name)
    if content is None:
        raise NotFound
    response = _respond(content, CONTENT_TYPES[name[name.rindex(".") :]])
    if version == static_version():
        response.cache_control.no_cache = None
        response.cache_control.public = response.cache_control.immutable = True
        response.cache_control.max_age = YEAR_S
    return response


def html_page(text: str) -> Response:
    """Return a page, or a 304 if the browser has it."""
    return _respond(_packed(text), CONTENT_TYPES[".html"])


@functools.lru_cache(maxsize=8)
def _packed(text: str) -> Content:
    return pack(text.encode())


def _respond(content: Content, content_type: str) -> Response:
    is_packed = len(content.packed) < len(content.body) and request.accept_encodings["gzip"] > 0
    response = Response(content.packed if is_packed else content.body, content_type=content_type)
    if is_packed:
        response.content_encoding = "gzip"
    # Two forms of one file are two entities with an ETag each.
    response.set_etag(f"{content.etag}-gzip" if is_packed else content.etag)
    response.vary.add("Accept-Encoding")
    response.cache_control.no_cache = True
    use_page_headers(is_document=content_type not in PARTS)
    response.make_conditional(request)
    return response


def use_page_headers(*, is_document: bool = True) -> None:
    """Set the headers of a page on the response in place of the API's; scripts and styles need fewer."""
    headers: Headers = (("X-Content-Type-Options", "nosniff"), ("Cross-Origin-Resource-Policy", "same-origin"))
    if is_document:
        headers += (
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Content-Security-Policy", _policy()),
        )
    request_facts().page_headers = headers


def _policy() -> str:
    """Return the Content-Security-Policy; some browsers do not apply 'self' to websockets, so these are listed."""
    host = request.host if HOST_PATTERN.fullmatch(request.host) else None
    origins = f"'self' ws://{host} wss://{host}" if host else "'self'"
    return POLICY.format(origins=origins)
