"""Holdings as Indian brokers show them: the DELIVERY shares that were carried into the day.

The formulas are those of Kite Connect v3 (portfolio pages of its documentation, read in November 2026).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.rules.day_figures import DayFigures
from trading.rules.day_positions import Prices, overnight_cost
from trading.rules.money import ZERO
from trading.rules.settlement import Buckets


@dataclass(frozen=True, slots=True)
class CarriedHolding:
    """The shares of a DELIVERY position that were carried into the day, with their cost in rupees.

    Shares that were sold on the day are among them, and are the used ones. A sale takes settled shares first, so that
    they count as settled.
    """

    quantity: int
    t1_quantity: int
    used_quantity: int
    cost: Decimal
    prices: Prices

    @property
    def opening_quantity(self) -> int:
        """Return the quantity that was carried into the day, settled or not."""
        return self.quantity + self.t1_quantity

    @property
    def average_price(self) -> Decimal:
        """Return the average cost of a share, unrounded."""
        return self.cost / self.opening_quantity

    @property
    def last_price(self) -> Decimal:
        """Return the price at which the holding is valued: the last one, else the average cost."""
        return self.average_price if self.prices.last is None else self.prices.last

    @property
    def value(self) -> Decimal:
        """Return the present value in rupees."""
        return self.cost if self.prices.last is None else self.opening_quantity * self.prices.last

    @property
    def pnl(self) -> Decimal:
        """Return the profit in rupees since the purchases."""
        return self.value - self.cost

    @property
    def day_change(self) -> Decimal:
        """Return the change of the price since the previous close, 0 if it is unknown."""
        if self.prices.last is None or self.prices.close is None:
            return ZERO
        return self.prices.last - self.prices.close

    @property
    def day_change_percentage(self) -> Decimal:
        """Return the change as a percentage of the previous close, 0 if it is unknown."""
        return percentage(self.day_change, self.prices.close or ZERO)


@dataclass(frozen=True, slots=True)
class HoldingsSummary:
    """The sums of an account's holdings in rupees."""

    invested: Decimal
    value: Decimal
    day_change: Decimal

    @property
    def pnl(self) -> Decimal:
        """Return the profit since the purchases."""
        return self.value - self.invested

    @property
    def pnl_percentage(self) -> Decimal:
        """Return the profit as a percentage of the cost."""
        return percentage(self.pnl, self.invested)

    @property
    def day_percentage(self) -> Decimal:
        """Return the change of the day as a percentage of the value at the previous close."""
        return percentage(self.day_change, self.value - self.day_change)


def carried_holding(
    quantity: int, cost: Decimal, figures: DayFigures, buckets: Buckets, prices: Prices, *, booked: Decimal
) -> CarriedHolding | None:
    """Return the holding of a DELIVERY position, None if nothing was carried into the day."""
    opening = figures.overnight(quantity)
    if opening <= 0:
        return None
    t1 = min(buckets.unsettled, opening)
    # A conversion of carried shares makes them shares of today in the settlement buckets, but they were not sold.
    used = min(opening - buckets.earlier, figures.sell_quantity)
    return CarriedHolding(opening - t1, t1, used, overnight_cost(quantity, cost, figures, booked), prices)


def summed(holdings: Sequence[CarriedHolding]) -> HoldingsSummary:
    """Return the sums of holdings."""
    return HoldingsSummary(
        sum((holding.cost for holding in holdings), ZERO),
        sum((holding.value for holding in holdings), ZERO),
        sum((holding.opening_quantity * holding.day_change for holding in holdings), ZERO),
    )


def percentage(part: Decimal, whole: Decimal) -> Decimal:
    """Return a part as a percentage of a whole, unrounded; 0 of nothing."""
    return 100 * part / whole if whole else ZERO
