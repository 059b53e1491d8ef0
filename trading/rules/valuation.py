"""The value of open positions at the last traded prices."""

from collections.abc import Iterable
from decimal import Decimal

from trading.rules.money import ZERO


def unrealized_pnl(quantity: int, cost: Decimal, last_price: Decimal | None) -> Decimal | None:
    """Return the profit in rupees that closing a position at the last price would realise.

    quantity is signed, cost ≥ 0 is that of the open quantity. Return zero for a flat position, None without a price.
    """
    if not quantity:
        return ZERO
    if last_price is None:
        return None
    return quantity * last_price - (cost if quantity > 0 else -cost)


def total_unrealized_pnl(positions: Iterable[tuple[int, Decimal, Decimal | None]]) -> Decimal:
    """Return the unrealised profit of (quantity, cost, last price) positions; those without a price count as zero."""
    return sum((unrealized_pnl(*position) or ZERO for position in positions), ZERO)
