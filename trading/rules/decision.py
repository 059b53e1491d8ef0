"""What an order will take, decided by the rules of money from numbers alone."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.rules.charges import Charges, charges_for
from trading.rules.errors import InsufficientHoldings, InsufficientMargin, NoPrice
from trading.rules.margin import closing_quantity, margin_for

MAX_QUANTITY = 1_000_000  # of one order, as the database's CHECK has it


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for; price in rupees for LIMIT, None for MARKET."""

    exchange: str
    symbol: str
    side: str
    quantity: int
    order_type: str = "MARKET"
    price: Decimal | None = None
    product: str = "INTRADAY"
    client_order_id: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An order's price, margin and charges in rupees, and what it closes and opens."""

    price: Decimal
    closing_quantity: int
    opening_quantity: int
    margin: Decimal
    charges: Charges


def decide(
    request: OrderRequest, *, last_price: Decimal | None = None, held: int = 0, promised: int = 0, on: date
) -> Decision:
    """Work out what an order takes by the rates of a day; raises NoPrice.

    held is the position's signed quantity, promised what pending orders of the same side will close of it.
    """
    price = request.price if request.price is not None else last_price
    if price is None:
        raise NoPrice
    closing = closing_quantity(side=request.side, quantity=request.quantity, held=held, promised=promised)
    opening = request.quantity - closing
    charges = charges_for(
        exchange=request.exchange,
        product=request.product,
        side=request.side,
        turnover=price * request.quantity,
        on=on,
    )
    return Decision(price, closing, opening, margin_for(request.product, price, opening), charges)


def check_cover(request: OrderRequest, decision: Decision, available_margin: Decimal) -> None:
    """Refuse what is not covered; an order that only closes always is."""
    if decision.opening_quantity == 0:
        return
    if request.product == "DELIVERY" and request.side == "SELL":
        raise InsufficientHoldings
    required = decision.margin + decision.charges.total
    if available_margin < required:
        raise InsufficientMargin(required=required, available=available_margin)
