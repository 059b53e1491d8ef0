"""Kite's envelope around every answer, and the translation of this service's refusals into Kite's errors."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from flask import Flask, Response, request

from api.http.errors import DETAILS, STATUS_BY_CODE
from api.http.facts import request_facts
from api.http.responses import encode
from runtime.kite_paths import PREFIX
from schemas.kite.words import in_kites_names

# Kite's clients compare the type with these very words: no charset may follow.
JSON = "application/json"
# The headers of a problem that an answer of this door keeps.
KEPT_HEADERS = ("Retry-After", "Allow")

Members = Mapping[str, Any]
Wording = Callable[[str, Members], str]


class KiteRefusal(Exception):
    """A request that this door refuses in Kite's words; code and field are for logs and counts."""

    is_refusal = True  # tells tracing that this is an answer and not a failure

    def __init__(
        self,
        error_type: str,
        message: str,
        status: int = 400,
        data: Any = None,
        *,
        code: str | None = None,
        field: str | None = None,
    ) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.status = status
        self.data = data
        self.code = code or CODES.get(error_type, "validation_failed")
        self.fields = () if field is None else (field,)


class Translation(NamedTuple):
    """The status, the error_type and the words of a refusal; without words it keeps its own."""

    status: int
    error_type: str
    words: str | Wording | None = None
    data: Any = None


CODES = {
    "TokenException": "unauthenticated",
    "PermissionException": "forbidden",
    "MarginException": "insufficient_margin",
    "HoldingException": "insufficient_holdings",
    "NetworkException": "rate_limited",
    "GeneralException": "not_found",
}
BAD_TOKEN = "Incorrect `api_key` or `access_token`."
NOT_PERMITTED = "Insufficient permission for that call."
TOO_MANY = "Too many requests"
BEING_PROCESSED = "Order cannot be {} as it is being processed. Try later."
OFF_TICK = "Tick size for this script is {}. Kindly enter price in the multiple of tick size for this script"
UNKNOWN_INSTRUMENT = "The instrument you are placing an order for has either expired or does not exist."


def _not_found(detail: str, _members: Members) -> str:
    return "Route not found" if detail == DETAILS["not_found"] else detail


def _insufficient_margin(_detail: str, members: Members) -> str:
    return (
        f"Insufficient funds. Required margin is {members['required']} but available margin is "
        f"{members['available']}. Check the orderbook for open orders."
    )


def _off_tick(_detail: str, members: Members) -> str:
    return OFF_TICK.format(members["tickSize"])


def _on_wrong_side(detail: str, members: Members) -> str:
    trigger, last = Decimal(members["triggerPrice"]), Decimal(members["lastPrice"])
    if trigger == last:
        return detail
    side, place = ("sell", "lower") if trigger > last else ("buy", "higher")
    return f"Trigger price for stoploss {side} orders should be {place} than the last traded price"


def _beyond_price(_detail: str, members: Members) -> str:
    is_buy = Decimal(members["triggerPrice"]) > Decimal(members["price"])
    side, place = ("buy", "higher") if is_buy else ("sell", "lower")
    return f"Trigger price for stoploss {side} orders cannot be {place} than the price of the order."


def _not_open(_detail: str, _members: Members) -> str:
    return BEING_PROCESSED.format("cancelled" if request.method == "DELETE" else "modified")


# The words were seen at Kite Connect and in its forum (2026-11), where there are any.
TRANSLATIONS: dict[str, Translation] = {
    "unauthenticated": Translation(403, "TokenException", BAD_TOKEN),
    "forbidden": Translation(403, "PermissionException", NOT_PERMITTED),
    "account_suspended": Translation(403, "PermissionException"),
    "not_found": Translation(404, "GeneralException", _not_found),
    "method_not_allowed": Translation(405, "GeneralException", "Requested method not allowed"),
    "request_timeout": Translation(408, "NetworkException"),
    "payload_too_large": Translation(413, "InputException"),
    "unsupported_media_type": Translation(415, "InputException"),
    "order_not_open": Translation(400, "InputException", _not_open),
    "insufficient_margin": Translation(400, "MarginException", _insufficient_margin),
    "insufficient_holdings": Translation(
        400,
        "HoldingException",
        "Insufficient holdings. The quantity is more than is held and not promised to other orders.",
    ),
    "market_closed": Translation(
        400,
        "InputException",
        "Your order could not be converted to a After Market Order (AMO).",
        {"hints": ["switch_to_amo"]},
    ),
    "unknown_symbol": Translation(400, "InputException", UNKNOWN_INSTRUMENT),
    "price_off_tick": Translation(400, "InputException", _off_tick),
    "trigger_beyond_price": Translation(400, "InputException", _beyond_price),
    "trigger_on_wrong_side": Translation(400, "InputException", _on_wrong_side),
    "rate_limited": Translation(429, "NetworkException", TOO_MANY),
    "internal_error": Translation(500, "GeneralException"),
    "service_unavailable": Translation(503, "NetworkException"),
}


def register(app: Flask) -> None:
    """Write every error of a path of this door in Kite's envelope, and that of a Kite client's path that is unknown."""
    app.before_request(_begin)
    app.register_error_handler(KiteRefusal, _respond_to_refusal)


def success(data: Any) -> Response:
    """Return a successful answer with its data; numbers are JSON numbers, never Decimals."""
    return Response(encode({"status": "success", "data": data}), content_type=JSON)


def failure(status: int, error_type: str, message: str, data: Any = None) -> Response:
    """Return an error in Kite's envelope."""
    body = {"status": "error", "message": message, "data": data, "error_type": error_type}
    return Response(encode(body), status, content_type=JSON)


def refusal_of(code: str, detail: str, members: Members | None = None) -> KiteRefusal:
    """Return the refusal in Kite's words of a problem of this service."""
    status = STATUS_BY_CODE[code]
    usual = Translation(
        400 if 400 <= status < 500 else status, "InputException" if status < 500 else "NetworkException"
    )
    found = TRANSLATIONS.get(code, usual)
    detail = in_kites_names(detail)
    words = found.words(detail, members or {}) if callable(found.words) else found.words or detail
    return KiteRefusal(found.error_type, words, found.status, found.data, code=code)


def _begin() -> None:
    path, is_lost = request.path, request.url_rule is None and "X-Kite-Version" in request.headers
    if is_lost or path == PREFIX or path.startswith(f"{PREFIX}/"):
        request_facts().write_problem = _write_problem


def _write_problem(code: str, detail: str, members: Members | None, headers: Mapping[str, str] | None) -> Response:
    response = _respond_to_refusal(refusal_of(code, detail, members))
    response.headers.update({name: value for name, value in (headers or {}).items() if name in KEPT_HEADERS})
    return response


def _respond_to_refusal(refusal: KiteRefusal) -> Response:
    facts = request_facts()
    facts.problem_code, facts.problem_fields = refusal.code, refusal.fields
    return failure(refusal.status, refusal.error_type, refusal.message, refusal.data)
