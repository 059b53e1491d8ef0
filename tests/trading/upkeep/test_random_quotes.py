"""Whatever price an order on quotes fills at, its money is what an independent reckoning says."""

import itertools
from decimal import Decimal
from fractions import Fraction

from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from tests.support import trading
from tests.trading.execution.market import quote
from tests.trading.operations import OPENING, SYMBOLS
from tests.trading.reckoning import Reckoning, charges
from trading.accounts import administration
from trading.execution import expiry
from trading.orders import placement
from trading.rules.decision import OrderRequest
from trading.rules.errors import InsufficientMargin, OrderNotOpen, Refused
from trading.upkeep import verify

runs = itertools.count()
NO_QUOTE = (None, None, None)

PRICES = st.decimals("95.00", "105.00", places=2)
WHO, WHICH, SYMBOL = st.integers(0, 1), st.integers(0, 10), st.sampled_from(SYMBOLS)
ORDER = st.tuples(
    WHO,
    st.sampled_from(["BUY", "SELL"]),
    st.one_of(st.integers(1, 30), st.integers(1, 300)),
    st.sampled_from(["LIMIT", "LIMIT", "MARKET", "STOP_LIMIT", "STOP_MARKET"]),
    st.decimals("-3.00", "3.00", places=2),
    st.decimals("-0.20", "2.00", places=2),
    SYMBOL,
    st.sampled_from(["INTRADAY", "INTRADAY", "INTRADAY", "DELIVERY"]),
)
# Bid, spread, last price and the sides that are there; also gaps.
QUOTE = st.tuples(
    st.one_of(PRICES, st.decimals("70.00", "130.00", places=2)),
    st.decimals("0.00", "3.00", places=2),
    PRICES,
    st.sampled_from(["both", "both", "bid", "ask", "none"]),
)
OPERATIONS = st.one_of(
    st.tuples(st.just("place"), ORDER),
    st.tuples(st.just("place"), ORDER),
    st.tuples(st.just("trade"), ORDER, QUOTE),
    st.tuples(st.just("rest"), ORDER, QUOTE),
    st.tuples(st.just("rest"), ORDER, QUOTE),
    st.tuples(st.just("quote"), SYMBOL, QUOTE),
    st.tuples(st.just("work")),
    st.tuples(st.sampled_from(["cancel", "expire"]), WHICH),
    st.tuples(st.just("modify"), WHICH, st.integers(1, 300), PRICES),
    st.tuples(st.just("funds"), WHO, st.one_of(st.decimals("0.00", "300.00", places=2), st.just(5 * OPENING))),
)


