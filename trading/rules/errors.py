"""The refusals of requests, each with its stable code; the docstring of a class is the message to the client."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from trading.rules.terms import OrderOrigin, OrderStatus


class Refused(Exception):
    """The request cannot be fulfilled."""

    code = "refused"
    is_refusal = True  # tells tracing that this is an answer and not a failure

    def __init__(self, **details: Any) -> None:
        self.details = details
        super().__init__(self.message)

    # The message with the details in it, if it has any.
    template: str | None = None

    @property
    def message(self) -> str:
        """Return the template with the details, or the first line of the class's docstring."""
        if self.template is not None:
            return self.template.format(**self.details)
        return (self.__doc__ or "").strip().splitlines()[0]


class NotFound(Refused):
    """The resource does not exist, or it belongs to another account."""

    code = "not_found"


class NothingThere(NotFound):
    """The resource does not exist."""  # of a kind that belongs to no account, or for an administrator


class AccountSuspended(Refused):
    """The account is suspended and may not trade."""

    code = "account_suspended"


class UnknownSymbol(Refused):
    """Nobody has imported or quoted this symbol on this exchange; `nearest` lists known ones."""

    code = "unknown_symbol"

    def __init__(self, *, exchange: str, symbol: str, nearest: Sequence[Mapping[str, str | None]]) -> None:
        known = " or ".join(f"{stock['exchange']}:{stock['symbol']}" for stock in nearest)
        question = f" Did you mean {known}?" if known else ""
        self._message = f"Nobody has imported or quoted {exchange}:{symbol}.{question}"
        super().__init__(exchange=exchange, symbol=symbol, nearest=list(nearest))

    @property
    def message(self) -> str:
        """Return the message with the symbol and the known ones, since programs often print it alone."""
        return self._message


class MarketClosed(Refused):
    """The market is closed."""

    code = "market_closed"

    def __init__(self, *, next_open: datetime | None) -> None:
        super().__init__(next_open=next_open)


class NoPrice(Refused):
    """The stock has no last traded price; place a LIMIT order or wait for a quote."""

    code = "no_price"


class NotSimulated(Refused):
    """The account's fill model does not simulate these fields; an account with the fill model QUOTES takes them."""

    code = "not_simulated"

    def __init__(self, *, fields: list[str]) -> None:
        super().__init__(fields=fields)

    @property
    def message(self) -> str:
        """Return the reason with the fields."""
        return super().message.replace("these fields", f"these fields: {', '.join(self.details['fields'])}")


class IntradayNotAllowed(Refused):
    """This stock is traded as DELIVERY only."""

    code = "intraday_not_allowed"


class QuantityOffLot(Refused):
    """The quantity is not a multiple of the stock's lot size."""

    code = "quantity_off_lot"

    def __init__(self, *, lot_size: int) -> None:
        super().__init__(lot_size=lot_size)


class PriceOffTick(Refused):
    """The price is not a multiple of the stock's tick size."""

    code = "price_off_tick"

    def __init__(
        self, *, field: str, tick_size: Decimal, lower_price: Decimal | None, upper_price: Decimal | None
    ) -> None:
        super().__init__(field=field, tick_size=tick_size, lower_price=lower_price, upper_price=upper_price)


class TriggerBeyondPrice(Refused):
    """The triggerPrice lies beyond the price, so that the order could not fill when it is triggered."""

    code = "trigger_beyond_price"

    def __init__(self, *, trigger_price: Decimal, price: Decimal) -> None:
        super().__init__(trigger_price=trigger_price, price=price)


class TriggerOnWrongSide(Refused):
    """The last price has reached the triggerPrice already: a BUY needs it above the last price, a SELL below."""

    code = "trigger_on_wrong_side"

    def __init__(self, *, trigger_price: Decimal, last_price: Decimal) -> None:
        super().__init__(trigger_price=trigger_price, last_price=last_price)


class PriceOutsideBand(Refused):
    """The price lies outside today's circuits."""

    code = "price_outside_band"

    def __init__(self, *, field: str, lower_circuit: Decimal | None, upper_circuit: Decimal | None) -> None:
        super().__init__(field=field, lower_circuit=lower_circuit, upper_circuit=upper_circuit)


