"""Turn every refusal and failure into a problem document (RFC 9457)."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from schemas.fields import format_timestamp
from trading.rules.errors import Refused

from .facts import request_facts
from .responses import encode

logger = get_logger(__name__)

PROBLEM_TYPE = "application/problem+json"
MAX_ERRORS = 100
MAX_TOLD = 5  # in the detail, which many clients show alone
FIELD_NAME_LENGTH = 100

STATUS_BY_CODE = {
    "malformed_json": 400,
    "bad_request": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "request_timeout": 408,
    "duplicate_client_order_id": 409,
    "nothing_to_close": 409,
    "not_closable": 409,
    "not_convertible": 409,
    "order_not_open": 409,
    "idempotency_in_progress": 409,
    "precondition_failed": 412,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "validation_failed": 422,
    "idempotency_conflict": 422,
    "insufficient_margin": 422,
    "insufficient_holdings": 422,
    "no_price": 422,
    "account_suspended": 422,
    "market_closed": 422,
    "not_simulated": 422,
    "unknown_symbol": 422,
    "intraday_not_allowed": 422,
    "quantity_off_lot": 422,
    "price_off_tick": 422,
    "trigger_beyond_price": 422,
    "trigger_on_wrong_side": 422,
    "price_outside_band": 422,
    "square_off_passed": 422,
    "precondition_required": 428,
    "rate_limited": 429,
    "too_many_exports": 429,
    "internal_error": 500,
    "cron_disabled": 503,
    "service_unavailable": 503,
}
# The default detail of each code; refusals of trading have their own message (trading.rules.errors).
DETAILS = {
    "malformed_json": "The body is not valid JSON.",
    "bad_request": "The request cannot be read.",
    "unauthenticated": "The token is unknown, expired or revoked.",
    "not_found": "This path does not exist.",
    "method_not_allowed": "This path does not support this method.",
    "request_timeout": "The body did not arrive in time.",
    "payload_too_large": "The body is larger than 64 KiB.",
    "unsupported_media_type": "The Content-Type of the body must be application/json.",
    "precondition_required": "The request needs an If-Match header with the ETag of the order.",
    "rate_limited": "This token has placed too many orders; try again later.",
    "too_many_exports": "Too many exports are running at the same time; try again when one has ended.",
    "internal_error": "An unexpected error occurred; it has been logged.",
    "cron_disabled": "This endpoint is disabled, because no secret is configured for it.",
    "service_unavailable": "The service is temporarily unavailable; try again.",
}
# The codes of exceptions that werkzeug and Flask raise.
CODE_BY_STATUS = {
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


class HttpRefusal(Exception):
    """A request that the HTTP door refuses, before or instead of calling trading."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        fields: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.detail = DETAILS[code] if detail is None else detail
        super().__init__(self.detail)
        self.fields = fields
        self.headers = headers


def too_large(max_size: int) -> HttpRefusal:
    """Return the refusal of a body that is larger than this many bytes."""
    return HttpRefusal("payload_too_large", f"The body is larger than {max_size // 1024} KiB.")


def invalid(errors: Any) -> HttpRefusal:
    """Return the refusal of invalid fields; `errors` are marshmallow's messages, which may be nested."""
    fields: dict[str, list[str]] = {}
    _flatten(errors, "", fields)
    told = [f"{name}: {' '.join(messages)}" for name, messages in list(fields.items())[:MAX_TOLD]]
    if len(fields) > MAX_TOLD:
        told.append(f"And {len(fields) - MAX_TOLD} more.")
    return HttpRefusal("validation_failed", " ".join(["The request is not valid.", *told]), fields=fields)


def _flatten(errors: Any, path: str, fields: dict[str, list[str]]) -> None:
    if len(fields) >= MAX_ERRORS:
        return
    if isinstance(errors, Mapping):
        for key, below in errors.items():
            part = _clean_name(str(key))
            _flatten(below, path if part == "_schema" and path else f"{path}.{part}" if path else part, fields)
    else:
        messages = errors if isinstance(errors, list) else [errors]
        fields["body" if path == "_schema" else path] = [str(message) for message in messages]


def _clean_name(name: str) -> str:
    """Return a field's name, which the client chose, shortened and as valid UTF-8."""
    return name[:FIELD_NAME_LENGTH].encode("utf-8", "replace").decode()


def register(app: Flask) -> None:
    """Respond to every exception of the application with a problem document."""
    app.register_error_handler(HttpRefusal, _respond_to_http_refusal)
    app.register_error_handler(Refused, _respond_to_refused)
    app.register_error_handler(DatabaseUnavailable, _respond_to_database_unavailable)
    app.register_error_handler(HTTPException, _respond_to_http_exception)
    app.register_error_handler(Exception, _respond_to_unexpected)


def problem(
    code: str, detail: str, members: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return a response with a problem document, or in the form of the door that the request came by."""
    facts = request_facts()
    facts.problem_code = code
    if facts.write_problem is not None:
        return facts.write_problem(code, detail, members, headers)
    document = describe_problem(code, detail, members, request.path)
    return Response(encode(document), STATUS_BY_CODE[code], dict(headers or {}), content_type=PROBLEM_TYPE)


def describe_problem(code: str, detail: str, members: Mapping[str, Any] | None, path: str) -> dict[str, Any]:
    """Return the members of a problem document."""
    return {
        "type": f"urn:tradepost:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": STATUS_BY_CODE[code],
        "detail": detail,
        "instance": quote(path, safe="/:@!$&'()*+,;=~"),
        "code": code,
        **(members or {}),
    }


def members_of(error: HttpRefusal | Refused) -> dict[str, Any]:
    """Return the members that a refusal adds to its problem document."""
    if isinstance(error, Refused):
        return {_camel_case(name): _readable(value) for name, value in error.details.items()}
    return {} if error.fields is None else {"errors": error.fields}


def problem_document(error: Exception) -> dict[str, Any]:
    """Return the problem document of an error, to be part of a larger response."""
    response = current_app.make_response(current_app.handle_user_exception(error))
    return cast(dict[str, Any], response.get_json())


def _respond_to_http_refusal(error: HttpRefusal) -> Response:
    request_facts().problem_fields = list(error.fields or ())
    return problem(error.code, error.detail, members_of(error), error.headers)


def _respond_to_refused(error: Refused) -> Response:
    request_facts().problem_fields = error.details.get("fields", ())
    return problem(error.code, error.message, members_of(error))


def _respond_to_database_unavailable(error: DatabaseUnavailable) -> Response:
    logger.warning("database_unavailable", path=request.path, reason=str(error).split("\n")[0])
    return problem("service_unavailable", DETAILS["service_unavailable"], headers={"Retry-After": "1"})


def _respond_to_http_exception(error: HTTPException) -> Response:
    response = error.get_response()
    if response.status_code >= 500:
        return _respond_to_unexpected(error)
    code = CODE_BY_STATUS.get(response.status_code, "bad_request")
    allow = response.headers.get("Allow")
    return problem(code, DETAILS[code], headers={"Allow": allow} if allow else None)


def _respond_to_unexpected(error: Exception) -> Response:
    logger.error("unexpected_error", method=request.method, path=request.path, exc_info=error)
    return problem("internal_error", DETAILS["internal_error"])


def _camel_case(name: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), name)


def _readable(value: Any) -> Any:
    match value:
        case Decimal():
            return f"{value:.2f}"
        case datetime():
            return format_timestamp(value)
        case UUID():
            return str(value)
    return value