class Market:
    """Two accounts on quotes in the database, their reckonings, and the present quotes (bid, ask, last)."""

    def __init__(self):
        self.prefix = f"Q{next(runs)}-"
        self.ids = [administration.create_account(name, OPENING, fill_model="QUOTES")["id"] for name in ("one", "two")]
        self.reckonings = {account_id: Reckoning(Fraction(OPENING)) for account_id in self.ids}
        self.quotes = {}
        for symbol in SYMBOLS:
            self.quote(symbol, (Decimal("99.90"), Decimal("0.20"), Decimal("100.00"), "both"))

    def run(self, name, *arguments):
        getattr(self, name)(*arguments)
        for account_id, reckoning in self.reckonings.items():
            positions = trading.rows("SELECT * FROM position WHERE account_id = %s", account_id)
            reckoning.assert_agrees(trading.account_now(account_id), positions)

    def live(self):
        orders = [order for reckoning in self.reckonings.values() for order in reckoning.pending.values()]
        return sorted(orders, key=lambda order: (order["placed_at"], order["id"]))

    def price_on(self, side, symbol):
        """Return the price at which a side trades at once, None if nobody is there."""
        bid, ask, last = self.quotes.get(symbol, NO_QUOTE)
        return last if bid is ask is None else ask if side == "BUY" else bid

    def assumed(self, order, opens):
        """Return the price that an order's money is reserved at."""
        at_once = self.price_on(order["side"], order["symbol"])
        opens_short = opens and order["side"] == "SELL"
        if order["order_type"] == "MARKET":
            return at_once or self.quotes[order["symbol"]][2]
        if order["order_type"] == "STOP_MARKET":
            return order["trigger_price"]
        higher = (order["trigger_price"] if order["order_type"] == "STOP_LIMIT" else at_once) if opens_short else None
        return max(order["price"], higher or order["price"])

    def check_reservation(self, order, closing):
        reckoning, opening = self.reckonings[order["account_id"]], order["quantity"] - closing
        assumed = self.assumed(order, opening > 0)
        assert order["closing_quantity"] == closing
        assert order["charges"] == charges(order, Fraction(assumed))
        assert order["blocked_margin"] == reckoning.blocks(order["symbol"], order["product"], assumed, opening, closing)

    def trade(self, order, new_quote):
        """Let a quote come between the placement of an order and its first look."""
        self.place(order)
        self.quote(order[-2], new_quote)
        self.work()

    def rest(self, order, new_quote):
        """Let a quote come after the first look of an order."""
        self.place(order)
        self.work()
        self.quote(order[-2], new_quote)
        self.work()

    def place(self, order):
        """Place an order with its limit at an offset of the last price, or its trigger in a distance of it."""
        who, side, quantity, order_type, offset, distance, symbol, product = order
        account_id, symbol = self.ids[who], self.prefix + symbol
        last, towards = self.quotes[symbol][2], 1 if side == "BUY" else -1
        trigger = last + towards * distance
        price = trigger + towards * abs(offset) if order_type == "STOP_LIMIT" else last + offset
        request = OrderRequest(
            "NSE",
            symbol,
            side,
            quantity,
            order_type,
            price if order_type.endswith("LIMIT") else None,
            product,
            trigger_price=trigger if order_type.startswith("STOP") else None,
        )
        reckoning = self.reckonings[account_id]
        closing = reckoning.closes(symbol, product, side, quantity)
        try:
            order = placement.place_order(account_id, request, calendar=None).order
        except InsufficientMargin as refusal:
            self.short_of_margin(reckoning, refusal.details, closing < quantity)
        except Refused as refusal:
            event(f"placement: {refusal.code}")
        else:
            self.check_reservation(order, closing)
            reckoning.accept(order)
            assert reckoning.available() >= 0 or closing == quantity

    def short_of_margin(self, reckoning, details, opens):
        event("placement: insufficient_margin")
        assert opens
        assert reckoning.available() == Fraction(details["available"]) < details["required"]

    def quote(self, symbol, new_quote):
        symbol, (bid, spread, last, book) = self.prefix + symbol, new_quote
        bid, ask = bid if book in ("both", "bid") else None, bid + spread if book in ("both", "ask") else None
        assert quote(bid, ask, last, symbol=symbol).accepted == 1
        self.quotes[symbol] = (bid, ask, last)

    def work(self):
        """Execute what is due, order by order; an order's execution fills all that is matched of its account."""
        due = [row for row in self.rows_of(self.live()) if row["due_at"] is not None]
        for order in due:
            trading.execute(order)
            ended = [row for row in self.rows_of(self.live()) if row["status"] not in ("PENDING", "OPEN")]
            for row in sorted(ended, key=turn):
                self.ended(row)

    def rows_of(self, orders):
        ids = [order["id"] for order in orders]
        return trading.rows("SELECT * FROM trading_order WHERE id = ANY(%s::uuid[]) ORDER BY placed_at, id", ids)

    def ended(self, row):
        price = row["match_price"] or self.price_on(row["side"], row["symbol"])
        event(f"{row['status']} {'match' if row['match_price'] else 'look'} {row['order_type']}")
        reckoning = self.reckonings[row["account_id"]]
        assert reckoning.execute(reckoning.pending[row["id"]], price) == row["status"]
        if row["status"] == "EXECUTED":
            assert row["average_price"] == price
            assert row["charges"] == charges(row, Fraction(price)) == sum(row["charge_items"].values())

    def cancel(self, which):
        for order in self.live()[which : which + 1]:
            try:
                trading.cancel(order)
            except OrderNotOpen:
                assert trading.order_now(order)["matched_at"] is not None
            else:
                self.reckonings[order["account_id"]].give_back(order)

    def expire(self, which):
        for order in self.live()[which : which + 1]:
            trading.run("UPDATE trading_order SET expires_at = market_now() WHERE id = %s", order["id"])
            is_over = expiry.run_once(10).expired == 1
            assert is_over == (trading.order_now(order)["matched_at"] is None)
            if is_over:
                self.reckonings[order["account_id"]].give_back(order)

    def modify(self, which, quantity, price):
        """Change a LIMIT order; the facts that its money depends on are those of now."""
        for order in [order for order in self.live() if order["order_type"] == "LIMIT"][which : which + 1]:
            reckoning = self.reckonings[order["account_id"]]
            asked = (order["symbol"], order["product"], order["side"], quantity)
            closing = reckoning.closes(*asked, besides=order["id"])
            try:
                changed = trading.modify(order, quantity, price)
            except OrderNotOpen:
                assert trading.order_now(order)["matched_at"] is not None
            except Refused as refusal:
                event(f"modify: {refusal.code}")
                assert closing < quantity
            else:
                is_same = (quantity, price) == (order["quantity"], order["price"])
                if not is_same:
                    self.check_reservation(changed, closing)
                reckoning.change({name: changed[name] for name in order})

    def funds(self, who, available):
        """Leave an account an available margin."""
        reckoning = self.reckonings[self.ids[who]]
        if amount := Fraction(available) - reckoning.available():
            kind = "DEPOSIT" if amount > 0 else "WITHDRAWAL"
            administration.move_funds(self.ids[who], kind, Decimal(int(abs(amount) * 100)).scaleb(-2))
            reckoning.balance += amount


def turn(row):
    match = (1, 0, 0) if row["matched_at"] is None else (0, row["match_sequence"], row["match_class"])
    return *match, row["placed_at"], row["id"]


@settings(
    max_examples=20,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes, because each example is a long sequence
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(operations=st.lists(OPERATIONS, min_size=25, max_size=50))
def test_the_money_of_orders_on_quotes_is_right_at_any_price(clean, operations):
    market = Market()
    for operation in operations:
        market.run(*operation)
    assert verify.verify() == []
