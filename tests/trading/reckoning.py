"""An independent reckoning of accounts, in plain fractions and without code of trading.rules.

Only the margin that an order blocks is taken from the order; the test compares it at the placement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

RATE = {"INTRADAY": Fraction(1, 5), "DELIVERY": Fraction(1)}
# Shares of turnover, the same on every day: what a side pays on NSE, without the fees that all orders pay.
TAX = {
    ("DELIVERY", "BUY"): Fraction(1, 1000),
    ("DELIVERY", "SELL"): Fraction(1, 1000),
    ("INTRADAY", "BUY"): Fraction(0),
    ("INTRADAY", "SELL"): Fraction(1, 4000),
}
OTHER = {"INTRADAY": "DELIVERY", "DELIVERY": "INTRADAY"}
STAMP_ON_BUY = {"DELIVERY": Fraction(15, 100_000), "INTRADAY": Fraction(3, 100_000)}
EXCHANGE_FEE, REGULATORS_FEE, GST = Fraction(307, 10_000_000), Fraction(1, 1_000_000), Fraction(18, 100)


def paise(amount: Fraction) -> Fraction:
    """Round half up to whole paise."""
    return Fraction(int(amount * 100 + Fraction(1, 2)), 100)


def charges(order: dict, price: Fraction) -> Fraction:
    """Return the charges of an order's turnover at a price."""
    turnover, product, side = price * order["quantity"], order["product"], order["side"]
    brokerage = min(turnover * Fraction(3, 10_000), Fraction(20)) if product == "INTRADAY" else Fraction(0)
    fees = [turnover * EXCHANGE_FEE, turnover * REGULATORS_FEE]
    stamp = turnover * STAMP_ON_BUY[product] if side == "BUY" else Fraction(0)
    parts = [brokerage, *fees, turnover * TAX[product, side], stamp, GST * (brokerage + sum(fees))]
    return Fraction(sum(paise(part) for part in parts))


def earlier_shares(row: Mapping[str, Any]) -> int:
    """Return the shares of a DELIVERY position that were bought on earlier days, by its last settlement buckets."""
    bought_today = row["today_quantity"] if row["bucket_day"] == row["present_day"] else 0
    return int(row["quantity"] - bought_today)


@dataclass
class Lot:
    """The holding of one stock and product, and the part of it that was bought on the present day."""

    quantity: int = 0
    cost: Fraction = Fraction(0)
    margin: Fraction = Fraction(0)
    today: int = 0


