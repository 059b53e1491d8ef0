"""Read the Idempotency-Key header."""

import re
from collections.abc import Mapping
from typing import Any

from flask import Response, request

from trading.accounts.idempotency import IdempotencyKey, fingerprint_of

from .errors import invalid
from .facts import request_facts

HEADER = "Idempotency-Key"
# 1 to 255 printable ASCII characters, bare or as a quoted string (RFC 8941, section 3.3.3).
BARE = re.compile(r"[\x20-\x7e]{1,255}")
QUOTED = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"')


def idempotency_key(body: Mapping[str, Any]) -> IdempotencyKey | None:
    """Return the request's key for a validated body, or None without the header; refuse a header that is no key.

    A key also belongs to an account, which the functions that use the key take as an argument.
    """
    given = request_facts().environ.get("HTTP_IDEMPOTENCY_KEY")
    if given is None:
        return None
    quoted = QUOTED.fullmatch(given.strip())
    key = re.sub(r'\\(["\\])', r"\1", quoted[1]) if quoted else given.strip()
    if not BARE.fullmatch(key) or key == '""':
        raise invalid({HEADER: ["Must be 1 to 255 printable ASCII characters."]})
    return IdempotencyKey(f"{request.method} {request.path}", key, fingerprint_of(body))


def mark_replayed(response: Response) -> Response:
    """Mark a response as the replay of an earlier one."""
    response.headers["Idempotent-Replayed"] = "true"
    return response
