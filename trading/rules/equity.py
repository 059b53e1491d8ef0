"""The worth of an account at times that are over, from its present state and the changes since."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from trading.rules.money import ZERO

PriceOf = Callable[[UUID, datetime], Decimal | None]


class Stake(NamedTuple):
    """What an account holds of a stock in all products together: its signed quantity, and its signed cost in rupees."""

    quantity: int = 0
    cost: Decimal = ZERO


class Flow(NamedTuple):
    """The changes of a stretch of time that begins `at`: of the balance, and of the stake in a stock."""

    at: datetime
    balance: Decimal = ZERO
    stock_id: UUID | None = None
    quantity: int = 0
    cost: Decimal = ZERO


class EquityPoint(NamedTuple):
    """The balance and the unrealised profit of an account at a time, in rupees."""

    at: datetime
    balance: Decimal
    unrealized_pnl: Decimal

    @property
    def equity(self) -> Decimal:
        """Return the worth of the account."""
        return self.balance + self.unrealized_pnl


def trade_flow(at: datetime, stock_id: UUID, quantity: int, value: Decimal) -> Flow:
    """Return the flow of trades whose signed quantities and values have these sums; purchases are positive."""
    return Flow(at, stock_id=stock_id, quantity=quantity, cost=value)


def profit_flow(at: datetime, stock_id: UUID, profit: Decimal) -> Flow:
    """Return the flow of realised profit or loss: it stays with the account when the proceeds have paid the cost."""
    return Flow(at, balance=profit, stock_id=stock_id, cost=profit)


def points_back(
    balance: Decimal, stakes: Mapping[UUID, Stake], flows: Iterable[Flow], times: Iterable[datetime], price_of: PriceOf
) -> Iterator[EquityPoint]:
    """Yield a point for each of the times, which are given latest first, as the points are yielded.

    `balance` and `stakes` are those after all flows. A flow is before a time if its stretch begins before it; stretches
    end at times. A stake without a price counts at its cost.
    """
    held = dict(stakes)
    left = sorted(flows, key=lambda flow: flow.at)
    for at in times:
        while left and left[-1].at >= at:
            flow = left.pop()
            balance -= flow.balance
            if flow.stock_id is not None:
                quantity, cost = held.get(flow.stock_id, Stake())
                held[flow.stock_id] = Stake(quantity - flow.quantity, cost - flow.cost)
        yield EquityPoint(
            at, balance, sum((_profit(stake, price_of(stock_id, at)) for stock_id, stake in held.items()), ZERO)
        )


def _profit(stake: Stake, price: Decimal | None) -> Decimal:
    return ZERO if price is None else stake.quantity * price - stake.cost
