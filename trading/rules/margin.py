"""The margin that an order or a position blocks, and the quantity that an order closes."""

from decimal import Decimal

from trading.rules.money import ZERO, proportion, rounded
from trading.rules.terms import Product, Side

MARGIN_RATES: dict[str, Decimal] = {Product.INTRADAY: Decimal("0.20"), Product.DELIVERY: Decimal("1.00")}


def margin_for(product: str, price: Decimal, quantity: int) -> Decimal:
    """Return the margin in rupees that opening a quantity at a price needs."""
    return rounded(MARGIN_RATES[product] * price * quantity)


def blocked_margin_for(opening_margin: Decimal, *, closing: int, held: int, held_margin: Decimal) -> Decimal:
    """Return the margin in rupees that an order blocks: the margin of its opening part less that which it frees.

    Its closing part frees its share of the margin that the position blocks when it executes. held is the position's
    signed quantity.
    """
    if not closing or not opening_margin:
        return opening_margin
    return max(ZERO, opening_margin - proportion(held_margin, closing, abs(held)))


def signed(side: str, quantity: int) -> int:
    """Return the change of a position by an order: BUY adds the quantity, SELL subtracts it."""
    return quantity if side == Side.BUY else -quantity


def closing_quantity(*, side: str, quantity: int, held: int, promised: int) -> int:
    """Return the part of an order that closes the position; the rest opens.

    held is the position's signed quantity, promised the part of it that other orders of the same side will close.
    """
    opposite = -held if side == Side.BUY else held
    return max(0, min(quantity, opposite - promised))
