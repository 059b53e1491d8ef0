"""Any sequence of operations keeps the ledgers right, and an independent reckoning agrees with them."""

import itertools
from copy import deepcopy
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.support import trading
from tests.trading.operations import OPENING, OPERATIONS, SYMBOLS
from tests.trading.reckoning import Reckoning, charges
from tests.trading.settlement.days import let_days_pass
from trading.accounts import administration
from trading.day.conversion import convert_position
from trading.day.reset import reset_account
from trading.day.settling import settle
from trading.matching import feed
from trading.orders.cancellation import reject_order
from trading.rules.errors import (
    InsufficientHoldings,
    InsufficientMargin,
    NoPrice,
    NotConvertible,
    NothingToClose,
    OrderNotOpen,
    PriceNotTaken,
)
from trading.upkeep import verify

POSITIONS = """
SELECT *, (market_now() AT TIME ZONE 'Asia/Kolkata')::date AS present_day FROM position WHERE account_id = %s
"""
HELD = "SELECT * FROM position WHERE product = 'DELIVERY' AND quantity > 0"
runs = itertools.count()


class Trading:
    """Two accounts in the database, and their reckonings."""

    def __init__(self):
        self.prefix = f"{next(runs)}-"
        self.ids = [administration.create_account(name, OPENING)["id"] for name in ("one", "two")]
        self.reckonings = {account_id: Reckoning(Fraction(OPENING)) for account_id in self.ids}
        self.orders, self.prices = [], {}
        self.quote(SYMBOLS[0], Decimal("100.00"))

    def run(self, name, *arguments):
        getattr(self, name)(*arguments)
        self.check()

    def pending(self):
        orders = [order for reckoning in self.reckonings.values() for order in reckoning.pending.values()]
        return sorted(orders, key=lambda order: (order["placed_at"], order["id"]))

    def place(self, who, side, quantity, price, symbol, product):
        account_id, symbol = self.ids[who], self.prefix + symbol
        reckoning, assumed = self.reckonings[account_id], price or self.prices.get(symbol)
        closing = reckoning.closes(symbol, product, side, quantity)
        try:
            order = trading.place(account_id, side, quantity, price, symbol=symbol, product=product)
        except NoPrice:
            assert assumed is None
        except InsufficientHoldings:
            assert (product, side) == ("DELIVERY", "SELL")
            assert closing < quantity
        except InsufficientMargin as refusal:
            self.short_of_margin(reckoning, refusal.details, closing < quantity)
        else:
            assert order["closing_quantity"] == closing
            assert order["blocked_margin"] == reckoning.blocks(symbol, product, assumed, quantity - closing, closing)
            if 0 < closing < quantity:
                event("flip that blocks nothing" if order["blocked_margin"] == 0 else "flip")
            assert order["charges"] == charges(order, Fraction(assumed))
            self.accepted(order)

    def short_of_margin(self, reckoning, details, opens):
        assert opens
        assert reckoning.available() == Fraction(details["available"])
        assert reckoning.available() < Fraction(details["required"])

    def modify(self, which, quantity, price):
        """Change an order, a PENDING one if there is any."""
        if orders := self.pending() or self.orders:
            self.change(orders[which % len(orders)], quantity, price)

    def amend(self, who, side, first_quantity, first_price, symbol, product, quantity, price):
        """Place an order and change it; other orders may be PENDING."""
        known = len(self.orders)
        self.place(who, side, first_quantity, first_price, symbol, product)
        for accepted in self.orders[known:]:
            self.change(accepted, quantity, None if first_price is None else price)

    def change(self, known, quantity, price):
        reckoning = self.reckonings[known["account_id"]]
        order = reckoning.pending.get(known["id"])
        try:
            changed = trading.modify(known, quantity, price)
        except OrderNotOpen:
            assert order is None
        except PriceNotTaken:
            assert (order["price"], price is None) == (None, False)
        except (InsufficientHoldings, InsufficientMargin) as refusal:
            self.not_changed(reckoning, order, refusal, quantity or order["quantity"])
        else:
            self.changed(reckoning, order, changed, quantity, price)

    def not_changed(self, reckoning, order, refusal, quantity):
        event(f"modify: {refusal.code}")
        closing = reckoning.closes(order["symbol"], order["product"], order["side"], quantity, besides=order["id"])
        assert closing < quantity
        is_short = (order["product"], order["side"]) == ("DELIVERY", "SELL")
        assert isinstance(refusal, InsufficientHoldings) == is_short
        if not is_short:
            assert reckoning.within_reach(order) == Fraction(refusal.details["available"])
            assert reckoning.within_reach(order) < Fraction(refusal.details["required"])

    def changed(self, reckoning, order, changed, quantity, price):
        wanted = (quantity or order["quantity"], price or order["price"])
        assert (changed["quantity"], changed["price"]) == wanted
        if wanted == (order["quantity"], order["price"]):
            assert {name: changed[name] for name in order} == order
            return
        event("modify: changed")
        closing = reckoning.closes(order["symbol"], order["product"], order["side"], wanted[0], besides=order["id"])
        assert changed["closing_quantity"] == closing
        assumed = wanted[1] or self.prices[order["symbol"]]
        blocked = reckoning.blocks(order["symbol"], order["product"], assumed, wanted[0] - closing, closing)
        assert changed["blocked_margin"] == blocked
        assert changed["charges"] == charges(changed, Fraction(assumed))
        assert closing == wanted[0] or reckoning.holds(changed) <= reckoning.within_reach(order)
        reckoning.change({name: changed[name] for name in order})

    def accepted(self, order):
        reckoning = self.reckonings[order["account_id"]]
        reckoning.accept(order)
        self.orders.append(order)
        assert reckoning.available() >= 0 or order["closing_quantity"] == order["quantity"]

    def trade(self, *order):
        """Place an order and execute it at once; other orders may be PENDING."""
        known = len(self.orders)
        self.place(*order)
        for accepted in self.orders[known:]:
            outcome = trading.execute(accepted)
            assert outcome.executed == (self.reckon(accepted) == "EXECUTED")

    def shock(self, who, side, quantity, price):
        """Move the price between the placement of a MARKET order and its execution."""
        known = len(self.orders)
        self.place(who, side, quantity, None, SYMBOLS[0], "INTRADAY")
        self.quote(SYMBOLS[0], price)
        for accepted in self.orders[known:]:
            outcome = trading.execute(accepted)
            assert outcome.executed == (self.reckon(accepted) == "EXECUTED")

    def execute(self, picks):
        pending = self.pending()
        chosen = {pick % len(pending) for pick in picks if pending}
        outcome = trading.execute(*(pending[pick] for pick in sorted(chosen, reverse=True)))
        expected = [self.reckon(pending[pick]) for pick in sorted(chosen)]
        assert outcome[:3] == (expected.count("EXECUTED"), expected.count("REJECTED"), 0)

    def reckon(self, order):
        held = self.reckonings[order["account_id"]].lot(order).quantity
        closes = held * (1 if order["side"] == "SELL" else -1) > 0
        price = order["price"] or self.prices.get(order["symbol"])
        status = self.reckonings[order["account_id"]].execute(order, price)
        done = trading.order_now(order)
        assert done["status"] == status
        final = charges(done, Fraction(done["average_price"])) if status == "EXECUTED" else order["charges"]
        assert done["charges"] == final == sum(done["charge_items"].values())
        event(f"{status}, closing" if closes and status == "EXECUTED" else status)
        return status

    def execute_again(self, which):
        done = [order for order in self.orders if order["id"] not in self.reckonings[order["account_id"]].pending]
        if done:
            assert trading.execute(done[which % len(done)])[:3] == (0, 0, 1)

    def cancel(self, which):
        if self.orders:
            order = self.orders[which % len(self.orders)]
            reckoning = self.reckonings[order["account_id"]]
            try:
                trading.cancel(order)
            except OrderNotOpen:
                assert order["id"] not in reckoning.pending
            else:
                reckoning.give_back(reckoning.pending[order["id"]])

    def reject(self, which):
        if pending := self.pending():
            order = pending[which % len(pending)]
            assert reject_order(order["account_id"], order["id"], "execution_failed")
            self.reckonings[order["account_id"]].give_back(order)

    def close(self, which):
        positions = trading.rows("SELECT * FROM position WHERE account_id = ANY(%s::uuid[]) ORDER BY id", self.ids)
        if positions:
            position = positions[which % len(positions)]
            try:
                order = trading.close(position["account_id"], position["id"])
            except (NothingToClose, NoPrice) as refusal:
                event(refusal.code)
            else:
                assert order["closing_quantity"] == order["quantity"] <= abs(position["quantity"])
                self.accepted(order)

    def funds(self, who, kind, amount):
        reckoning = self.reckonings[self.ids[who]]
        try:
            administration.move_funds(self.ids[who], kind, amount)
        except InsufficientMargin:
            assert kind == "WITHDRAWAL"
            assert reckoning.available() < Fraction(amount)
        else:
            reckoning.balance += Fraction(amount) * (1 if kind == "DEPOSIT" else -1)
            assert kind == "DEPOSIT" or reckoning.available() >= 0

    def convert(self, which, quantity):
        positions = trading.rows("SELECT * FROM position WHERE account_id = ANY(%s::uuid[]) ORDER BY id", self.ids)
        if positions:
            self.convert_position(positions[which % len(positions)], quantity)

    def buy_and_convert(self, who, quantity, price, symbol):
        self.trade(who, "BUY", quantity, price, symbol, "DELIVERY")
        wanted = (self.ids[who], self.prefix + symbol)
        for position in trading.rows(f"{HELD} AND account_id = %s AND symbol = %s", *wanted):
            self.convert_position(position, quantity)

    def convert_position(self, position, quantity):
        reckoning = self.reckonings[position["account_id"]]
        key = position["symbol"], position["product"]
        possible, available = reckoning.convertible(*key), reckoning.available()
        try:
            change, _ = convert_position(position["account_id"], position["id"], quantity, calendar=None)
        except NotConvertible as refusal:
            event("nothing to convert")
            self.not_converted(refusal, {"convertible": possible}, possible < (quantity or 1))
        except InsufficientMargin as refusal:
            event("conversion beyond the margin")
            needed = deepcopy(reckoning).convert(*key, quantity or possible)
            self.not_converted(refusal, {"required": needed, "available": available}, needed > max(0, available))
        else:
            event(f"conversion of {position['product']}")
            assert change["quantity"] == (quantity or possible) <= possible
            assert reckoning.convert(*key, change["quantity"]) <= max(0, available)

    def not_converted(self, refusal, details, is_right):
        assert refusal.details == details
        assert is_right

    def pass_days(self, count, is_settled):
        if count:
            let_days_pass(count)
            for reckoning in self.reckonings.values():
                reckoning.end_day()
        if is_settled:
            settle(None, limit_s=5)

    def reset(self, who, balance, is_wanted):
        if not is_wanted:
            return
        event("reset")
        reset_account(self.ids[who], balance)
        self.reckonings[self.ids[who]].reset(balance)

    def quote(self, symbol, price):
        feed.set_quotes([("NSE", self.prefix + symbol, price)])
        self.prices[self.prefix + symbol] = price

    def check(self):
        """Compare both accounts with their reckonings."""
        for account_id, reckoning in self.reckonings.items():
            positions = trading.rows(POSITIONS, account_id)
            reckoning.assert_agrees(trading.account_now(account_id), positions)


@settings(
    max_examples=50,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes, because each example is a long sequence
    # The database is emptied once, because every example has its own accounts and symbols.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=st.lists(OPERATIONS, min_size=25, max_size=50))
def test_any_sequence_of_operations_keeps_the_ledgers_right(clean, operations):
    trading = Trading()
    for operation in operations:
        trading.run(*operation)
    assert verify.verify() == []
