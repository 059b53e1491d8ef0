"""The worth of an account at times that are over."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from trading.rules.money import ZERO


class EquityPoint(NamedTuple):
    """The balance and the unrealised profit of an account at a time, in rupees."""

    at: datetime
    balance: Decimal
    unrealized_pnl: Decimal

    @property
    def equity(self) -> Decimal:
        """Return the worth of the account."""
        return self.balance + self.unrealized_pnl


def points_back(
    balance: Decimal,
    changes: Mapping[datetime, Decimal],
    values: Mapping[datetime, Decimal],
    times: Sequence[datetime],
    step: timedelta,
) -> list[EquityPoint]:
    """Return the point of each of the times, which are a step apart, the oldest first.

    `balance` is the present one, `changes` are those of it in the intervals that begin at these times, and `values` are
    the unrealised profits at them.
    """
    points = []
    balance -= sum((amount for at, amount in changes.items() if at >= times[-1]), ZERO)
    for at in reversed(times):
        points.append(EquityPoint(at, balance, values.get(at, ZERO)))
        balance -= changes.get(at - step, ZERO)
    return points[::-1]