class SquareOffPassed(Refused):
    """INTRADAY positions are closed at this time of the day, so that an INTRADAY order may only reduce one."""

    code = "square_off_passed"

    def __init__(self, *, square_off_at: datetime) -> None:
        super().__init__(square_off_at=square_off_at)


class InsufficientHoldings(Refused):
    """A DELIVERY sell exceeds the held quantity that is not promised to other orders; only INTRADAY may be short."""

    code = "insufficient_holdings"


class InsufficientMargin(Refused):
    """The available margin is below the required amount."""

    code = "insufficient_margin"
    template = (
        "The available margin is below the required amount: {required:.2f} is required, {available:.2f} is available."
    )

    def __init__(self, *, required: Decimal, available: Decimal) -> None:
        super().__init__(required=required, available=available)


class DuplicateClientOrderId(Refused):
    """An order with this clientOrderId exists."""

    code = "duplicate_client_order_id"

    def __init__(self, *, order_id: UUID) -> None:
        super().__init__(order_id=order_id)


class NothingToClose(Refused):
    """The position is flat, or PENDING and OPEN orders will close all of it."""

    code = "nothing_to_close"


class NotClosable(Refused):
    """Fewer shares can be closed: those that are open, less those that PENDING and OPEN orders will close."""

    code = "not_closable"
    template = (
        "At most {closable} shares can be closed: those that are open, less those that PENDING and OPEN orders will "
        "close."
    )

    def __init__(self, *, closable: int) -> None:
        super().__init__(closable=closable)


class NotConvertible(Refused):
    """Fewer shares may be converted: no shorts, none that orders will sell, of DELIVERY only those bought today."""

    code = "not_convertible"
    template = (
        "At most {convertible} shares may be converted: no shorts, none that orders will sell, of DELIVERY only those "
        "bought today."
    )

    def __init__(self, *, convertible: int) -> None:
        super().__init__(convertible=convertible)


class OrderNotOpen(Refused):
    """The order is already final."""

    code = "order_not_open"

    def __init__(self, *, status: str, matched_at: datetime | None = None) -> None:
        super().__init__(order_status=status, **({} if matched_at is None else {"matched_at": matched_at}))

    @property
    def message(self) -> str:
        """Return the reason: the order is final, or the market has traded it and its fill follows."""
        if "matched_at" in self.details:
            return "The market has already traded the order; its fill follows."
        status = self.details["order_status"]
        return f"The order is already final: it is {status}." if OrderStatus(status).is_final else super().message


class ClosesForSquareOff(OrderNotOpen):
    """The order closes the position for the square-off; it cannot be changed or cancelled."""

    def __init__(self, *, status: str) -> None:
        super().__init__(status=status)
        self.details["origin"] = str(OrderOrigin.SQUARE_OFF)


class PreconditionFailed(Refused):
    """The order has changed since it was read; read it again."""

    code = "precondition_failed"


class ChangeNotTaken(Refused):
    """The order does not take this change."""

    code = "validation_failed"
    field = "orderType"

    def __init__(self) -> None:
        super().__init__(errors={self.field: [self.message]})


class PriceNotTaken(ChangeNotTaken):
    """A MARKET order takes no price."""

    field = "price"


class PriceNeeded(ChangeNotTaken):
    """A LIMIT order needs a price."""

    field = "price"


class TriggerNotTaken(ChangeNotTaken):
    """Only a stop that has not been triggered takes a triggerPrice."""

    field = "triggerPrice"


class TypeNotTaken(ChangeNotTaken):
    """A LIMIT order can only become MARKET, a stop only LIMIT or MARKET."""


class ValidityNotTaken(ChangeNotTaken):
    """A MARKET order has the validity DAY or IOC."""


class IdempotencyConflict(Refused):
    """This Idempotency-Key was used with another request."""

    code = "idempotency_conflict"


class IdempotencyInProgress(Refused):
    """The first request with this Idempotency-Key has not finished; try again."""

    code = "idempotency_in_progress"
