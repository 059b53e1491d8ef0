"""Rupees with two places; the one module that rounds."""

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")
PAISA = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    """Round rupees to two places, half up."""
    return amount.quantize(PAISA, rounding=ROUND_HALF_UP)


def proportion(amount: Decimal, part: int, whole: int) -> Decimal:
    """Return amount × part ÷ whole, rounded half up; amount ≥ 0 with two places, 0 ≤ part ≤ whole, whole > 0.

    Computed on whole paise, since a decimal division would round before we do.
    """
    numerator = 2 * int(amount / PAISA) * part + whole
    return Decimal(numerator // (2 * whole)).scaleb(-2)


def average_price(cost: Decimal, quantity: int) -> Decimal | None:
    """Return what a position's units cost on average, None when it is flat; quantity is signed."""
    return proportion(cost, 1, abs(quantity)) if quantity else None
