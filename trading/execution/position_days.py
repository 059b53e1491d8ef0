"""A fill's part in the day of its position: the figures of the day, and the settlement buckets of a DELIVERY."""

from datetime import date
from decimal import Decimal

from config import settings
from models.rows import OrderRow
from trading.accounts.position_rows import LockedPosition
from trading.market.trading_days import trading_days
from trading.rules import day_figures, settlement
from trading.rules.day_figures import DayFigures
from trading.rules.sessions import indian_day
from trading.rules.settlement import Buckets
from trading.rules.terms import Product, Side


def is_held(position: LockedPosition, order: OrderRow) -> bool:
    """Return True if a DELIVERY order buys, or sells a quantity that the position holds and may sell."""
    if order["side"] == Side.BUY:
        return True
    buckets = buckets_on(position, indian_day(order["claimed_at"]))
    return order["quantity"] <= settlement.sellable(buckets, allow_t1_sales=settings().allow_t1_sales)


def keep_day(position: LockedPosition, order: OrderRow, price: Decimal) -> None:
    """Enter a fill into the figures of the position's day, and into the settlement buckets of a DELIVERY."""
    day, quantity = indian_day(order["claimed_at"]), order["quantity"]
    position.figures = day_figures.filled(figures_on(position, day), order["side"], quantity, price)
    if order["product"] != Product.DELIVERY:
        return
    buckets = buckets_on(position, day)
    if order["side"] == Side.BUY:
        position.buckets = settlement.bought(buckets, quantity)
    else:
        position.buckets = settlement.sold(buckets, quantity, allow_t1_sales=settings().allow_t1_sales)


def figures_on(position: LockedPosition, day: date) -> DayFigures:
    """Return the figures of a position on a day, before its next change."""
    figures = position.figures
    if figures is None:
        figures = DayFigures(day) if position.row is None else DayFigures.of_row(position.row, day)
    # The days of the market are asked for only if the day has changed.
    return figures if figures.day >= day else day_figures.rolled(figures, day, trading_days(settings().market_calendar))


def buckets_on(position: LockedPosition, day: date) -> Buckets:
    """Return the settlement buckets of a DELIVERY position on a day, before its next change."""
    buckets = position.buckets
    if buckets is None:
        buckets = Buckets(day) if position.row is None else Buckets.of_row(position.row, day)
    return buckets if buckets.day >= day else settlement.rolled(buckets, day, trading_days(settings().market_calendar))
