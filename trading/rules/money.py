"""Amounts in rupees with two places; no other module rounds."""

from decimal import ROUND_HALF_UP, Decimal

ZERO = Decimal("0.00")
PAISA = Decimal("0.01")


def rounded(amount: Decimal) -> Decimal:
    """Return rupees rounded to two places, half up."""
    return amount.quantize(PAISA, rounding=ROUND_HALF_UP)


def rounded_if_any(amount: Decimal | None) -> Decimal | None:
    """Return an amount rounded to two places, half up; None stays None."""
    return None if amount is None else amount.quantize(PAISA, rounding=ROUND_HALF_UP)


def proportion(amount: Decimal, part: int, whole: int) -> Decimal:
    """Return amount × part ÷ whole, rounded half up; amount ≥ 0 with two places, 0 ≤ part ≤ whole, whole > 0.

    It is computed in whole paise, because a decimal division would round once before.
    """
    numerator = 2 * int(amount / PAISA) * part + whole
    return Decimal(numerator // (2 * whole)).scaleb(-2)


def average_price(cost: Decimal, quantity: int) -> Decimal | None:
    """Return the average cost of one share of a position, None if it is flat; quantity is signed."""
    return proportion(cost, 1, abs(quantity)) if quantity else None
