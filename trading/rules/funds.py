"""The money of an account as Indian brokers show it: the cash of the day, and the part of it that is used."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Funds:
    """The money of an account on a day, in rupees.

    The opening balance is the available margin with which the day began, so that shares that are paid for are no part
    of it. `available` is the present available margin. Realised profits are those of the day, and unrealised ones those
    of the INTRADAY positions. The blocked margin is that of INTRADAY positions and live orders.
    """

    opening: Decimal
    deposited: Decimal
    withdrawn: Decimal
    available: Decimal
    realized: Decimal
    unrealized: Decimal
    blocked: Decimal
    holding_sales: Decimal

    @property
    def cash(self) -> Decimal:
        """Return the opening balance with the payments of the day."""
        return self.opening + self.deposited - self.withdrawn

    @property
    def debits(self) -> Decimal:
        """Return the part of the cash that is used: for margin, for charges, for losses less profits."""
        return self.cash - self.available
