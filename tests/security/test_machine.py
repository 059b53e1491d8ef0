"""Any sequence of requests, by hypothesis: the answers and the books are those of an independent reckoning."""

import itertools
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from operator import itemgetter
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.security.conftest import CRON
from tests.trading.reckoning import Lot, Reckoning
from trading.execution.executing import execute_orders
from trading.upkeep import verify

SYMBOLS = ("ALPHA", "BETA")
LOW, HIGH = st.decimals("0.01", "300.00", places=2), st.decimals("300.00", "5000.00", places=2)
PRICES = st.one_of(LOW, LOW, LOW, HIGH)
ANY_SYMBOL = st.one_of(st.none(), st.sampled_from(SYMBOLS))
QUANTITIES = st.one_of(st.integers(1, 10), st.integers(1, 60), st.integers(1, 600))
WHO = st.integers(0, 1)
WHICH = st.integers(0, 30)
RARELY = st.sampled_from([False, False, False, True])
OPENING = "50000.00"
runs = itertools.count()


class Requests(RuleBasedStateMachine):
    """Two traders, an administrator, a feed and a scheduler, each over HTTP; `world` brings client and tokens."""

    world: dict

    @initialize()
    def open_accounts(self):
        self.client, self.service = self.world["client"], self.world["service"]
        self.prefix = f"M{next(runs)}-"
        self.traders = [self.world["account"](OPENING, name="Machine") for _ in range(2)]
        self.reckonings = [Reckoning(Fraction(OPENING)) for _ in self.traders]
        self.suspended, self.prices, self.final, self.keys = [False, False], {}, {}, []
        self.owner_of, self.seen = {}, Counter()
        self.set_quote(SYMBOLS[0], Decimal("100.00"))

    def note(self, what):
        """Count an event, so that a test can assert that it occurred."""
        self.seen[what] += 1

    def send(self, method, path, headers, **options):
        answer = self.client.open(f"/api/{path}", method=method, headers=headers, **options)
        assert answer.status_code < 500, answer.text
        return answer

    def read(self, who, path):
        answer = self.send("GET", f"trading/{path}", self.traders[who].headers)
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def pending(self):
        orders = [order for reckoning in self.reckonings for order in reckoning.pending.values()]
        return sorted(orders, key=lambda order: (order["placed_at"], order["id"]))

    @rule(
        who=WHO,
        side=st.sampled_from(["BUY", "SELL"]),
        quantity=QUANTITIES,
        price=st.one_of(st.none(), PRICES),
        symbol=st.sampled_from(SYMBOLS),
        product=st.sampled_from(["INTRADAY", "INTRADAY", "DELIVERY"]),
        keyed=st.booleans(),
    )
    def place(self, who, side, quantity, price, symbol, product, keyed):
        symbol = self.prefix + symbol
        body = {"exchange": "NSE", "symbol": symbol, "side": side, "quantity": quantity, "product": product}
        body |= {"orderType": "MARKET"} if price is None else {"orderType": "LIMIT", "price": str(price)}
        key = {"Idempotency-Key": f"{self.prefix}{len(self.keys)}"} if keyed else {}
        answer = self.send("POST", "trading/orders", self.traders[who].headers | key, json=body)
        assumed = price or self.prices.get(symbol)
        closing = self.reckonings[who].closes(symbol, product, side, quantity)
        if not self.refused(who, answer, body, closing, assumed):
            order = self.accepted(who, answer, price)
            if keyed:
                self.keys.append((who, key, body, order["id"]))

    def refused(self, who, answer, body, closing, assumed):
        """Return True if an order was refused, for the first reason in the order of the contract."""
        product, side, quantity = body["product"], body["side"], body["quantity"]
        problem = answer.get_json() if answer.status_code == 422 else {"code": None}
        if self.suspended[who]:
            expected = "account_suspended"
        elif assumed is None:
            expected = "no_price"
        elif product == "DELIVERY" and side == "SELL" and closing < quantity:
            expected = "insufficient_holdings"
        elif problem["code"] == "insufficient_margin":
            reckoning = self.reckonings[who]
            margin = reckoning.blocks(body["symbol"], product, assumed, quantity - closing, closing)
            assert closing < quantity
            assert Fraction(problem["available"]) == reckoning.available()
            assert reckoning.available() < Fraction(problem["required"])
            assert margin <= Fraction(problem["required"])
            expected = "insufficient_margin"
        else:
            expected = None
        assert problem["code"] == expected, answer.text
        self.note(f"place: {expected}")
        return expected is not None

    def accepted(self, who, answer, price):
        assert answer.status_code == 202, answer.get_json()
        shown = answer.get_json()["order"]
        closing = self.reckonings[who].closes(shown["symbol"], shown["product"], shown["side"], shown["quantity"])
        order = {
            "id": shown["orderId"], "symbol": shown["symbol"], "product": shown["product"], "side": shown["side"],
            "quantity": shown["quantity"], "price": price, "closing_quantity": closing, "placed_at": shown["placedAt"],
            "blocked_margin": Decimal(shown["blockedMargin"]), "charges": Decimal(shown["charges"]),
        }  # fmt: skip
        opens = order["quantity"] - closing
        assumed = price or self.prices[order["symbol"]]
        blocked = self.reckonings[who].blocks(order["symbol"], order["product"], assumed, opens, closing)
        assert order["blocked_margin"] == blocked
        assert shown["status"] == "PENDING"
        self.reckonings[who].accept(order)
        self.owner_of[order["id"]] = who
        assert not opens or self.reckonings[who].available() >= 0
        return order

    @rule(
        who=WHO,
        side=st.sampled_from(["BUY", "SELL"]),
        quantity=QUANTITIES,
        price=PRICES,
        product=st.sampled_from(["INTRADAY", "INTRADAY", "DELIVERY"]),
    )
    def trade(self, who, side, quantity, price, product):
        """Place an order and have it executed, with all that waits before it."""
        self.place(who, side, quantity, price, SYMBOLS[0], product, keyed=False)
        self.sweep(limit=500)

    @precondition(lambda self: self.keys)
    @rule(which=WHICH, changed=st.booleans())
    def repeat(self, which, changed):
        """Send a request again with its key: the first answer, or a conflict when it is another request."""
        who, key, body, order_id = self.keys[which % len(self.keys)]
        body = body | {"quantity": body["quantity"] + 1} if changed else body
        answer = self.send("POST", "trading/orders", self.traders[who].headers | key, json=body)
        if changed:
            assert answer.get_json()["code"] == "idempotency_conflict"
        else:
            assert (answer.status_code, answer.get_json()["orderId"]) == (202, order_id)
            assert answer.headers["Idempotent-Replayed"] == "true"

    @precondition(lambda self: self.owner_of)
    @rule(which=WHICH, by_the_other=st.booleans())
    def cancel(self, which, by_the_other):
        order_id = list(self.owner_of)[which % len(self.owner_of)]
        who = self.owner_of[order_id]
        if by_the_other:
            answer = self.send("DELETE", f"trading/orders/{order_id}", self.traders[1 - who].headers)
            assert answer.status_code == 404
            return
        answer = self.send("DELETE", f"trading/orders/{order_id}", self.traders[who].headers)
        if order_id in self.final:
            assert (answer.status_code, answer.get_json()["code"]) == (409, "order_not_open")
        else:
            assert answer.get_json()["status"] == "CANCELLED"
            self.reckonings[who].give_back(self.reckonings[who].pending[order_id])
            self.final[order_id] = "CANCELLED"

    @rule(who=WHO, symbol=ANY_SYMBOL, is_wanted=RARELY)
    def cancel_all(self, who, symbol, is_wanted):
        if not is_wanted:
            return
        symbol = symbol and self.prefix + symbol
        query = {} if symbol is None else {"symbol": symbol}
        answer = self.send("DELETE", "trading/orders", self.traders[who].headers, query_string=query).get_json()
        wanted = [order for order in self.reckonings[who].pending.values() if symbol in (None, order["symbol"])]
        assert {order["orderId"] for order in answer["cancelled"]} == {order["id"] for order in wanted}
        assert (answer["refused"], answer["hasMore"]) == ([], False)
        for order in wanted:
            self.reckonings[who].give_back(order)
            self.final[order["id"]] = "CANCELLED"
        self.note(f"cancel all: {len(wanted)}")

    @precondition(lambda self: self.owner_of)
    @rule(which=WHICH, quantity=st.one_of(st.none(), QUANTITIES), price=st.one_of(st.none(), PRICES), is_stale=RARELY)
    def modify(self, which, quantity, price, is_stale):
        """Change an order, one that waits if there is any."""
        order_ids = [order["id"] for order in self.pending()] or list(self.owner_of)
        self.change(order_ids[which % len(order_ids)], quantity, price, is_stale)

    @rule(who=WHO, side=st.sampled_from(["BUY", "SELL"]), first=QUANTITIES, quantity=QUANTITIES, price=PRICES)
    def amend(self, who, side, first, quantity, price):
        """Place an order and change it."""
        known = set(self.owner_of)
        self.place(who, side, first, price, SYMBOLS[0], "INTRADAY", keyed=False)
        for order_id in set(self.owner_of) - known:
            self.change(order_id, quantity, None, is_stale=False)

    def change(self, order_id, quantity, price, is_stale):
        who = self.owner_of[order_id]
        path, headers = f"trading/orders/{order_id}", self.traders[who].headers
        tag = self.send("GET", path, headers).headers["ETag"]
        body = {"quantity": quantity} if quantity else {}
        body |= {"price": str(price)} if price else {}
        answer = self.send("PATCH", path, headers | {"If-Match": '"0"' if is_stale else tag}, json=body)
        order = self.reckonings[who].pending.get(order_id)
        code = None if answer.status_code == 200 else answer.get_json()["code"]
        expected = self.expected_of_a_change(who, order, answer, quantity, price, is_stale)
        assert code == expected, answer.text
        self.note(f"modify: {expected}")
        if code is None:
            self.changed(who, order, answer.get_json(), quantity or order["quantity"], price or order["price"])

    def expected_of_a_change(self, who, order, answer, quantity, price, is_stale):
        """Return the code with which a change is refused, None when it is not."""
        if order is None or is_stale:
            return "order_not_open" if order is None else "precondition_failed"
        if order["price"] is None and price is not None:
            return "validation_failed"
        if self.suspended[who]:
            return "account_suspended"
        wanted = quantity or order["quantity"]
        if (wanted, price or order["price"]) == (order["quantity"], order["price"]):
            return None
        reckoning = self.reckonings[who]
        closing = reckoning.closes(order["symbol"], order["product"], order["side"], wanted, besides=order["id"])
        if order["product"] == "DELIVERY" and order["side"] == "SELL" and closing < wanted:
            return "insufficient_holdings"
        if answer.status_code != 422:
            return None
        problem = answer.get_json()
        assert closing < wanted
        assert Fraction(problem["available"]) == reckoning.within_reach(order) < Fraction(problem["required"])
        return "insufficient_margin"

    def changed(self, who, order, shown, quantity, price):
        assert (shown["quantity"], shown["price"]) == (quantity, None if price is None else f"{price:.2f}")
        assert shown["placedAt"] == order["placed_at"]
        if (quantity, price) == (order["quantity"], order["price"]):
            return
        reckoning = self.reckonings[who]
        closing = reckoning.closes(order["symbol"], order["product"], order["side"], quantity, besides=order["id"])
        changed = order | {
            "quantity": quantity, "price": price, "closing_quantity": closing,
            "blocked_margin": Decimal(shown["blockedMargin"]), "charges": Decimal(shown["charges"]),
        }  # fmt: skip
        assumed = price or self.prices[order["symbol"]]
        blocked = reckoning.blocks(order["symbol"], order["product"], assumed, quantity - closing, closing)
        assert changed["blocked_margin"] == blocked
        assert closing == quantity or reckoning.holds(changed) <= reckoning.within_reach(order)
        reckoning.change(changed)

    @rule(who=WHO, which=WHICH)
    def close(self, who, which):
        # By name: ids that were made in the same millisecond sort by chance, and a walk must be repeatable.
        positions = sorted(self.read(who, "positions?limit=200")["data"], key=itemgetter("symbol", "product"))
        if not positions:
            return
        position = positions[which % len(positions)]
        answer = self.send("POST", f"trading/positions/{position['positionId']}/close", self.traders[who].headers)
        self.closed(who, position, answer)

    @rule(who=WHO, symbol=ANY_SYMBOL, is_wanted=RARELY)
    def close_all(self, who, symbol, is_wanted):
        if not is_wanted:
            return
        symbol = symbol and self.prefix + symbol
        body = {} if symbol is None else {"symbol": symbol}
        positions = self.read(who, f"positions?open=true&limit=200{'&symbol=' + symbol if symbol else ''}")["data"]
        answer = self.send("POST", "trading/positions/close", self.traders[who].headers, json=body).get_json()
        entries = {entry["positionId"]: entry for entry in (*answer["placed"], *answer["refused"])}
        assert set(entries) == {position["positionId"] for position in positions}
        for position in positions:
            entry = entries[position["positionId"]]
            body = entry.get("problem") or entry
            self.closed(who, position, SimpleNamespace(status_code=body["status"], get_json=lambda body=body: body))
        self.note(f"close all: {len(answer['placed'])}")

    def closed(self, who, position, answer):
        side = "SELL" if position["quantity"] > 0 else "BUY"
        lot = self.reckonings[who].lots.get((position["symbol"], position["product"]), Lot())
        free = self.reckonings[who].closes(position["symbol"], position["product"], side, abs(lot.quantity))
        if answer.status_code in (409, 422):
            code = answer.get_json()["code"]
            self.note(f"close: {code}")
            if self.suspended[who]:
                assert code == "account_suspended"
            elif position["symbol"] in self.prices:
                assert (code, free) == ("nothing_to_close", 0)
            else:
                assert code in ("no_price", "nothing_to_close")
        else:
            order = self.accepted(who, answer, None)
            assert (order["quantity"], order["closing_quantity"], order["side"]) == (free, free, side)

    @rule(who=WHO, kind=st.sampled_from(["DEPOSIT", "WITHDRAWAL"]), amount=st.decimals("0.01", "9000.00", places=2))
    def move_funds(self, who, kind, amount):
        path = f"admin/accounts/{self.traders[who].id}/funds"
        answer = self.send("POST", path, self.service, json={"kind": kind, "amount": str(amount)})
        reckoning = self.reckonings[who]
        if kind == "WITHDRAWAL" and reckoning.available() < Fraction(amount):
            assert answer.get_json()["code"] == "insufficient_margin"
        else:
            assert answer.status_code == 201, answer.text
            reckoning.balance += Fraction(amount) * (1 if kind == "DEPOSIT" else -1)
            assert Fraction(answer.get_json()["balanceAfter"]) == reckoning.balance

    @rule(who=WHO, is_suspended=st.sampled_from([True, False, False, False]))
    def suspend(self, who, is_suspended):
        status = "SUSPENDED" if is_suspended else "ACTIVE"
        answer = self.send("PATCH", f"admin/accounts/{self.traders[who].id}", self.service, json={"status": status})
        assert answer.get_json()["status"] == status
        self.suspended[who] = is_suspended

    @rule(symbol=st.sampled_from(SYMBOLS), price=PRICES)
    def set_quote(self, symbol, price):
        symbol = self.prefix + symbol
        quotes = [{"exchange": "NSE", "symbol": symbol, "lastPrice": str(price)}]
        assert self.send("PUT", "market/quotes", self.service, json={"quotes": quotes}).status_code == 204
        self.prices[symbol] = price

    @rule(limit=st.integers(1, 6))
    def sweep(self, limit):
        """Let the scheduler execute the oldest orders."""
        due = self.pending()
        report = self.send("GET", f"cron/order-worker?limit={limit}", CRON).get_json()
        statuses = [self.reckon(order) for order in due[:limit]]
        expected = (statuses.count("EXECUTED"), statuses.count("REJECTED"), 0, len(due[limit:]))
        assert tuple(report[name] for name in ("executed", "rejected", "failed", "remaining")) == expected

    @precondition(lambda self: self.pending())
    @rule(which=WHICH)
    def execute(self, which):
        """Let a worker execute one order, whatever waits before it, and once more."""
        due = self.pending()
        order = due[which % len(due)]
        execute_orders([order["id"]])
        self.reckon(order)
        assert execute_orders([order["id"]])[:2] == (0, 0)

    def reckon(self, order):
        who = self.owner_of[order["id"]]
        held = self.reckonings[who].lot(order).quantity
        status = self.reckonings[who].execute(order, order["price"] or self.prices.get(order["symbol"]))
        self.final[order["id"]] = status
        closes = held * (1 if order["side"] == "SELL" else -1) > 0
        self.note(f"{status}, closing {'long' if held > 0 else 'short'}" if closes else status)
        return status

    @invariant()
    def the_books_are_those_of_the_reckoning(self):
        for who, reckoning in enumerate(getattr(self, "reckonings", [])):
            shown = self.read(who, "account")
            numbers = [Fraction(shown[name]) for name in ("balance", "blockedMargin", "availableMargin")]
            assert numbers == [reckoning.balance, reckoning.blocked(), reckoning.available()]
            held = {(row["symbol"], row["product"]): row for row in self.read(who, "positions?limit=200")["data"]}
            for key, lot in reckoning.lots.items():
                row = held.pop(key, {"quantity": 0, "blockedMargin": "0"})
                assert (row["quantity"], Fraction(row["blockedMargin"])) == (lot.quantity, lot.margin)
            assert all(row["quantity"] == 0 for row in held.values())

    def teardown(self):
        for order_id, who in getattr(self, "owner_of", {}).items():
            order = self.read(who, f"orders/{order_id}")
            assert order["status"] == self.final.get(order_id, "PENDING")
            life = self.read(who, f"orders/{order_id}/history")["data"]
            assert life[-1]["status"] == order["status"]
            assert [row for moment in life for row in moment["transactions"]] == order["transactions"]
        for who, reckoning in enumerate(getattr(self, "reckonings", [])):
            rows = self.read(who, "transactions?limit=1")["data"]
            assert Fraction(rows[0]["balanceAfter"]) == reckoning.balance
            events = self.read(who, "events?since=0&limit=200")["data"]
            assert [each["id"] for each in events] == list(range(1, len(events) + 1))
        assert verify.verify() == []
        # What is left would be swept in the next run.
        while (
            self.client and self.pending() and self.send("GET", "cron/order-worker?limit=500", CRON).json["remaining"]
        ):
            pass


