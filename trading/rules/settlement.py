"""The settlement of deliveries: the settlement buckets that a DELIVERY position's quantity passes through.

A share is in `today` on the day on which it is bought, in `t1` from the next trading day to the end of the day on which
its trade settles, and `settled` afterwards. No money moves at a settlement.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Protocol

from trading.rules.errors import InsufficientHoldings


class SettlementDays(Protocol):
    """The days of a market."""

    def next_trading_day(self, day: date, /) -> date:
        """Return the first trading day after a day."""

    def settles_on(self, day: date, /) -> date:
        """Return the day on which the trades of a day settle."""


class EveryDay:
    """The days of a market without a calendar: each day is a trading day, and its trades settle on the next one."""

    def next_trading_day(self, day: date) -> date:
        """Return the next day."""
        return day + timedelta(days=1)

    def settles_on(self, day: date) -> date:
        """Return the next day."""
        return day + timedelta(days=1)


EVERY_DAY = EveryDay()


@dataclass(frozen=True, slots=True)
class Buckets:
    """The quantities of a DELIVERY position as of a trading day.

    Trades of a session at the weekend settle later than those of the Friday before: `later` are the shares in t1 that
    settle after the others of t1. There are never more than two such days.
    """

    day: date
    today: int = 0
    t1: int = 0
    t1_settles_on: date | None = None
    settled: int = 0
    later: int = 0
    later_settles_on: date | None = None

    @classmethod
    def of_row(cls, row: Mapping[str, Any], on: date) -> "Buckets":
        """Return the settlement buckets of a position's row, which need not be those of its day `on`.

        The release before this one changes quantities without their settlement buckets. What these do not explain is
        held for long, and counts as settled, or has been sold.
        """
        if row["bucket_day"] is None:
            return cls(on, settled=row["quantity"])
        buckets = cls(
            row["bucket_day"],
            row["today_quantity"],
            row["t1_quantity"],
            row["t1_settles_on"],
            row["settled_quantity"],
            row["later_quantity"],
            row["later_settles_on"],
        )
        unexplained = row["quantity"] - buckets.quantity
        if unexplained < 0:
            return sold(buckets, -unexplained)
        return replace(buckets, settled=buckets.settled + unexplained) if unexplained else buckets

    @property
    def quantity(self) -> int:
        """Return the sum of the settlement buckets, which is the quantity of the position."""
        return self.today + self.earlier

    @property
    def earlier(self) -> int:
        """Return the quantity that was bought on earlier days."""
        return self.unsettled + self.settled

    @property
    def unsettled(self) -> int:
        """Return the quantity of earlier days that has not settled."""
        return self.t1 + self.later


def last_trading_day(day: date, days: SettlementDays) -> date:
    """Return a day if it is a trading day, else the last one before it."""
    while days.next_trading_day(day - timedelta(days=1)) != day:
        day -= timedelta(days=1)
    return day


def rolled(buckets: Buckets, to_day: date, days: SettlementDays = EVERY_DAY) -> Buckets:
    """Return the settlement buckets as they are on a later day, before its trades."""
    buckets = _settled_before(buckets, to_day)
    if buckets.day < to_day and days.next_trading_day(buckets.day) <= to_day:
        buckets = replace(_aged(buckets, days.settles_on(buckets.day)), day=to_day)
    return _settled_before(buckets, to_day)


def bought(buckets: Buckets, quantity: int) -> Buckets:
    """Return the settlement buckets after a purchase on their day."""
    return replace(buckets, today=buckets.today + quantity)


def taken_back(buckets: Buckets, quantity: int) -> Buckets:
    """Return the settlement buckets after a conversion of shares that were bought on their day."""
    assert quantity <= buckets.today
    return replace(buckets, today=buckets.today - quantity)


def sellable(buckets: Buckets, *, allow_t1_sales: bool = True) -> int:
    """Return the quantity that may be sold on the settlement buckets' day."""
    return buckets.quantity if allow_t1_sales else buckets.settled + buckets.today


def sold(buckets: Buckets, quantity: int, *, allow_t1_sales: bool = True) -> Buckets:
    """Return the settlement buckets after a sale: it takes settled shares first, then t1, then those of the day.

    Raises InsufficientHoldings.
    """
    if quantity > sellable(buckets, allow_t1_sales=allow_t1_sales):
        raise InsufficientHoldings
    settled = min(quantity, buckets.settled)
    t1 = min(quantity - settled, buckets.t1) if allow_t1_sales else 0
    later = min(quantity - settled - t1, buckets.later) if allow_t1_sales else 0
    return _with_t1(
        replace(
            buckets,
            settled=buckets.settled - settled,
            t1=buckets.t1 - t1,
            later=buckets.later - later,
            today=buckets.today - (quantity - settled - t1 - later),
        )
    )


def _settled_before(buckets: Buckets, day: date) -> Buckets:
    """Return the settlement buckets after the settlements that were due before a day."""
    while buckets.t1 and buckets.t1_settles_on is not None and buckets.t1_settles_on < day:
        buckets = _with_t1(replace(buckets, settled=buckets.settled + buckets.t1, t1=0))
    return buckets


def _aged(buckets: Buckets, settles_on: date) -> Buckets:
    """Return the settlement buckets after the end of their trading day, whose trades settle on a day."""
    bought_today, buckets = buckets.today, replace(buckets, today=0)
    if not bought_today:
        return buckets
    if not buckets.t1 or buckets.t1_settles_on == settles_on:
        return replace(buckets, t1=buckets.t1 + bought_today, t1_settles_on=settles_on)
    return replace(buckets, later=buckets.later + bought_today, later_settles_on=settles_on)


def _with_t1(buckets: Buckets) -> Buckets:
    """Return the settlement buckets with the shares that settle next in t1."""
    if not buckets.t1:
        buckets = replace(buckets, t1=buckets.later, t1_settles_on=buckets.later_settles_on, later=0)
    if not buckets.later:
        buckets = replace(buckets, later_settles_on=None)
    return buckets if buckets.t1 else replace(buckets, t1_settles_on=None)
