"""The random wishes of a walk, near enough to the market that many come true."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.trading.weeks.generating import Quote, Wish

SYMBOLS, OWNERS = ("ABC", "DEF"), ("alice", "bob")
KINDS = ("LIMIT", "LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")
TYPE_CHANGES = {
    "MARKET": (),
    "LIMIT": ("MARKET",),
    "STOP_LIMIT": ("LIMIT", "MARKET"),
    "STOP_MARKET": ("LIMIT", "MARKET"),
}


class Wishes:
    """A source of quotes and wishes that knows the last prices."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self._last = dict.fromkeys(SYMBOLS, Decimal("100.00"))

    def quote(self, moment: datetime) -> Quote:
        """Return a quote that moves a price."""
        chance, symbol = self.chance, self.chance.choice(SYMBOLS)
        last = self._last[symbol] + Decimal(chance.randint(-12, 12)) / 10
        self._last[symbol] = last = min(Decimal("106.00"), max(Decimal("94.00"), last))
        below, above = (Decimal(chance.choice(("0.05", "0.10", "0.50"))) for _ in range(2))
        return Quote(moment, symbol, last, last - below, None if chance.random() < 0.1 else last + above)

    def placement(self, moment: datetime) -> Wish:
        """Return the wish for a new order, named after its time."""
        chance, side, symbol = self.chance, self.chance.choice(("BUY", "SELL")), self.chance.choice(SYMBOLS)
        kind, price, trigger = chance.choice(KINDS), self._price(), self._price()
        if "STOP" in kind and chance.random() < 0.9:
            # A little beyond the last price, with or without room for the limit.
            sign = 1 if side == "BUY" else -1
            trigger = self._last[symbol] + sign * Decimal(chance.randint(1, 12)) / 10
            price = trigger + sign * Decimal(chance.choice((0, 0, 1, 5, 20))) / 10
        validities = {"MARKET": ("DAY",), "LIMIT": ("DAY", "DAY", "TTL", "IOC")}
        validity = chance.choice(validities.get(kind, ("DAY", "DAY", "TTL")))
        return Wish(
            moment, "place", chance.choice(OWNERS), f"{moment:%H%M%S}", symbol, side,
            chance.choice(("INTRADAY", "INTRADAY", "DELIVERY")), kind, chance.randint(1, 60),
            price if "LIMIT" in kind else None, trigger if "STOP" in kind else None, validity,
            chance.randint(1, 5) if validity == "TTL" else None,
        )  # fmt: skip

    def change(self, moment: datetime, owner: str, name: str, old: Wish) -> Wish | None:
        """Return the wish to change an order, or None if chance leaves all as it is."""
        kind = self._type_after(old)
        wish = Wish(moment, "modify", owner, name, order_type=kind if kind != old.order_type else "")
        wish = replace(wish, quantity=self._maybe(self.chance.randint(1, 60)))
        if kind in ("LIMIT", "STOP_LIMIT"):
            wish = replace(wish, price=self._price() if old.price is None else self._maybe(self._price()))
        if kind == "STOP_MARKET" and old.trigger is not None:
            wish = replace(wish, trigger=self._maybe(old.trigger + Decimal(self.chance.randint(-10, 10)) / 10))
        return wish if any((wish.quantity, wish.price, wish.trigger, wish.order_type)) else None

    def _type_after(self, old: Wish) -> str:
        """Return the type of an order after a change: seldom another one, and MARKET only with the validity DAY."""
        possible = [kind for kind in TYPE_CHANGES[old.order_type] if kind == "LIMIT" or old.validity == "DAY"]
        return self.chance.choice(possible) if possible and self.chance.random() < 0.25 else old.order_type

    def _price(self) -> Decimal:
        return Decimal(100 + self.chance.randint(-6, 6)) + Decimal(self.chance.randint(0, 9)) / 10

    def _maybe(self, value: Any) -> Any:
        return value if self.chance.random() < 0.6 else None


def moments_from(first: datetime, count: int, chance: random.Random) -> list[datetime]:
    """Return times, no two of them whole minutes apart: an order of minutes ends between two of them."""
    found = [first]
    while len(found) < count:
        found.append(found[-1] + timedelta(seconds=chance.randint(2, 25), milliseconds=1))
    return found
