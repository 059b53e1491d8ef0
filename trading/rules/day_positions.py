"""Positions as Indian brokers show them: the day's trades apart from the quantity that was carried into the day.

A DELIVERY position is two things there. Its shares of earlier days are a holding, which keeps its quantity until the
day is over. Its trades of the day are a position, which is negative after a sale of held shares. The profits of both
add up to the day's realised and the present unrealised profit of the position. An INTRADAY position is one thing.

The formulas are those of Kite Connect v3 (portfolio pages of its documentation, read in November 2026).
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from trading.rules.day_figures import DayFigures
from trading.rules.money import ZERO
from trading.rules.terms import Product


@dataclass(frozen=True, slots=True)
class Prices:
    """The last price and the previous close of a stock in rupees, None if unknown."""

    last: Decimal | None = None
    close: Decimal | None = None


@dataclass(frozen=True, slots=True)
class DayPosition:
    """A position of a day: the signed quantity that was carried into it with its cost ≥ 0, and the day's trades.

    A stock without a last price is valued at the position's average price, one without a close at what was paid.
    """

    overnight_quantity: int
    overnight_cost: Decimal
    figures: DayFigures
    average_price: Decimal
    prices: Prices

    @property
    def quantity(self) -> int:
        """Return the signed quantity."""
        return self.overnight_quantity + self.figures.buy_quantity - self.figures.sell_quantity

    @property
    def buy_quantity(self) -> int:
        """Return the quantity that was bought, a carried long included."""
        return max(self.overnight_quantity, 0) + self.figures.buy_quantity

    @property
    def sell_quantity(self) -> int:
        """Return the quantity that was sold, a carried short included."""
        return max(-self.overnight_quantity, 0) + self.figures.sell_quantity

    @property
    def buy_value(self) -> Decimal:
        """Return the value of the purchases in rupees, a carried long at its cost."""
        return self.figures.buy_value + (self.overnight_cost if self.overnight_quantity > 0 else ZERO)

    @property
    def sell_value(self) -> Decimal:
        """Return the value of the sales in rupees, a carried short at its cost."""
        return self.figures.sell_value + (self.overnight_cost if self.overnight_quantity < 0 else ZERO)

    @property
    def buy_m2m(self) -> Decimal:
        """Return the value of the purchases in rupees, a carried long at the previous close."""
        return self.figures.buy_value + (self._overnight_m2m if self.overnight_quantity > 0 else ZERO)

    @property
    def sell_m2m(self) -> Decimal:
        """Return the value of the sales in rupees, a carried short at the previous close."""
        return self.figures.sell_value + (self._overnight_m2m if self.overnight_quantity < 0 else ZERO)

    @property
    def last_price(self) -> Decimal:
        """Return the price at which the position is valued."""
        return self.average_price if self.prices.last is None else self.prices.last

    @property
    def value(self) -> Decimal:
        """Return the sales less the purchases in rupees."""
        return self.sell_value - self.buy_value

    @property
    def pnl(self) -> Decimal:
        """Return the profit in rupees since the position was opened."""
        return self.value + self.quantity * self.last_price

    @property
    def m2m(self) -> Decimal:
        """Return the profit of the day in rupees."""
        return self.sell_m2m - self.buy_m2m + self.quantity * self.last_price

    @property
    def has_trades(self) -> bool:
        """Return True if there were trades on the day."""
        return bool(self.figures.buy_quantity or self.figures.sell_quantity)

    def of_day(self) -> "DayPosition":
        """Return the position that the day's trades alone would make."""
        return replace(self, overnight_quantity=0, overnight_cost=ZERO, average_price=_day_average(self.figures))

    @property
    def _overnight_m2m(self) -> Decimal:
        if self.prices.close is None:
            return self.overnight_cost
        return abs(self.overnight_quantity) * self.prices.close


def overnight_cost(quantity: int, cost: Decimal, figures: DayFigures, booked: Decimal) -> Decimal:
    """Return the cost ≥ 0 in rupees of the quantity that a position carried into the day.

    quantity is signed and cost ≥ 0. booked is the profit that the position has realised on the day, with the cost by
    which conversions have changed it beyond the value of the purchases that they moved.
    """
    if not figures.overnight(quantity):
        return ZERO
    signed_cost = -cost if quantity < 0 else cost
    return abs(signed_cost - figures.buy_value + figures.sell_value - booked)


def day_position(
    product: str, quantity: int, cost: Decimal, figures: DayFigures, prices: Prices, *, booked: Decimal
) -> DayPosition:
    """Return the position of a day; that of a DELIVERY is without the shares that were carried into the day."""
    overnight = figures.overnight(quantity)
    if product == Product.DELIVERY and overnight:
        return DayPosition(0, ZERO, figures, _day_average(figures), prices)
    average = cost / abs(quantity) if quantity else ZERO
    return DayPosition(overnight, overnight_cost(quantity, cost, figures, booked), figures, average, prices)


def _day_average(figures: DayFigures) -> Decimal:
    """Return the average price of the side that prevails on the day, 0 if both are equal."""
    net = figures.buy_quantity - figures.sell_quantity
    if not net:
        return ZERO
    return figures.buy_value / figures.buy_quantity if net > 0 else figures.sell_value / figures.sell_quantity
