"""A walk: two owners ask for random things at both doors, and the product and the model answer."""

import random
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.kite_walks.forms import Speller
from tests.kite_walks.model import Model
from tests.kite_walks.wishes import Wishes
from tests.support.kite import kite_headers
from tests.support.trading import rows
from tests.trading.weeks.generating import Wish
from trading.execution import expiry
from trading.execution.sweeping import MAX_BATCH, sweep_once

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
        self.speller, self.wishes = Speller(self.chance), Wishes(self.chance)
        self.numbers: dict[str, str] = {}  # of orders as Kite's clients know them, by name
        self.ids: dict[str, str] = {}  # of orders at the first door, by name
        self.owner_of: dict[str, str] = {}
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
        quote = self.wishes.quote(moment)
        names = {"lastPrice": quote.last, "bidPrice": quote.bid, "askPrice": quote.ask}
        body = {"exchange": "NSE", "symbol": quote.symbol, "quotedAt": moment.isoformat(), **_texts(names)}
        answer = self.client.put("/api/market/quotes", json={"quotes": [body]}, headers=self.feeder)
        assert answer.status_code == 200, answer.text
        self.model.quote(quote)

    def place(self, moment: datetime) -> None:
        """Place an order at one of the doors."""
        wish = self.wishes.placement(moment)
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
        owner = self.owner_of[name]
        wish = self.wishes.change(moment, owner, name, self.model.owners[owner].orders[name].wish)
        if wish is None:
            return
        refusal = self.model.ask(wish)
        if self.chance.random() < 0.7:
            form = self.speller.change(wish, self.numbers[name])
            self._agrees(self.kite(wish.owner, "PUT", f"/orders/regular/{self.numbers[name]}", form), refusal)
        else:
            body = _body(wish)
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
        wish = self.wishes.placement(moment)
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

    def _any_order(self) -> str | None:
        """Return the name of an order, one that lives if any does and chance wants it."""
        live = [
            name
            for owner in self.model.owners.values()
            for name, order in owner.orders.items()
            if order.status == "OPEN"
        ]
        return self.chance.choice(live if live and self.chance.random() < 0.8 else sorted(self.numbers) or [None])


def _body(wish: Wish) -> dict[str, Any]:
    """Return the body of a request to the first door."""
    terms = {
        "symbol": wish.symbol, "side": wish.side, "product": wish.product, "orderType": wish.order_type,
        "quantity": wish.quantity, "validityMinutes": wish.minutes,
        "exchange": wish.symbol and "NSE", "validity": wish.symbol and wish.validity,
    }  # fmt: skip
    return {name: value for name, value in terms.items() if value} | _texts(
        {"price": wish.price, "triggerPrice": wish.trigger}
    )


def _texts(prices: dict[str, Decimal | None]) -> dict[str, str]:
    return {name: f"{price:.2f}" for name, price in prices.items() if price is not None}
