"""The problem responses of the routes: each names its own codes, with an example for each."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.http.description import HEADERS as RESPONSE_HEADERS
from api.http.description import carries
from api.http.errors import DETAILS, PROBLEM_TYPE, STATUS_BY_CODE, HttpRefusal, describe_problem, invalid, members_of
from schemas.examples import MOMENT, ORDER_ID
from trading.rules import errors
from trading.rules.errors import Refused
from trading.rules.terms import OrderStatus

Document = dict[str, Any]
Mistakes = dict[str, list[str]]

# The codes with which any request may be refused; gunicorn refuses with some of them before it has read one.
GENERAL = (
    "malformed_json",
    "bad_request",
    "method_not_allowed",
    "request_timeout",
    "payload_too_large",
    "unsupported_media_type",
    "internal_error",
)
# The refusals that many operations share, each by the name of its response.
SHARED = {
    "Unauthenticated": "unauthenticated",
    "Forbidden": "forbidden",
    "NotFound": "not_found",
    "ServiceUnavailable": "service_unavailable",
}
HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
GENERAL_DESCRIPTION = """\
Any other refusal: a problem document. These problems are possible everywhere: {codes}. An address that is too long is
a 414, and headers that are too large are a 431."""
# What a code means, where the detail of its example names one case only.
MEANINGS = {
    "unknown_symbol": "Nobody has imported or quoted this symbol on this exchange; `nearest` lists known ones.",
    "validation_failed": "A field or a parameter is not valid; `errors` names each of them.",
    "forbidden": "The token lacks the scope.",
    "payload_too_large": "The body is larger than 64 KiB, or than 512 KiB for quotes.",
    "order_not_open": "The order is final, the market has traded it, or it closes a position for the square-off.",
}
# Each code's example is a refusal that a client can get.
REFUSALS: tuple[HttpRefusal | Refused, ...] = (
    *(HttpRefusal(code) for code in DETAILS),
    HttpRefusal("forbidden", "A token with the scope `admin` or `read` is required."),
    invalid({"quantity": ["Must be from 1 to 1000000."]}),
    errors.InsufficientMargin(required=Decimal("5010.54"), available=Decimal("1000.00")),
    errors.MarketClosed(next_open=datetime.fromisoformat(MOMENT)),
    errors.DuplicateClientOrderId(order_id=UUID(ORDER_ID)),
    errors.OrderNotOpen(status=OrderStatus.EXECUTED),
    errors.NotSimulated(fields=["triggerPrice"]),
    errors.UnknownSymbol(
        exchange="NSE",
        symbol="RELAINCE",
        nearest=[{"exchange": "NSE", "symbol": "RELIANCE", "name": "Reliance Industries"}],
    ),
    errors.IntradayNotAllowed(),
    errors.QuantityOffLot(lot_size=75),
    errors.PriceOffTick(
        field="price",
        tick_size=Decimal("0.05"),
        lower_price=Decimal("2500.00"),
        upper_price=Decimal("2500.05"),
    ),
    errors.TriggerBeyondPrice(trigger_price=Decimal("2510.00"), price=Decimal("2505.00")),
    errors.TriggerOnWrongSide(trigger_price=Decimal("2490.00"), last_price=Decimal("2500.00")),
    errors.PriceOutsideBand(field="price", lower_circuit=Decimal("2250.00"), upper_circuit=Decimal("2750.00")),
    errors.SquareOffPassed(square_off_at=datetime.fromisoformat(MOMENT)),
    errors.AccountSuspended(),
    errors.IdempotencyConflict(),
    errors.IdempotencyInProgress(),
    errors.InsufficientHoldings(),
    errors.NoPrice(),
    errors.NotFound(),
    errors.NotClosable(closable=6),
    errors.NotConvertible(convertible=5),
    errors.NothingToClose(),
    errors.PreconditionFailed(),
)
REFUSAL_BY_CODE = {refusal.code: refusal for refusal in REFUSALS}


def responses() -> dict[str, Document]:
    """Return the responses that many operations share, by name."""
    codes = ", ".join(f"`{code}`" for code in GENERAL)
    general = response(GENERAL, "/api/trading/orders", ("X-Request-Id",))
    return {name: response([code], "/api/trading/orders", ("X-Request-Id",)) for name, code in SHARED.items()} | {
        "AnyOther": general | {"description": GENERAL_DESCRIPTION.format(codes=codes).replace("\n", " ")}
    }


def responses_of(codes: Iterable[str], path: str, mistakes: Mistakes, headers: tuple[str, ...]) -> dict[str, Document]:
    """Return the responses of an operation's refusals by status, with the one for all other refusals.

    `path` is that of the request in the examples, and `mistakes` are the messages for its invalid fields.
    """
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes, key=[*STATUS_BY_CODE].index):
        by_status.setdefault(STATUS_BY_CODE[code], []).append(code)
    shared = {code: {"$ref": f"#/components/responses/{name}"} for name, code in SHARED.items()}
    found = {}
    for status, alike in sorted(by_status.items()):
        is_shared = headers == ("X-Request-Id",) and alike[0] in shared and len(alike) == 1
        found[str(status)] = shared[alike[0]] if is_shared else response(alike, path, headers, mistakes)
    return found | {"default": {"$ref": "#/components/responses/AnyOther"}}


def response(codes: Sequence[str], path: str, headers: tuple[str, ...], mistakes: Mistakes | None = None) -> Document:
    """Return the response of the refusals with some codes, with an example of each."""
    statuses = {STATUS_BY_CODE[code] for code in codes}
    own = HEADERS.get(min(statuses), ()) if len(statuses) == 1 else ()
    meanings = [meaning_of(code) for code in codes]
    if len(codes) > 1:
        meanings = [f"- `{code}`: {meaning}" for code, meaning in zip(codes, meanings, strict=True)]
    carried = carries(*own, *headers)
    if "cron_disabled" in codes:  # there is no time after which it would be enabled
        carried["Retry-After"] = RESPONSE_HEADERS["Retry-After"] | {"required": False}
    return {
        "description": "\n".join(meanings),
        "headers": carried,
        "content": {
            PROBLEM_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"value": example_of_problem(code, path, mistakes)} for code in codes},
            }
        },
    }


def meaning_of(code: str) -> str:
    """Return a sentence that says when a request is refused with a code."""
    return MEANINGS.get(code) or _detail(REFUSAL_BY_CODE[code])


def meanings() -> list[tuple[int, str, str]]:
    """Return the status, the code and the meaning of every problem, by status."""
    by_status = sorted(STATUS_BY_CODE.items(), key=lambda item: item[1])
    return [(status, code, meaning_of(code)) for code, status in by_status]


def example_of_problem(code: str, path: str, mistakes: Mistakes | None = None) -> Document:
    """Return the example of a problem with a code, as the answer to a request for a path."""
    refusal = REFUSAL_BY_CODE[code]
    if code == "validation_failed" and mistakes is not None:
        refusal = invalid(mistakes)
    return describe_problem(code, _detail(refusal), members_of(refusal), path)


def _detail(refusal: HttpRefusal | Refused) -> str:
    return refusal.message if isinstance(refusal, Refused) else refusal.detail
