"""One exception for each code of a problem document, with its members."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from .failures import Problem


class BadRequest(Problem, code="bad_request"):
    """The request cannot be read."""


class MalformedJson(Problem, code="malformed_json"):
    """The body is not valid JSON."""


class Unauthenticated(Problem, code="unauthenticated"):
    """The token is unknown, expired or revoked."""


class Forbidden(Problem, code="forbidden"):
    """The token lacks the scope."""


class NotFound(Problem, code="not_found"):
    """The thing does not exist, or it belongs to another account."""


class MethodNotAllowed(Problem, code="method_not_allowed"):
    """The path does not support this method."""


class RequestTimeout(Problem, code="request_timeout"):
    """The body did not arrive in time."""


class PayloadTooLarge(Problem, code="payload_too_large"):
    """The body is too large."""


class UnsupportedMediaType(Problem, code="unsupported_media_type"):
    """The body is not JSON."""


class ValidationFailed(Problem, code="validation_failed"):
    """Fields of the request are not valid; `errors` has the messages for each."""

    errors: Mapping[str, Any]


class DuplicateClientOrderId(Problem, code="duplicate_client_order_id"):
    """An order with this client_order_id exists; `order_id` is its id."""

    order_id: str


class NothingToClose(Problem, code="nothing_to_close"):
    """The position is flat, or live orders will close all of it."""


class NotClosable(Problem, code="not_closable"):
    """Fewer shares can be closed: `closable`."""

    closable: int


class NotConvertible(Problem, code="not_convertible"):
    """Fewer shares may be converted: `convertible`."""

    convertible: int


class OrderNotOpen(Problem, code="order_not_open"):
    """The order is final, or the market has traded it already (`matched_at`)."""

    order_status: str | None
    matched_at: datetime | None
    origin: str | None


class IdempotencyInProgress(Problem, code="idempotency_in_progress"):
    """The first request with this key has not finished."""


class IdempotencyConflict(Problem, code="idempotency_conflict"):
    """The key was used with another request."""


class PreconditionFailed(Problem, code="precondition_failed"):
    """The order has changed since it was read."""


class PreconditionRequired(Problem, code="precondition_required"):
    """The request needs an ETag."""


class InsufficientMargin(Problem, code="insufficient_margin"):
    """The available margin is below the required amount."""

    required: Decimal | None
    available: Decimal | None


class InsufficientHoldings(Problem, code="insufficient_holdings"):
    """A DELIVERY sell exceeds the held quantity that is not promised to other orders."""


class NoPrice(Problem, code="no_price"):
    """The stock has no last traded price."""


class UnknownSymbol(Problem, code="unknown_symbol"):
    """Nobody has imported or quoted this stock; `nearest` lists known ones as the API spells them."""

    exchange: str
    symbol: str
    nearest: tuple[Mapping[str, Any], ...]


class AccountSuspended(Problem, code="account_suspended"):
    """The account is suspended and may not trade."""


class MarketClosed(Problem, code="market_closed"):
    """The market is closed; `next_open` is None if no later session is known."""

    next_open: datetime | None


class SquareOffPassed(Problem, code="square_off_passed"):
    """INTRADAY positions have been squared off: an INTRADAY order may only reduce one."""

    square_off_at: datetime | None


class NotSimulated(Problem, code="not_simulated"):
    """The account's fill model does not simulate these fields."""

    fields: tuple[str, ...]


class IntradayNotAllowed(Problem, code="intraday_not_allowed"):
    """The stock is traded as DELIVERY only."""


class QuantityOffLot(Problem, code="quantity_off_lot"):
    """The quantity is not a multiple of the lot size."""

    lot_size: int


class PriceOffTick(Problem, code="price_off_tick"):
    """The price is not a multiple of the tick size; the nearest prices are `lower_price` and `upper_price`."""

    field: str
    tick_size: Decimal
    lower_price: Decimal | None
    upper_price: Decimal | None


class PriceOutsideBand(Problem, code="price_outside_band"):
    """The price lies outside the day's circuits."""

    field: str
    lower_circuit: Decimal | None
    upper_circuit: Decimal | None


class TriggerBeyondPrice(Problem, code="trigger_beyond_price"):
    """The trigger lies beyond the price."""

    trigger_price: Decimal
    price: Decimal


class TriggerOnWrongSide(Problem, code="trigger_on_wrong_side"):
    """The last price has reached the trigger already."""

    trigger_price: Decimal
    last_price: Decimal


class RateLimited(Problem, code="rate_limited"):
    """The token has placed too many orders."""


class TooManyExports(Problem, code="too_many_exports"):
    """The account, or the whole process, has as many exports as may run at once."""


class InternalError(Problem, code="internal_error"):
    """The service failed; it has logged why."""


class ServiceUnavailable(Problem, code="service_unavailable"):
    """The service cannot reach its database."""


class CronDisabled(Problem, code="cron_disabled"):
    """The endpoint is disabled."""
