"""The modification of an order: the request that it becomes, and the changes that it does not take."""

from dataclasses import replace
from decimal import Decimal

from trading.rules.decision import OrderRequest
from trading.rules.errors import PriceNeeded, PriceNotTaken, TriggerNotTaken, TypeNotTaken, ValidityNotTaken
from trading.rules.terms import LIMITS, STOPS, OrderType, Validity

TYPE_CHANGES = {
    (OrderType.LIMIT, OrderType.MARKET),
    (OrderType.STOP_LIMIT, OrderType.LIMIT),
    (OrderType.STOP_LIMIT, OrderType.MARKET),
    (OrderType.STOP_MARKET, OrderType.LIMIT),
    (OrderType.STOP_MARKET, OrderType.MARKET),
}


def changed_request(
    request: OrderRequest,
    *,
    is_triggered: bool = False,
    quantity: int | None = None,
    price: Decimal | None = None,
    trigger_price: Decimal | None = None,
    order_type: str | None = None,
    market_protection: Decimal | None = None,
) -> OrderRequest:
    """Return the request that describes an order after a change; None keeps the old term.

    is_triggered is True for a stop whose trigger has fired. An order loses the terms that its new type does not have.

    Raises TypeNotTaken, ValidityNotTaken, PriceNotTaken, PriceNeeded or TriggerNotTaken.
    """
    new_type = OrderType(request.order_type if order_type is None else order_type)
    if new_type != request.order_type and (request.order_type, new_type) not in TYPE_CHANGES:
        raise TypeNotTaken
    if new_type == OrderType.MARKET and request.validity not in (Validity.DAY, Validity.IOC):
        raise ValidityNotTaken
    return replace(
        request,
        order_type=str(new_type),
        quantity=request.quantity if quantity is None else quantity,
        price=_price(request, new_type, price),
        trigger_price=_trigger_price(request, new_type, trigger_price, is_triggered),
        market_protection=None if new_type in LIMITS else market_protection or request.market_protection,
    )


def _price(request: OrderRequest, new_type: str, price: Decimal | None) -> Decimal | None:
    if new_type not in LIMITS:
        if price is not None:
            raise PriceNotTaken
        return None
    kept = request.price if price is None else price
    if kept is None:
        raise PriceNeeded
    return kept


def _trigger_price(
    request: OrderRequest, new_type: OrderType, trigger_price: Decimal | None, is_triggered: bool
) -> Decimal | None:
    kept = request.trigger_price if new_type in STOPS else None
    if trigger_price is None or trigger_price == kept:
        return kept
    if is_triggered or new_type not in STOPS:
        raise TriggerNotTaken
    return trigger_price
