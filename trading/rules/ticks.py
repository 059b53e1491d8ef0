"""Prices on the steps of a stock's tick size."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading.rules.money import PAISA
from trading.rules.terms import Side

MAX_PRICE = Decimal("10000000.00")  # of any order, in rupees (schemas/orders.py)


def floor_to_tick(price: Decimal, tick_size: Decimal) -> Decimal:
    """Return the highest multiple of the tick size that is not above a price."""
    return (price / tick_size).to_integral_value(ROUND_FLOOR) * tick_size


def ceiling_to_tick(price: Decimal, tick_size: Decimal) -> Decimal:
    """Return the lowest multiple of the tick size that is not below a price."""
    return (price / tick_size).to_integral_value(ROUND_CEILING) * tick_size


def protection_cap(side: str, base: Decimal, percent: Decimal, tick_size: Decimal | None) -> Decimal:
    """Return the worst price in rupees that market protection allows: base ± percent, rounded to the tick inwards.

    An unknown tick size is a paisa. The price stays within those that an order can have.
    """
    tick = PAISA if tick_size is None else tick_size
    if side == Side.BUY:
        return min(max(floor_to_tick(base * (100 + percent) / 100, tick), PAISA), MAX_PRICE).quantize(PAISA)
    return ceiling_to_tick(base * (100 - percent) / 100, tick).quantize(PAISA)
