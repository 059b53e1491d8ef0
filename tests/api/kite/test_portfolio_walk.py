"""Random days of trades and conversions: Kite's positions and holdings together are the books."""

import random
from decimal import Decimal

import pytest

from tests.support.kite import kite_headers
from tests.support.market_clock import clock
from tests.support.trading import hold, one, rows
from trading.rules.errors import Refused

__all__ = ["clock"]

PRODUCTS = {"INTRADAY": "MIS", "DELIVERY": "CNC"}
STEPS = 40
BOOKS = """
SELECT realized_pnl + coalesce((
    SELECT sum(quantity * %s - sign(quantity::numeric) * cost) FROM position WHERE account_id = account.id), 0)
FROM account WHERE id = %s
"""


class Walk:
    """An account that trades at random, day by day, and sees its portfolio through both doors."""

    def __init__(self, client, trader, clock, dice, *, carries_intraday):
        self.client, self.trader, self.clock, self.dice = client, trader, clock, dice
        self.carries_intraday = carries_intraday
        self.day, self.last = 2, 100
        self.realized_before = Decimal(0)

    def step(self):
        """Begin a new day, trade or convert."""
        chance = self.dice.random()
        if chance < 0.08:
            self.begin_day()
        elif chance < 0.75:
            self.trade()
        else:
            self.convert()
        self.last = max(50, self.last + self.dice.randint(-5, 5))

    def begin_day(self):
        if not self.carries_intraday:
            for row in rows("SELECT * FROM position WHERE product = 'INTRADAY' AND quantity <> 0"):
                side = "SELL" if row["quantity"] > 0 else "BUY"
                hold(self.trader.id, side, abs(row["quantity"]), f"{self.last}.00")
        self.day += 1
        self.clock(f"2026-11-{self.day:02} 10:00")
        self.realized_before = one("SELECT realized_pnl FROM account WHERE id = %s", self.trader.id)

    def trade(self):
        side, price = self.dice.choice(["BUY", "BUY", "SELL"]), f"{self.last}.{self.dice.randint(0, 99):02}"
        try:
            hold(self.trader.id, side, self.dice.randint(1, 20), price, product=self.dice.choice(list(PRODUCTS)))
        except Refused:
            pass  # a sale of shares that are not held

    def convert(self):
        old, new = self.dice.sample(list(PRODUCTS.values()), 2)
        order = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY", "position_type": "day"}
        body = order | {"quantity": self.dice.randint(1, 10), "old_product": old, "new_product": new}
        answer = self.client.put("/portfolio/positions", data=body, headers=kite_headers(self.trader.token))
        assert answer.status_code in (200, 400)

    def read(self, path):
        return self.client.get(f"/portfolio/{path}", headers=kite_headers(self.trader.token)).get_json()["data"]

    def check(self):
        """Compare the quantities and the profits of Kite's door with the first door and the books."""
        net, held = self.read("positions")["net"], self.read("holdings")
        books = one(BOOKS, self.last, self.trader.id) - self.realized_before
        assert sum(one["pnl"] for one in net + held) == pytest.approx(float(books), abs=0.02)
        answer = self.client.get("/api/trading/positions", headers=self.trader.headers)
        for position in answer.get_json()["data"]:
            product = PRODUCTS[position["product"]]
            shares = sum(one["quantity"] for one in net if one["product"] == product)
            shares += sum(one["opening_quantity"] for one in held if one["product"] == product)
            assert shares == position["quantity"]
        assert all(0 <= one["used_quantity"] <= one["opening_quantity"] for one in held)


@pytest.mark.parametrize(("carries_intraday", "seed"), [(False, 1), (True, 2)])
def test_positions_and_holdings_are_the_books(client, account, clock, quote, carries_intraday, seed):
    clock("2026-11-02 10:00")
    walk = Walk(client, account("100000000.00"), clock, random.Random(seed), carries_intraday=carries_intraday)
    for _ in range(STEPS):
        walk.step()
        quote(last_price=f"{walk.last}.00")
        walk.check()
