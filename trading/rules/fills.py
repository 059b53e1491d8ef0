"""The effect of an execution on the position and its margin."""

from dataclasses import dataclass
from decimal import Decimal

from trading.rules.margin import margin_for, signed
from trading.rules.money import ZERO, proportion


@dataclass(frozen=True, slots=True)
class Holding:
    """The numbers of a position: its signed quantity; its cost ≥ 0, margin and realised profit in rupees."""

    quantity: int = 0
    cost: Decimal = ZERO
    blocked_margin: Decimal = ZERO
    realized_pnl: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Fill:
    """The result of one order's execution.

    profit is signed. margin_change is the change of the account's blocked margin, in which the order's own
    reservation counts as used up: over 0 more is blocked, below 0 some is released.
    """

    closed: int
    opened: int
    profit: Decimal
    margin_change: Decimal
    holding: Holding


def is_covered(result: Fill, *, more_charges: Decimal, available_margin: Decimal) -> bool:
    """Return True if the account covers a fill; one that only closes needs no cover.

    more_charges is the difference of the final charges to the debited ones, available_margin that before the fill.
    """
    shortfall = result.margin_change + more_charges
    return result.opened == 0 or shortfall <= 0 or shortfall <= available_margin + result.profit


def fill(holding: Holding, *, side: str, product: str, quantity: int, price: Decimal, reserved_margin: Decimal) -> Fill:
    """Return the fill of an order at a price: it closes an opposite holding first, and opens the rest."""
    change = signed(side, quantity)
    held = abs(holding.quantity)
    closed = min(quantity, held) if holding.quantity * change < 0 else 0
    opened = quantity - closed

    cost_removed = margin_released = profit = ZERO
    if closed:
        cost_removed = proportion(holding.cost, closed, held)
        margin_released = proportion(holding.blocked_margin, closed, held)
        profit = (price * closed - cost_removed) * (1 if holding.quantity > 0 else -1)
    margin_needed = margin_for(product, price, opened)

    after = Holding(
        quantity=holding.quantity + change,
        cost=holding.cost - cost_removed + price * opened,
        blocked_margin=holding.blocked_margin - margin_released + margin_needed,
        realized_pnl=holding.realized_pnl + profit,
    )
    margin_change = margin_needed - margin_released - reserved_margin
    return Fill(closed=closed, opened=opened, profit=profit, margin_change=margin_change, holding=after)
