"""A walk: two owners ask for random things at both doors, and the product and the model answer."""

import random
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.kite_walks.forms import Speller
from tests.kite_walks.model import Model
from tests.support.kite import kite_headers
from tests.support.trading import rows
from tests.trading.weeks.generating import Quote, Wish
from trading.execution import expiry
from trading.execution.sweeping import MAX_BATCH, sweep_once

SYMBOLS = ("ABC", "DEF")
KINDS = ("LIMIT", "LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET")
TYPE_CHANGES = {
    "MARKET": (),
    "LIMIT": ("MARKET",),
    "STOP_LIMIT": ("LIMIT", "MARKET"),
    "STOP_MARKET": ("LIMIT", "MARKET"),
}
# The errors of Kite for refusals that have one of their own; the others are InputExceptions.
ERRORS = {"insufficient_margin": "MarginException", "insufficient_holdings": "HoldingException"}
POSITIONS = """
SELECT *, (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS present_day FROM position WHERE account_id = %s
"""


class Walk:
    """The product behind its two doors, the model, and the orders by their names."""

    def __init__(self, client: Any, accounts: dict[str, Any], feeder: dict[str, str], model: Model, seed: int) -> None:
        self.client, self.accounts, self.feeder, self.model = client, accounts, feeder, model
        self.chance = random.Random(seed)
        self.speller = Speller(self.chance)
        self.numbers: dict[str, str] = {}  # of orders as Kite's clients know them, by name
        self.ids: dict[str, str] = {}  # of orders at the first door, by name
        self.owner_of: dict[str, str] = {}
        self.prices = dict.fromkeys(SYMBOLS, 100.0)
        self.outcomes: dict[str, int] = {}
        self.seen: set[tuple[str, str, bool]] = (
            set()
        )  # types of orders, their statuses, and whether they were triggered

    # Requests

    def kite(self, owner: str, method: str, path: str, form: dict[str, str] | None = None) -> Any:
        """Send a request of a client of Kite's, and return the answer."""
        return self.client.open(path, method=method, data=form, headers=kite_headers(self.accounts[owner].token))

    def first(self, owner: str, method: str, path: str, body: Any = None) -> Any:
        """Send a request to the first door, and return the answer."""
        headers = self.accounts[owner].headers | ({"If-Match": "*"} if method == "PATCH" else {})
        return self.client.open(f"/api/trading{path}", method=method, json=body, headers=headers)

    # Steps

    def step(self, moment: datetime) -> None:
        """Do one random thing at a time, let the workers work before and after it, and compare the books."""
        self.model.reach(moment)
        self.work()
        kind = self.chance.choices(
            (self.quote, self.place, self.modify, self.cancel, self.convert, self.spoil), (30, 36, 14, 8, 8, 4)
        )[0]
        kind(moment)
        self.work()
        for name, account in self.accounts.items():
            (row,) = rows("SELECT * FROM account WHERE id = %s", account.id)
            self.model.owners[name].money.assert_agrees(row, rows(POSITIONS, account.id))

    def work(self) -> None:
        """Execute what is due, and end what is over, as workers do."""
        while expiry.run_once(expiry.MAX_BATCH).expired or sweep_once(limit=MAX_BATCH).claimed:
            pass

    def quote(self, moment: datetime) -> None:
        """Move a price."""
        symbol = self.chance.choice(SYMBOLS)
        self.prices[symbol] = min(106.0, max(94.0, self.prices[symbol] + self.chance.randint(-12, 12) / 10))
        last = Decimal(f"{self.prices[symbol]:.2f}")
        below, above = (Decimal(self.chance.choice(("0.05", "0.10", "0.50"))) for _ in range(2))
        quote = Quote(moment, symbol, last, last - below, last + above)
        if self.chance.random() < 0.1:
            quote = Quote(moment, symbol, last, last - below)
        names = {"lastPrice": quote.last, "bidPrice": quote.bid, "askPrice": quote.ask}
        body = {name: f"{price:.2f}" for name, price in names.items() if price is not None}
        body |= {"exchange": "NSE", "symbol": symbol, "quotedAt": moment.isoformat()}
        answer = self.client.put("/api/market/quotes", json={"quotes": [body]}, headers=self.feeder)
        assert answer.status_code == 200, answer.text
        self.model.quote(quote)

    def place(self, moment: datetime) -> None:
        """Place an order at one of the doors."""
        wish = self._placement(moment)
        refusal = self.model.ask(wish)
        if self.chance.random() < 0.7:
            answer = self.kite(wish.owner, "POST", "/orders/regular", self.speller.placement(wish))
            if self._agrees(answer, refusal):
                self._note(wish, number=answer.json["data"]["order_id"])
        else:
            answer = self.first(wish.owner, "POST", "/orders", _body(wish))
            if self._first_agrees(answer, refusal, 202):
                self._note(wish, order_id=answer.json["orderId"])

    def modify(self, moment: datetime) -> None:
        """Change an order, or one that has ended."""
        name = self._any_order()
        if name is None:
            return
        old = self.model.owners[self.owner_of[name]].orders[name].wish
        wish = Wish(moment, "modify", self.owner_of[name], name, quantity=self._maybe(self.chance.randint(1, 60)))
        kind = old.order_type
        if self.chance.random() < 0.25 and (kind, old.validity) != ("MARKET", "DAY"):
            kind = self.chance.choice(
                [new for new in TYPE_CHANGES[kind] if new == "LIMIT" or old.validity == "DAY"] or [kind]
            )
            wish = replace(wish, order_type=kind if kind != old.order_type else "")
        if kind in ("LIMIT", "STOP_LIMIT"):
            wish = replace(wish, price=self._price() if old.price is None else self._maybe(self._price()))
        if kind == "STOP_MARKET" and old.trigger is not None:
            wish = replace(wish, trigger=self._maybe(old.trigger + Decimal(self.chance.randint(-10, 10)) / 10))
        if wish.quantity is wish.price is wish.trigger is None and not wish.order_type:
            return
        refusal = self.model.ask(wish)
        if self.chance.random() < 0.7:
            form = self.speller.change(wish, self.numbers[name])
            self._agrees(self.kite(wish.owner, "PUT", f"/orders/regular/{self.numbers[name]}", form), refusal)
        else:
            body = {
                "orderType": wish.order_type or None,
                "quantity": wish.quantity,
                "price": _text(wish.price),
                "triggerPrice": _text(wish.trigger),
            }
            body = {field: value for field, value in body.items() if value is not None}
            self._first_agrees(self.first(wish.owner, "PATCH", f"/orders/{self.ids[name]}", body), refusal, 200)

    def cancel(self, moment: datetime) -> None:
        """Cancel an order, or one that has ended."""
        name = self._any_order()
        if name is None:
            return
        wish = Wish(moment, "cancel", self.owner_of[name], name)
        refusal = self.model.ask(wish)
        if self.chance.random() < 0.7:
            self._agrees(self.kite(wish.owner, "DELETE", f"/orders/regular/{self.numbers[name]}"), refusal)
        else:
            self._first_agrees(self.first(wish.owner, "DELETE", f"/orders/{self.ids[name]}"), refusal, 200)

    def convert(self, _: datetime) -> None:
        """Convert shares to the other product by the door for Kite's clients."""
        name = self.chance.choice(sorted(self.accounts))
        owner = self.model.owners[name]
        held = sorted(key for key, lot in owner.money.lots.items() if lot.quantity > 0)
        if not held:
            return
        symbol, product = self.chance.choice(held)
        most = owner.money.lots[symbol, product].quantity
        quantity = self.chance.choice((most, most, most + 1, self.chance.randint(1, most)))
        refusal = self.model.convert(owner, symbol, product, quantity)
        self._count(f"conversion: {refusal}")
        form = self.speller.conversion(symbol, product, "BUY", quantity)
        answer = self.kite(name, "PUT", "/portfolio/positions", form)
        if self._agrees(answer, refusal):
            assert answer.json["data"] is True

    def spoil(self, moment: datetime) -> None:
        """Send a form that must be refused and change nothing."""
        wish = self._placement(moment)
        answer = self.kite(wish.owner, "POST", "/orders/regular", self.speller.spoilt(wish))
        assert (answer.status_code, answer.json["error_type"]) == (400, "InputException"), answer.text
        self._count("spoilt")

    # Comparisons of answers

    def _agrees(self, answer: Any, refusal: str | None) -> bool:
        self._count(refusal or "accepted")
        if refusal is None:
            assert (answer.status_code, answer.json["status"]) == (200, "success"), answer.text
            return True
        expected = (400, ERRORS.get(refusal, "InputException"))
        assert (answer.status_code, answer.json["error_type"]) == expected, (refusal, answer.text)
        return False

    def _first_agrees(self, answer: Any, refusal: str | None, status: int) -> bool:
        self._count(refusal or "accepted")
        if refusal is None:
            assert answer.status_code == status, answer.text
            return True
        # The model does not tell an order that has ended from an unknown one.
        assert answer.json["code"] in (refusal, {"not_found": "order_not_open"}.get(refusal)), (refusal, answer.text)
        return False

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def _note(self, wish: Wish, *, number: str | None = None, order_id: str | None = None) -> None:
        """Note the two names of a new order."""
        chosen = ("order_number", number) if number else ("id", order_id)
        (row,) = rows(f"SELECT id, order_number FROM trading_order WHERE {chosen[0]} = %s", chosen[1])
        self.ids[wish.name], self.numbers[wish.name] = str(row["id"]), str(row["order_number"])
        self.owner_of[wish.name] = wish.owner

    # Chances

    def _placement(self, moment: datetime) -> Wish:
        chance, side, symbol = self.chance, self.chance.choice(("BUY", "SELL")), self.chance.choice(SYMBOLS)
        kind, price, trigger = chance.choice(KINDS), self._price(), self._price()
        if (
            "STOP" in kind and chance.random() < 0.9
        ):  # a little beyond the last price, with or without room for the limit
            sign = 1 if side == "BUY" else -1
            trigger = Decimal(f"{self.prices[symbol]:.2f}") + sign * Decimal(chance.randint(1, 12)) / 10
            price = trigger + sign * Decimal(chance.choice((0, 0, 1, 5, 20))) / 10
        validity = "DAY" if kind == "MARKET" else chance.choice(("DAY", "DAY", "DAY", "TTL", "IOC"))
        if validity == "IOC" and kind != "LIMIT":
            validity = "DAY"
        return Wish(
            moment, "place", chance.choice(sorted(self.accounts)), f"{moment:%H%M%S}", symbol, side,
            chance.choice(("INTRADAY", "INTRADAY", "DELIVERY")), kind, chance.randint(1, 60),
            price if "LIMIT" in kind else None, trigger if "STOP" in kind else None, validity,
            chance.randint(1, 5) if validity == "TTL" else None,
        )  # fmt: skip

    def _price(self) -> Decimal:
        return Decimal(100 + self.chance.randint(-6, 6)) + Decimal(self.chance.randint(0, 9)) / 10

    def _maybe(self, value: Any) -> Any:
        return value if self.chance.random() < 0.6 else None

    def _any_order(self) -> str | None:
        """Return the name of an order, one that lives if any does and chance wants it."""
        live = [
            name
            for owner in self.model.owners.values()
            for name, order in owner.orders.items()
            if order.status == "OPEN"
        ]
        return self.chance.choice(live if live and self.chance.random() < 0.8 else sorted(self.numbers) or [None])


def moments_from(first: datetime, count: int, chance: random.Random) -> list[datetime]:
    """Return times, no two of them whole minutes apart: an order of minutes ends between two of them."""
    found = [first]
    while len(found) < count:
        found.append(found[-1] + timedelta(seconds=chance.randint(2, 25), milliseconds=1))
    return found


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:.2f}"


def _body(wish: Wish) -> dict[str, Any]:
    body = {
        "exchange": "NSE", "symbol": wish.symbol, "side": wish.side, "product": wish.product,
        "orderType": wish.order_type, "quantity": wish.quantity, "price": _text(wish.price),
        "triggerPrice": _text(wish.trigger), "validity": wish.validity, "validityMinutes": wish.minutes,
    }  # fmt: skip
    return {name: value for name, value in body.items() if value is not None}