@pytest.fixture
def world(client, account, headers_for):
    Requests.world = {"client": client, "account": account, "service": headers_for("admin", "feed")}


# Every way in which an order fills, is changed or is refused; random walks may miss some.
WALK = (
    ("trade", "EXECUTED", (0, "BUY", 10, Decimal("100.00"), "INTRADAY")),
    ("trade", "EXECUTED, closing long", (0, "SELL", 4, Decimal("120.00"), "INTRADAY")),
    ("trade", "EXECUTED, closing long", (0, "SELL", 9, Decimal("90.00"), "INTRADAY")),
    ("trade", "EXECUTED, closing short", (0, "BUY", 2, Decimal("95.00"), "INTRADAY")),
    ("amend", "modify: None", (0, "BUY", 5, 7, Decimal("100.00"))),
    ("amend", "modify: insufficient_margin", (0, "BUY", 5, 600, Decimal("5000.00"))),
    ("close", "close: nothing_to_close", (0, 0)),
    ("close_all", "close all: 0", (0, None, True)),
    ("cancel_all", "cancel all: 0", (0, "BETA", True)),
    ("cancel_all", "cancel all: 2", (0, None, True)),
    ("close_all", "close all: 1", (0, "ALPHA", True)),
    ("place", "place: no_price", (0, "BUY", 1, None, "BETA", "INTRADAY", False)),
    ("place", "place: insufficient_holdings", (0, "SELL", 1, Decimal("100.00"), "ALPHA", "DELIVERY", False)),
    ("place", "place: insufficient_margin", (0, "BUY", 600, Decimal("5000.00"), "ALPHA", "INTRADAY", True)),
    ("suspend", "", (0, True)),
    ("place", "place: account_suspended", (0, "BUY", 1, Decimal("100.00"), "ALPHA", "INTRADAY", True)),
    ("cancel_all", "cancel all: 1", (0, None, True)),
    ("close", "close: account_suspended", (0, 0)),
)


def test_the_reckoning_agrees_on_every_way_an_order_goes(world):
    machine = Requests()
    machine.open_accounts()
    for step, outcome, arguments in WALK:
        before = machine.seen[outcome]
        getattr(machine, step)(*arguments)
        machine.the_books_are_those_of_the_reckoning()
        assert not outcome or machine.seen[outcome] == before + 1, (step, outcome, machine.seen)
    machine.teardown()


@pytest.mark.timeout(400)
@pytest.mark.parametrize("examples", [20, pytest.param(80, marks=pytest.mark.long)])
def test_any_sequence_of_requests_keeps_the_books(world, examples):
    walks = settings(
        max_examples=examples,
        stateful_step_count=45,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],  # shrinking would take minutes: each example is a small life
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Requests, settings=walks)