@dataclass
class Reckoning:
    """One account: its balance, live orders and holdings."""

    balance: Fraction = Fraction(0)
    pending: dict[object, dict] = field(default_factory=dict)
    lots: dict[tuple[str, str], Lot] = field(default_factory=dict)

    def blocked(self) -> Fraction:
        """Return the blocked margin of pending orders and lots."""
        orders = sum(Fraction(order["blocked_margin"]) for order in self.pending.values())
        return Fraction(orders + sum(lot.margin for lot in self.lots.values()))

    def available(self) -> Fraction:
        """Return the available margin."""
        return self.balance - self.blocked()

    def lot(self, order: dict) -> Lot:
        """Return the holding of an order's stock and product."""
        return self.lots.setdefault((order["symbol"], order["product"]), Lot())

    def closes(self, symbol: str, product: str, side: str, quantity: int, *, besides: object = None) -> int:
        """Return the quantity of an order that closes a holding, less the quantities that other orders close."""
        held = self.lots.get((symbol, product), Lot()).quantity * (1 if side == "SELL" else -1)
        promised = sum(
            order["closing_quantity"]
            for order in self.pending.values()
            if (order["symbol"], order["product"], order["side"]) == (symbol, product, side) and order["id"] != besides
        )
        return max(0, min(quantity, held - promised))

    def blocks(self, symbol: str, product: str, price: Decimal, opening: int, closing: int) -> Fraction:
        """Return the margin that an order blocks: that of its opening part, less what its closing part will free."""
        needed = paise(RATE[product] * Fraction(price) * opening)
        lot = self.lots.get((symbol, product), Lot())
        freed = paise(lot.margin * Fraction(closing, abs(lot.quantity))) if closing else Fraction(0)
        return max(Fraction(0), needed - freed)

    def accept(self, order: dict) -> None:
        """Add an accepted order."""
        self.balance -= Fraction(order["charges"])
        self.pending[order["id"]] = order

    def holds(self, order: dict) -> Fraction:
        """Return the margin and the charges of a pending order together."""
        return Fraction(order["blocked_margin"]) + Fraction(order["charges"])

    def within_reach(self, order: dict) -> Fraction:
        """Return the margin and charges that a changed order may need at most."""
        return self.holds(order) + max(Fraction(0), self.available())

    def change(self, order: dict) -> None:
        """Replace a pending order by its changed one."""
        self.balance += Fraction(self.pending[order["id"]]["charges"]) - Fraction(order["charges"])
        self.pending[order["id"]] = order

    def give_back(self, order: dict) -> None:
        """Release an order that ended without a fill."""
        self.balance += Fraction(order["charges"])
        del self.pending[order["id"]]

    def execute(self, order: dict, at: Decimal | None) -> str:
        """Fill an order at a price if the rules allow it, and return its final status."""
        before, price = self.lot(order), Fraction(at or 0)
        after, profit = self.filled(before, order, price)
        more_charges = charges(order, price) - Fraction(order["charges"])
        shortfall = after.margin - before.margin - Fraction(order["blocked_margin"]) + more_charges
        opens = abs(after.quantity) > abs(before.quantity) or before.quantity * after.quantity < 0
        short_delivery = order["product"] == "DELIVERY" and after.quantity < 0
        if not price or short_delivery or (opens and shortfall > 0 and shortfall > self.available() + profit):
            self.give_back(order)
            return "REJECTED"
        del self.pending[order["id"]]
        self.balance += profit - more_charges
        self.lots[order["symbol"], order["product"]] = after
        return "EXECUTED"

    def assert_agrees(self, account: Mapping[str, Any], positions: Sequence[Mapping[str, Any]]) -> None:
        """Compare the rows of the account and of its positions with this reckoning."""
        numbers = (account["balance"], account["blocked_margin"], account["available_margin"])
        assert numbers == (self.balance, self.blocked(), self.available())
        held = {(row["symbol"], row["product"]): row for row in positions}
        for key, lot in self.lots.items():
            row = held.pop(key, {"quantity": 0, "cost": 0, "blocked_margin": 0})
            assert (row["quantity"], row["cost"], row["blocked_margin"]) == (lot.quantity, lot.cost, lot.margin)
            if key[1] == "DELIVERY" and row["quantity"] and "present_day" in row:
                assert {"of earlier days": lot.quantity - lot.today} == {"of earlier days": earlier_shares(row)}
        assert held == {}

    def filled(self, lot: Lot, order: dict, price: Fraction) -> tuple[Lot, Fraction]:
        """Return the lot after an order, and the profit."""
        quantity = order["quantity"] if order["side"] == "BUY" else -order["quantity"]
        closed = min(abs(lot.quantity), abs(quantity)) if lot.quantity * quantity < 0 else 0
        opened = abs(quantity) - closed
        share = Fraction(closed, abs(lot.quantity)) if closed else Fraction(0)
        cost_out, margin_out = paise(lot.cost * share), paise(lot.margin * share)
        profit = closed * price - cost_out if lot.quantity > 0 else cost_out - closed * price
        margin_in = paise(RATE[order["product"]] * price * opened)
        # A sale takes the shares of earlier days first.
        today = lot.today + quantity if quantity > 0 else min(lot.today, max(0, lot.quantity + quantity))
        cost, margin = lot.cost - cost_out + price * opened, lot.margin - margin_out + margin_in
        return Lot(lot.quantity + quantity, cost, margin, today), profit

    def convertible(self, symbol: str, product: str) -> int:
        """Return the quantity that may be converted to the other product."""
        lot, other = self.lots[symbol, product], self.lots.get((symbol, OTHER[product]), Lot())
        if lot.quantity <= 0 or other.quantity < 0:
            return 0
        free = self.closes(symbol, product, "SELL", lot.quantity)
        return min(free, lot.today) if product == "DELIVERY" else free

    def convert(self, symbol: str, product: str, quantity: int) -> Fraction:
        """Move a quantity to the other product, and return the margin that it needs more."""
        lot, other = self.lots[symbol, product], self.lots.get((symbol, OTHER[product]), Lot())
        share = Fraction(quantity, lot.quantity)
        cost, released = paise(lot.cost * share), paise(lot.margin * share)
        needed = paise(RATE[OTHER[product]] * cost)
        # The shares of an INTRADAY position are those of the day to a DELIVERY.
        today = lot.today - min(quantity, lot.today)
        left = Lot(lot.quantity - quantity, lot.cost - cost, lot.margin - released, today)
        grown = Lot(other.quantity + quantity, other.cost + cost, other.margin + needed, other.today + quantity)
        self.lots[symbol, product], self.lots[symbol, OTHER[product]] = left, grown
        return needed - released

    def reset(self, balance: Decimal) -> None:
        """Begin anew with a balance."""
        self.balance, self.pending = Fraction(balance), {}
        self.lots = {key: Lot() for key in self.lots}

    def end_day(self) -> None:
        """Let the next day begin."""
        for lot in self.lots.values():
            lot.today = 0
