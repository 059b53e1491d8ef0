"""A second, naive bookkeeper: what an account should hold after orders, told in plain fractions and lists.

It shares no code with trading.rules. Margin and charges of a placement are read from the order that it is told about,
and checked where they are computed.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

RATE = {"INTRADAY": Fraction(1, 5), "DELIVERY": Fraction(1)}


def paise(amount: Fraction) -> Fraction:
    """Round half up to whole paise."""
    return Fraction(int(amount * 100 + Fraction(1, 2)), 100)


@dataclass
class Lot:
    """What is held of one stock and product."""

    quantity: int = 0
    cost: Fraction = Fraction(0)
    margin: Fraction = Fraction(0)


@dataclass
class Reckoning:
    """One account, reckoned independently."""

    balance: Fraction = Fraction(0)
    pending: dict[object, dict] = field(default_factory=dict)
    lots: dict[tuple[str, str], Lot] = field(default_factory=dict)

    def blocked(self) -> Fraction:
        """Add up what pending orders and lots hold back."""
        orders = sum(Fraction(order["blocked_margin"]) for order in self.pending.values())
        return Fraction(orders + sum(lot.margin for lot in self.lots.values()))

    def available(self) -> Fraction:
        """Tell what is left."""
        return self.balance - self.blocked()

    def lot(self, order: dict) -> Lot:
        """Return what is held of an order's stock and product."""
        return self.lots.setdefault((order["symbol"], order["product"]), Lot())

    def closes(self, symbol: str, product: str, side: str, quantity: int, *, besides: object = None) -> int:
        """Tell how much of an order closes what is held and not promised to others than itself."""
        held = self.lots.get((symbol, product), Lot()).quantity * (1 if side == "SELL" else -1)
        promised = sum(
            order["closing_quantity"]
            for order in self.pending.values()
            if (order["symbol"], order["product"], order["side"]) == (symbol, product, side) and order["id"] != besides
        )
        return max(0, min(quantity, held - promised))

    def margin(self, product: str, price: Decimal, quantity: int) -> Fraction:
        """Tell the margin that opening a quantity needs."""
        return paise(RATE[product] * Fraction(price) * quantity)

    def accept(self, order: dict) -> None:
        """Take note of an accepted order."""
        self.balance -= Fraction(order["charges"])
        self.pending[order["id"]] = order

    def holds(self, order: dict) -> Fraction:
        """Tell what a pending order has taken: its margin and its charges."""
        return Fraction(order["blocked_margin"]) + Fraction(order["charges"])

    def within_reach(self, order: dict) -> Fraction:
        """Tell what a pending order that is changed may take: what it has, and what is left."""
        return self.holds(order) + max(Fraction(0), self.available())

    def change(self, order: dict) -> None:
        """Take note of an order that is another one from now on, in the place of the old one."""
        self.balance += Fraction(self.pending[order["id"]]["charges"]) - Fraction(order["charges"])
        self.pending[order["id"]] = order

    def give_back(self, order: dict) -> None:
        """Undo an order that ended without a fill."""
        self.balance += Fraction(order["charges"])
        del self.pending[order["id"]]

    def execute(self, order: dict, last_price: Decimal | None) -> str:
        """Fill an order if the rules allow it, and tell its final status."""
        price = Fraction(order["price"] or last_price or 0)
        after, profit = self.filled(self.lot(order), order, price)
        needed = after.margin - self.lot(order).margin - Fraction(order["blocked_margin"])
        short_delivery = order["product"] == "DELIVERY" and after.quantity < 0
        if not price or short_delivery or (needed > 0 and needed > self.available() + profit):
            self.give_back(order)
            return "REJECTED"
        del self.pending[order["id"]]
        self.balance += profit
        self.lots[order["symbol"], order["product"]] = after
        return "EXECUTED"

    def filled(self, lot: Lot, order: dict, price: Fraction) -> tuple[Lot, Fraction]:
        """Return the lot after an order, and the profit."""
        quantity = order["quantity"] if order["side"] == "BUY" else -order["quantity"]
        closed = min(abs(lot.quantity), abs(quantity)) if lot.quantity * quantity < 0 else 0
        opened = abs(quantity) - closed
        share = Fraction(closed, abs(lot.quantity)) if closed else Fraction(0)
        cost_out, margin_out = paise(lot.cost * share), paise(lot.margin * share)
        profit = closed * price - cost_out if lot.quantity > 0 else cost_out - closed * price
        margin_in = paise(RATE[order["product"]] * price * opened)
        return Lot(
            lot.quantity + quantity, lot.cost - cost_out + price * opened, lot.margin - margin_out + margin_in
        ), (profit)
