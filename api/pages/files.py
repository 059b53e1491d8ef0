"""Serve the static files of the pages, with the headers of a page."""

import re
from pathlib import Path

from flask import Response, request, send_from_directory
from werkzeug.exceptions import NotFound

from api.http.facts import request_facts

STATIC_FOLDER = Path(__file__).resolve().parent / "static"
# Fixed here, because the machine's own table may have any type for `.js`.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HOST_PATTERN = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:]+\](:\d{1,5})?")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src {origins}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def static_page(name: str) -> Response:
    """Return a file below the static folder, or a 304 if the browser has it; raise NotFound for any other."""
    content_type = CONTENT_TYPES.get(Path(name).suffix)
    if content_type is None or "\0" in name:
        raise NotFound
    response = send_from_directory(STATIC_FOLDER, name, conditional=True, etag=True)
    response.content_type = content_type
    use_page_headers()
    return response


def use_page_headers() -> None:
    """Set the headers of a page on the response in place of the API's: browsers may keep a page, but revalidate it."""
    request_facts().page_headers = (
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Content-Security-Policy", _policy()),
    )


def _policy() -> str:
    """Return the Content-Security-Policy; some browsers do not apply 'self' to websockets, so these are listed."""
    host = request.host if HOST_PATTERN.fullmatch(request.host) else None
    origins = f"'self' ws://{host} wss://{host}" if host else "'self'"
    return POLICY.format(origins=origins)
