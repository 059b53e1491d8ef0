"""The margin that orders would need: each by itself, and all together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from trading.rules.charges import Charges, unrounded_charges
from trading.rules.decision import OrderRequest
from trading.rules.errors import NoPrice
from trading.rules.margin import MARGIN_RATES, closing_quantity, margin_for, signed
from trading.rules.money import ZERO, rounded
from trading.rules.terms import OrderType, Product, Side


class Held(NamedTuple):
    """The stock and the product of a position."""

    exchange: str
    symbol: str
    product: str


@dataclass(frozen=True, slots=True)
class OrderMargin:
    """The margin and the unrounded charges of an order that opens all of its quantity, in rupees."""

    order: OrderRequest
    price: Decimal
    margin: Decimal
    charges: Charges

    @property
    def leverage(self) -> Decimal:
        """Return the turnover that one rupee of margin allows."""
        return 1 / MARGIN_RATES[self.order.product]


def assumed_price(order: OrderRequest, last_price: Decimal | None) -> Decimal:
    """Return the price of an order that is not placed: its own, else its trigger, else the last one; raises NoPrice."""
    limit = None if order.order_type == OrderType.MARKET else order.price or order.trigger_price
    price = rounded(limit) if limit else last_price
    if price is None:
        raise NoPrice
    return price


def order_margin(order: OrderRequest, price: Decimal, *, on: date) -> OrderMargin:
    """Return the margin and the charges of an order at a price and at the rates of a day.

    A sale of a DELIVERY needs no margin: it closes, or it is refused.
    """
    turnover = price * order.quantity
    charges = unrounded_charges(
        exchange=order.exchange, product=order.product, side=order.side, turnover=turnover, on=on
    )
    is_free = order.product == Product.DELIVERY and order.side == Side.SELL
    margin = ZERO if is_free else margin_for(order.product, price, order.quantity)
    return OrderMargin(order, price, margin, charges)


def basket_margin(orders: Iterable[OrderMargin], held: Mapping[Held, int]) -> Decimal:
    """Return the margin in rupees that orders need together, which close what is held and each other.

    `held` has the signed quantities of positions. In each stock and product the net quantity of the orders closes
    first. What it opens needs margin at the average price of the orders of its side.
    """
    groups: dict[Held, list[OrderMargin]] = {}
    for one in orders:
        groups.setdefault(Held(one.order.exchange, one.order.symbol, one.order.product), []).append(one)
    return sum((_net_margin(group, held.get(key, 0)) for key, group in groups.items()), ZERO)


def _net_margin(orders: Sequence[OrderMargin], held: int) -> Decimal:
    net = sum(signed(one.order.side, one.order.quantity) for one in orders)
    side = Side.BUY if net > 0 else Side.SELL
    opened = abs(net) - closing_quantity(side=side, quantity=abs(net), held=held, promised=0)
    alike = [one for one in orders if one.order.side == side]
    quantity = sum(one.order.quantity for one in alike)
    margin = sum((one.margin for one in alike), ZERO)
    return rounded(margin * opened / quantity) if quantity else ZERO
