"""The problem responses of all routes: one for each status, with an example for each code."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from api.http.errors import DETAILS, PROBLEM_TYPE, STATUS_BY_CODE, HttpRefusal, describe_problem, invalid, members_of
from schemas.examples import MOMENT, ORDER_ID
from trading.rules import errors
from trading.rules.errors import Refused
from trading.rules.terms import OrderStatus

Document = dict[str, Any]

DESCRIPTIONS = {
    400: "The body is not valid JSON, or the request cannot be read.",
    401: "The token is missing, unknown, expired or revoked.",
    403: "The token lacks the scope.",
    404: "The object does not exist, or it belongs to another account.",
    409: "The current state does not allow the request.",
    412: "The order is no longer the version that If-Match names.",
    413: "The body is larger than 64 KiB, or than 512 KiB for quotes.",
    414: "The address is too long.",
    422: "A field is not valid, or the account or the market does not allow the request.",
    431: "The headers are too large.",
}
# A status that has one code, or one common one, is described by its detail.
DESCRIPTIONS |= {
    STATUS_BY_CODE[code]: DETAILS[code]
    for code in (
        "request_timeout",
        "unsupported_media_type",
        "precondition_required",
        "rate_limited",
        "internal_error",
        "service_unavailable",
    )
}
DESCRIPTIONS[429] = "The token has placed too many orders, or too many exports are running; try again later."
# The statuses that every route may answer with.
EVERYWHERE = frozenset({400, 408, 413, 414, 415, 422, 431, 500})
# gunicorn refuses with these before it has read a request (gunicorn.conf.py).
REFUSED_EARLY = frozenset({400, 414, 431})
EARLY_HEADERS = ("X-Request-Id",)
HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
# Each code's example is a refusal that a client can get.
REFUSALS: tuple[HttpRefusal | Refused, ...] = (
    *(HttpRefusal(code) for code in DETAILS),
    HttpRefusal("forbidden", "A token with the scope `admin` or `read` is required."),
    invalid({"limit": ["Must be from 1 to 200."]}),
    errors.InsufficientMargin(required=Decimal("5010.54"), available=Decimal("1000.00")),
    errors.MarketClosed(next_open=datetime.fromisoformat(MOMENT)),
    errors.DuplicateClientOrderId(order_id=UUID(ORDER_ID)),
    errors.OrderNotOpen(status=OrderStatus.EXECUTED),
    errors.NotSimulated(fields=["triggerPrice"]),
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


def name_of(status: int, *, of_placement: bool = False) -> str:
    """Return the name of a status's response in the document's components."""
    return f"Problem{status}OfPlacement" if of_placement and status not in REFUSED_EARLY else f"Problem{status}"


def responses(of_all: tuple[str, ...], of_placements: tuple[str, ...]) -> dict[str, Document]:
    """Return two responses for every status: with the headers of all routes, and with those of placements too."""
    return {name_of(status): _response(status, of_all) for status in DESCRIPTIONS} | {
        name_of(status, of_placement=True): _response(status, of_all + of_placements) for status in DESCRIPTIONS
    }


def _response(status: int, headers: tuple[str, ...]) -> Document:
    codes = [code for code, of_code in STATUS_BY_CODE.items() if of_code == status]
    examples = {code: {"value": _problem(code)} for code in codes}
    names = HEADERS.get(status, ()) + (EARLY_HEADERS if status in REFUSED_EARLY else headers)
    content: Document = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": examples}
    return {
        "description": DESCRIPTIONS[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {PROBLEM_TYPE: content},
    }


def _problem(code: str) -> Document:
    refusal = REFUSAL_BY_CODE[code]
    detail = refusal.message if isinstance(refusal, Refused) else refusal.detail
    return describe_problem(code, detail, members_of(refusal), "/api/trading/orders")
