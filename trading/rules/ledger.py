"""The fund ledger's arithmetic: every change of an account's money is posted here, one entry each."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from trading.rules.money import ZERO

# kind → sign of its effect on (balance, blocked margin)
EFFECTS = {
    "DEPOSIT": (1, 0),
    "WITHDRAWAL": (-1, 0),
    "CHARGES": (-1, 0),
    "CHARGES_REFUND": (1, 0),
    "PROFIT": (1, 0),
    "LOSS": (-1, 0),
    "MARGIN_BLOCK": (0, 1),
    "MARGIN_RELEASE": (0, -1),
}
REALIZED = {"PROFIT": 1, "LOSS": -1}


class Entry(NamedTuple):
    """A row for the fund_transaction table; amounts in rupees."""

    account_id: UUID
    kind: str
    amount: Decimal
    balance_after: Decimal
    blocked_after: Decimal
    order_id: UUID | None
    position_id: UUID | None


@dataclass
class AccountLedger:
    """One account's money while its row is locked, and the entries not yet written."""

    account_id: UUID
    status: str
    balance: Decimal
    blocked_margin: Decimal
    realized_pnl: Decimal
    entries: list[Entry] = field(default_factory=list)

    @property
    def available_margin(self) -> Decimal:
        """What is left for new orders and withdrawals."""
        return self.balance - self.blocked_margin

    def post(
        self, kind: str, amount: Decimal, *, order_id: UUID | None = None, position_id: UUID | None = None
    ) -> None:
        """Apply a change of amount ≥ 0 rupees and note its entry; a change of zero leaves no row."""
        if amount == ZERO:
            return
        assert amount > 0, f"{kind} of {amount}"
        on_balance, on_blocked = EFFECTS[kind]
        self.balance += on_balance * amount
        self.blocked_margin += on_blocked * amount
        self.realized_pnl += REALIZED.get(kind, 0) * amount
        self.entries.append(
            Entry(self.account_id, kind, amount, self.balance, self.blocked_margin, order_id, position_id)
        )
