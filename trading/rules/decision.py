"""The decision on an order: the price, the margin and the charges, and whether the account covers them."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.rules.charges import Charges, charges_for
from trading.rules.errors import InsufficientHoldings, InsufficientMargin, NoPrice
from trading.rules.margin import blocked_margin_for, closing_quantity, margin_for
from trading.rules.money import ZERO
from trading.rules.terms import OrderType, Product, Side, Validity

MAX_QUANTITY = 1_000_000  # of one order; a CHECK of the database holds it too


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """The order that a client asks for; prices are in rupees, None where the order type has none.

    market_protection is in percent.
    """

    exchange: str
    symbol: str
    side: str
    quantity: int
    order_type: str = OrderType.MARKET
    price: Decimal | None = None
    product: str = Product.INTRADAY
    client_order_id: str | None = None
    trigger_price: Decimal | None = None
    validity: str = Validity.DAY
    validity_minutes: int | None = None
    market_protection: Decimal | None = None
    after_market: bool = False
    tag: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """An order's price, blocked margin and charges in rupees, and the quantities that it closes and opens."""

    price: Decimal
    closing_quantity: int
    opening_quantity: int
    margin: Decimal
    charges: Charges


def decide(
    request: OrderRequest,
    *,
    last_price: Decimal | None = None,
    held: int = 0,
    held_margin: Decimal = ZERO,
    promised: int = 0,
    on: date,
) -> Decision:
    """Return the decision on an order at the rates of a day; raises NoPrice.

    held is the position's signed quantity, held_margin the margin in rupees that it blocks, promised the part of the
    quantity that other live orders of the same side will close.
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
    opening_margin = margin_for(request.product, price, opening)
    margin = blocked_margin_for(opening_margin, closing=closing, held=held, held_margin=held_margin)
    return Decision(price, closing, opening, margin, charges)


def check_cover(request: OrderRequest, decision: Decision, available_margin: Decimal) -> None:
    """Refuse an order that the account does not cover; an order that only closes needs no cover.

    Raises InsufficientHoldings or InsufficientMargin.
    """
    if decision.opening_quantity == 0:
        return
    if request.product == Product.DELIVERY and request.side == Side.SELL:
        raise InsufficientHoldings
    required = decision.margin + decision.charges.total
    if available_margin < required:
        raise InsufficientMargin(required=required, available=available_margin)
