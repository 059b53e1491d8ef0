"""The worth of an account at times that are over, from its present state and the changes since."""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from trading.rules.money import ZERO


class Stake(NamedTuple):
    """What an account holds of a stock in all products together: its signed quantity, and its signed cost in rupees."""

    quantity: int = 0
    cost: Decimal = ZERO

    def after(self, flow: "Flow") -> "Stake":
        """Return the stake after a flow."""
        return Stake(self.quantity + flow.quantity, self.cost + flow.cost)

    def before(self, flow: "Flow") -> "Stake":
        """Return the stake before a flow."""
        return Stake(self.quantity - flow.quantity, self.cost - flow.cost)

    def unrealized_pnl(self, price: Decimal | None) -> Decimal:
        """Return the profit that closing it at a price would realise, zero without a price."""
        return ZERO if price is None else self.quantity * price - self.cost


class Flow(NamedTuple):
    """The changes of an interval that begins `at`: of the balance, and of the stake in a stock."""

    at: datetime
    balance: Decimal = ZERO
    stock_id: UUID | None = None
    quantity: int = 0
    cost: Decimal = ZERO


class Stretch(NamedTuple):
    """A stake that is the same at all times from the first to the last one."""

    stock_id: UUID
    first: datetime
    last: datetime
    stake: Stake


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


def follow(
    balance: Decimal, stakes: Mapping[UUID, Stake], flows: Iterable[Flow], times: Sequence[datetime]
) -> tuple[list[Decimal], list[Stretch]]:
    """Return the balance at each of the times, and the stakes as stretches of them.

    `balance` and `stakes` are those after all flows. The times are the ends of intervals, and a flow belongs to the
    interval that begins at its time; none begins before the first of the times.
    """
    ordered, held = sorted(flows, key=lambda flow: flow.at), dict(stakes)
    for flow in ordered:
        balance -= flow.balance
        if flow.stock_id is not None:
            held[flow.stock_id] = held.get(flow.stock_id, Stake()).before(flow)
    left, begun, last = deque(ordered), dict.fromkeys(held, times[0]), times[0]
    balances, stretches = list[Decimal](), list[Stretch]()
    for at in times:
        changed: dict[UUID, Stake] = {}
        while left and left[0].at < at:
            flow = left.popleft()
            balance += flow.balance
            if flow.stock_id is not None:
                changed[flow.stock_id] = changed.get(flow.stock_id, held[flow.stock_id]).after(flow)
        for stock_id, stake in changed.items():
            stretches.append(Stretch(stock_id, begun[stock_id], last, held[stock_id]))
            held[stock_id], begun[stock_id] = stake, at
        balances.append(balance)
        last = at
    stretches += [Stretch(stock_id, begun[stock_id], last, stake) for stock_id, stake in held.items()]
    return balances, [stretch for stretch in stretches if stretch.stake != Stake()]
