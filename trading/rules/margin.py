"""How much of an account's money an order or a position holds back."""

from decimal import Decimal

from trading.rules.money import rounded

MARGIN_RATES = {"INTRADAY": Decimal("0.20"), "DELIVERY": Decimal("1.00")}


def margin_for(product: str, price: Decimal, quantity: int) -> Decimal:
    """Return the margin in rupees that opening a quantity at a price needs."""
    return rounded(MARGIN_RATES[product] * price * quantity)


def signed(side: str, quantity: int) -> int:
    """Return what an order does to a position: BUY adds, SELL subtracts."""
    return quantity if side == "BUY" else -quantity


def closing_quantity(*, side: str, quantity: int, held: int, promised: int) -> int:
    """Return how much of an order closes what is held (signed) and not promised to other orders of its side."""
    opposite = -held if side == "BUY" else held
    return max(0, min(quantity, opposite - promised))
