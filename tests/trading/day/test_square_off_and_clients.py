"""Clients act on their positions and orders around the square-off: the position is flat at the end of the day."""

import random
from decimal import Decimal

import pytest

from tests.support.trading import account_now, cancel, execute, modify, one, order_now, rows
from tests.trading.execution.market import quote
from tests.trading.orders.quotes_account import asked, place
from trading.accounts import administration
from trading.day import conversion, square_off
from trading.orders.closing import close_position
from trading.orders.placement import place_order
from trading.orders.placement_types import FillSettings
from trading.rules.errors import NothingToClose, OrderNotOpen, Refused
from trading.upkeep import verify

D = Decimal
BEFORE, DUE, AFTER_CLOSE = "2026-11-02 15:10", "2026-11-02 15:12", "2026-11-03 00:00:05"


@pytest.fixture(autouse=True)
def ledgers_are_right(clock):
    yield
    assert [violation for violation in verify.verify() if "outlives" not in violation.rule] == []


@pytest.fixture(autouse=True)
def before_the_time(clock, set_up, monkeypatch):
    monkeypatch.setattr(conversion, "settings", square_off.settings)
    clock(BEFORE)
    quote("99.95", "100.00", "99.98")


@pytest.fixture
def trader(clean):
    """Return an account on quotes with 100 shares at 100.00."""
    trader = administration.create_account("Trader", D("100000.00"), fill_model="QUOTES")["id"]
    execute(place(trader, "BUY", 100, price="100.00"))
    return trader


@pytest.fixture
def waiting(trader, clock):
    """Return the closing order, which waits for a quote because the last one is too old."""
    clock(DUE)
    square_off.run_once()
    (waiting,) = closing_orders()
    assert (waiting["status"], waiting["waiting_for"]) == ("OPEN", "quote")
    return waiting


def closing_orders():
    return rows("SELECT * FROM trading_order WHERE origin = 'SQUARE_OFF' ORDER BY placed_at")


def fills():
    return FillSettings(square_off_time=square_off.settings().square_off_time)


@pytest.mark.parametrize("act", [cancel, lambda order: modify(order, quantity=1), lambda order: modify(order)])
def test_a_client_neither_cancels_nor_changes_a_closing_order(waiting, act):
    before = order_now(waiting)
    with pytest.raises(OrderNotOpen) as refusal:
        act(waiting)
    assert refusal.value.details == {"order_status": "OPEN", "origin": "SQUARE_OFF"}
    assert refusal.value.message.startswith("The order closes the position for the square-off")
    assert order_now(waiting) == before


def test_a_client_that_closes_the_position_does_not_cancel_the_closing_order(trader, waiting):
    position_id = one("SELECT id FROM position WHERE account_id = %s", trader)
    with pytest.raises(NothingToClose):
        close_position(trader, position_id, calendar=None, fills=fills(), cancel_open_orders=True)
    assert order_now(waiting) == waiting


class Client:
    """A client that does one thing after the other, allowed or not, and its market."""

    def __init__(self, trader, chance):
        self.trader, self.chance = trader, chance
        self.position_id = one("SELECT id FROM position WHERE account_id = %s", trader)

    def act(self):
        """Do one thing; a refusal is an answer too."""
        acts = [
            self.place,
            self.cancel,
            self.modify,
            self.close,
            self.convert,
            self.look,
            self.quote,
            square_off.run_once,
        ]
        try:
            self.chance.choice(acts)()
        except Refused:
            pass

    def place(self):
        side, market = self.chance.choice(("BUY", "SELL")), self.chance.random() < 0.4
        price = None if market else f"{self.chance.randint(97, 104)}.00"
        request = asked(side, self.chance.randint(1, 150), "MARKET" if market else "LIMIT", price=price)
        place_order(self.trader, request, calendar=None, fills=fills())

    def cancel(self):
        for order in self.live():
            cancel(order)

    def modify(self):
        for order in self.live():
            modify(order, quantity=self.chance.randint(1, 150), fills=fills())

    def close(self):
        cancels = self.chance.random() < 0.5
        close_position(self.trader, self.position_id, calendar=None, fills=fills(), cancel_open_orders=cancels)

    def convert(self):
        conversion.convert_position(self.trader, self.position_id, self.chance.randint(1, 50), calendar=None)

    def look(self):
        execute(*rows("SELECT * FROM trading_order WHERE due_at IS NOT NULL AND status IN ('PENDING', 'OPEN')"))

    def quote(self):
        last = D(self.chance.randint(98, 103))
        quote(str(last - D("0.05")), str(last), str(last), is_halted=self.chance.random() < 0.3)

    def live(self):
        found = rows("SELECT * FROM trading_order WHERE status IN ('PENDING', 'OPEN') ORDER BY id")
        return self.chance.sample(found, min(1, len(found)))


@pytest.mark.parametrize("fill_model", ["QUOTES", "IMMEDIATE"])
@pytest.mark.parametrize("seed", range(8))
def test_whatever_a_client_does_its_position_is_flat_at_the_end_of_the_day(trader, clock, seed, fill_model):
    chance = random.Random(seed)
    administration.change_account(trader, {"fill_model": fill_model})
    client = Client(trader, chance)
    for moment in (BEFORE, DUE, "2026-11-02 15:13", "2026-11-02 15:20"):
        clock(moment)
        for _ in range(8):
            client.act()
    clock(AFTER_CLOSE)
    for _ in range(3):
        square_off.run_once()
    assert one("SELECT count(*) FROM position WHERE product = 'INTRADAY' AND quantity <> 0") == 0
    assert one("SELECT count(*) FROM trading_order WHERE status IN ('PENDING', 'OPEN')") == 0
    assert {order["status"] for order in closing_orders()} <= {"EXECUTED"}
    delivered = one("SELECT coalesce(sum(cost), 0) FROM position WHERE product = 'DELIVERY'")
    assert account_now(trader)["blocked_margin"] == delivered
