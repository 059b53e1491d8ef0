"""The figures of a position's day: the quantity that was carried into it, and the purchases and sales since."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from trading.rules.money import ZERO, proportion
from trading.rules.settlement import EVERY_DAY, SettlementDays
from trading.rules.terms import Side


class DayFigures(NamedTuple):  # made for each fill, in half the time of a dataclass
    """The quantities of a position's purchases and sales of a day, and their values in rupees."""

    day: date
    buy_quantity: int = 0
    buy_value: Decimal = ZERO
    sell_quantity: int = 0
    sell_value: Decimal = ZERO

    @classmethod
    def of_row(cls, row: Mapping[str, Any], on: date) -> "DayFigures":
        """Return the figures of a position's row, those of an empty day `on` if it never had any."""
        if row["figures_day"] is None:
            return cls(on)
        return cls(
            row["figures_day"],
            row["day_buy_quantity"],
            row["day_buy_value"],
            row["day_sell_quantity"],
            row["day_sell_value"],
        )

    def overnight(self, quantity: int) -> int:
        """Return the signed quantity that was carried into the day by a position that holds this signed quantity."""
        return quantity - self.buy_quantity + self.sell_quantity


def rolled(figures: DayFigures, to_day: date, days: SettlementDays = EVERY_DAY) -> DayFigures:
    """Return the figures as they are on a later day, before its trades; a day without trading keeps the day before."""
    if figures.day < to_day and days.next_trading_day(figures.day) <= to_day:
        return DayFigures(to_day)
    return figures


def filled(figures: DayFigures, side: str, quantity: int, price: Decimal) -> DayFigures:
    """Return the figures after a fill on their day."""
    day, bought, buy_value, sold, sell_value = figures
    value = quantity * price
    if side == Side.BUY:
        return DayFigures(day, bought + quantity, buy_value + value, sold, sell_value)
    return DayFigures(day, bought, buy_value, sold + quantity, sell_value + value)


def moved(source: DayFigures, target: DayFigures, quantity: int) -> tuple[DayFigures, DayFigures]:
    """Return both positions' figures after a conversion of a quantity that was bought.

    The day's purchases move first, at their average, so that the day's profit of both together stays the same.
    """
    bought = min(quantity, source.buy_quantity)
    value = proportion(source.buy_value, bought, source.buy_quantity) if bought else ZERO
    return (
        source._replace(buy_quantity=source.buy_quantity - bought, buy_value=source.buy_value - value),
        target._replace(buy_quantity=target.buy_quantity + bought, buy_value=target.buy_value + value),
    )


def day_pnl(
    figures: DayFigures, quantity: int, *, last_price: Decimal | None, previous_close: Decimal | None
) -> Decimal | None:
    """Return the profit of the day in rupees, None without a price that it needs."""
    pnl, overnight = figures.sell_value - figures.buy_value, figures.overnight(quantity)
    if quantity:
        if last_price is None:
            return None
        pnl += quantity * last_price
    if overnight:
        if previous_close is None:
            return None
        pnl -= overnight * previous_close
    return pnl
