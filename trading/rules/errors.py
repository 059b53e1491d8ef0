"""The refusals of requests, each with its stable code; the docstring of a class is the message to the client."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID


class Refused(Exception):
    """The request cannot be fulfilled."""

    code = "refused"
    is_refusal = True  # tells tracing that this is an answer and not a failure

    def __init__(self, **details: Any) -> None:
        super().__init__(self.message)
        self.details = details

    @property
    def message(self) -> str:
        """Return the first line of the class's docstring."""
        return (self.__doc__ or "").strip().splitlines()[0]


class NotFound(Refused):
    """The resource does not exist, or it belongs to another account."""

    code = "not_found"


class AccountSuspended(Refused):
    """The account is suspended and may not trade."""

    code = "account_suspended"


class MarketClosed(Refused):
    """The market is closed."""

    code = "market_closed"

    def __init__(self, *, next_open: datetime) -> None:
        super().__init__(next_open=next_open)


class NoPrice(Refused):
    """The stock has no last traded price; place a LIMIT order or wait for a quote."""

    code = "no_price"


class InsufficientHoldings(Refused):
    """A DELIVERY sell exceeds the held quantity that is not promised to other orders."""

    code = "insufficient_holdings"


class InsufficientMargin(Refused):
    """The available margin is below the required amount."""

    code = "insufficient_margin"

    def __init__(self, *, required: Decimal, available: Decimal) -> None:
        super().__init__(required=required, available=available)


class DuplicateClientOrderId(Refused):
    """An order with this clientOrderId exists."""

    code = "duplicate_client_order_id"

    def __init__(self, *, order_id: UUID) -> None:
        super().__init__(order_id=order_id)


class NothingToClose(Refused):
    """The position is flat, or PENDING orders will close all of it."""

    code = "nothing_to_close"


class OrderNotOpen(Refused):
    """The order is already final."""

    code = "order_not_open"

    def __init__(self, *, status: str) -> None:
        super().__init__(order_status=status)


class PreconditionFailed(Refused):
    """The order has changed since it was read; read it again."""

    code = "precondition_failed"


class PriceNotTaken(Refused):
    """A MARKET order takes no price."""

    code = "validation_failed"

    def __init__(self) -> None:
        super().__init__(errors={"price": [self.message]})


class IdempotencyConflict(Refused):
    """This Idempotency-Key was used with another request."""

    code = "idempotency_conflict"


class IdempotencyInProgress(Refused):
    """The first request with this Idempotency-Key has not finished; try again."""

    code = "idempotency_in_progress"
