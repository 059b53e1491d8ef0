"""Orders that trade on quotes fill at their first look, or rest until a quote matches them."""

import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.sessions import open_market
from tests.support.trading import account_now, execute, ledger_of, order_now, run
from tests.trading.execution.market import events, let_quote_age, now, quote, rest, state
from trading.execution import looks
from trading.execution.executing import Outcome, execute_orders, final_orders
from trading.execution.sweeping import SweepCounts, sweep_once
from trading.market import calendars
from trading.upkeep import verify

D = Decimal
NOTHING_LEFT = {"due_at": None, "retry_at": None, "attempts": 0}


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def columns(order, *names):
    found = order_now(order)
    return {name: found[name] for name in names}


def test_a_limit_that_the_book_reaches_fills_at_the_side_it_meets(trader):
    quote("99.95", "100.00", "99.98")
    order = rest(trader, "BUY", 100, price="105.00")
    assert execute(order) == Outcome(1, 0, 0)
    assert state(order) == ("EXECUTED", D("100.00"))
    assert order_now(order)["fill"]["rule"] == "first_look"
    assert order_now(order)["fill"]["ask"] == "100.00"
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("100.00")), ("CHARGES_REFUND", D("0.21"))]


def test_a_limit_that_the_book_does_not_reach_rests(trader):
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00")
    assert execute(order) == Outcome(0, 0, 0, opened=1)
    assert columns(order, "status", "watch_price", "watch_trigger", "waiting_for", "opened_number") == {
        "status": "OPEN",
        "watch_price": D("100.00"),
        "watch_trigger": None,
        "waiting_for": "price",
        "opened_number": None,
    }
    assert columns(order, *NOTHING_LEFT) == NOTHING_LEFT
    assert events(order) == ["order.pending", "order.open"]
    assert account_now(trader)["blocked_margin"] == order["blocked_margin"]


def test_a_resting_order_is_no_work_for_a_worker(trader):
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00")
    assert sweep_once(limit=50) == SweepCounts(claimed=1, opened=1)
    assert columns(order, *NOTHING_LEFT) == NOTHING_LEFT
    assert sweep_once(limit=50) == SweepCounts()
    assert execute(order) == Outcome(0, 0, 1)
    assert order["id"] not in final_orders


def test_a_quote_that_crosses_a_resting_order_leads_to_a_fill_at_its_limit(trader):
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00")
    execute(order)
    assert quote("96.90", "97.00", "97.00").matched == 1
    assert state(order) == ("OPEN", None)
    assert execute(order) == Outcome(1, 0, 0)
    assert state(order) == ("EXECUTED", D("100.00"))
    assert order_now(order)["fill"]["rule"] == "book"
    assert order["id"] in final_orders
    assert events(order) == ["order.pending", "order.open", "order.executed"]


def test_an_order_without_a_usable_quote_opens_blind_and_then_fills_at_its_first_look(trader):
    quote("209.00", "211.00", "210.00")
    let_quote_age()
    order = rest(trader, "BUY", 10, price="215.00")
    assert execute(order).opened == 1
    assert columns(order, "waiting_for", "opened_number") == {"waiting_for": "quote", "opened_number": 1}
    quote("209.90", "210.10", "210.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("210.10"))
    assert order_now(order)["fill"]["rule"] == "first_look"


def test_a_market_order_waits_for_a_quote_with_its_side(trader):
    quote("110.00", None, "110.00")
    order = rest(trader, "BUY", 10, "MARKET")
    assert execute(order).opened == 1
    assert columns(order, "status", "waiting_for") == {"status": "OPEN", "waiting_for": "quote"}
    quote("109.00", "110.50", "110.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("110.50"))


def test_an_ioc_order_that_does_not_fill_is_cancelled_and_gives_everything_back(trader):
    quote("99.95", "101.00", "100.50")
    before = account_now(trader)
    order = rest(trader, "BUY", 10, price="100.00", validity="IOC")
    assert execute(order) == Outcome(0, 0, 0, cancelled=1)
    assert columns(order, "status", "end_reason") == {"status": "CANCELLED", "end_reason": "ioc"}
    assert account_now(trader)["available_margin"] == before["available_margin"]
    assert order["id"] in final_orders


def test_an_order_past_its_end_expires_instead_of_filling(trader):
    quote("99.95", "100.00", "100.00")
    before = account_now(trader)
    order = rest(trader, "BUY", 10, price="105.00", ends_at=now() - timedelta(seconds=1))
    assert execute(order) == Outcome(0, 0, 0, expired=1)
    assert columns(order, "status", "end_reason") == {"status": "EXPIRED", "end_reason": None}
    assert account_now(trader)["available_margin"] == before["available_margin"]
    assert events(order) == ["order.pending", "order.expired"]


def test_an_order_of_a_stock_that_is_not_active_is_cancelled(trader):
    quote("99.95", "100.00", "100.00")
    order = rest(trader, "BUY", 10, price="105.00")
    run("UPDATE stock SET is_active = false")
    assert execute(order).cancelled == 1
    assert order_now(order)["end_reason"] == "stock_inactive"


def test_a_stop_that_triggers_at_its_look_tells_the_trigger_before_the_fill(trader):
    quote("104.90", "105.10", "105.00")
    order = rest(trader, "BUY", 10, "STOP_MARKET", trigger="105.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("105.10"))
    assert events(order) == ["order.pending", "order.triggered", "order.executed"]
    assert order_now(order)["triggered_at"] is not None


def test_a_stop_limit_that_triggers_at_its_look_and_does_not_fill_tells_the_trigger_and_rests(trader):
    quote("106.50", "107.00", "105.50")
    order = rest(trader, "BUY", 10, "STOP_LIMIT", trigger="105.00", price="106.00")
    assert execute(order).opened == 1
    assert events(order) == ["order.pending", "order.triggered", "order.open"]
    assert columns(order, "watch_price", "watch_trigger") == {"watch_price": D("106.00"), "watch_trigger": None}


def test_the_trigger_of_a_resting_order_is_told_without_a_fill(trader):
    quote("99.00", "100.00", "100.00")
    order = rest(trader, "BUY", 10, "STOP_LIMIT", trigger="105.00", price="106.00")
    assert execute(order).opened == 1
    assert columns(order, "waiting_for", "watch_trigger") == {"waiting_for": "trigger", "watch_trigger": D("105.00")}
    quote("106.50", "107.00", "105.50")
    triggered = order_now(order)
    assert triggered["triggered_at"] is not None
    assert not triggered["trigger_is_told"]
    assert sweep_once(limit=50).claimed == 1
    told = order_now(order)
    assert (told["status"], told["trigger_is_told"], told["watch_price"]) == ("OPEN", True, D("106.00"))
    assert columns(order, *NOTHING_LEFT) == NOTHING_LEFT
    assert events(order) == ["order.pending", "order.open", "order.triggered"]
    quote("104.00", "104.10", "104.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("106.00"))


def test_a_stop_that_is_triggered_and_filled_by_one_quote_tells_the_trigger_before_the_fill(trader):
    quote("99.00", "100.00", "100.00")
    order = rest(trader, "SELL", 10, "STOP_MARKET", trigger="95.00")
    execute(order)
    quote("89.90", "90.00", "90.00")
    execute(order)
    assert state(order) == ("EXECUTED", D("89.90"))
    assert events(order) == ["order.pending", "order.open", "order.triggered", "order.executed"]


def test_what_rests_at_its_first_look_writes_nothing_before_the_second(trader, monkeypatch):
    from trading.execution import executing

    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, "STOP_LIMIT", price="100.00", trigger="100.00")
    before = order_now(order)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(executing, "look_again", die)
    with pytest.raises(KeyboardInterrupt):
        execute_orders([order["id"]])
    assert order_now(order) == before


def test_a_modified_order_is_judged_by_the_second_look(trader):
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00")
    execute(order)
    run("UPDATE trading_order SET price = 99, watch_price = NULL, due_at = market_now()")
    assert sweep_once(limit=50) == SweepCounts(claimed=1, opened=1)
    assert columns(order, "status", "watch_price", "due_at") == {
        "status": "OPEN",
        "watch_price": D("99.00"),
        "due_at": None,
    }
    run("UPDATE trading_order SET price = 101, watch_price = NULL, due_at = market_now()")
    assert execute(order) == Outcome(1, 0, 0)
    assert state(order) == ("EXECUTED", D("101.00"))
    assert order_now(order)["fill"]["rule"] == "first_look"


def test_orders_of_immediate_accounts_fill_beside_those_on_quotes(trader, account):
    from tests.support.trading import buy

    quote("99.95", "101.00", "100.50")
    plain, resting = buy(account().id, 10, "100.00"), rest(trader, "BUY", 10, price="100.00")
    assert execute(plain, resting) == Outcome(1, 0, 0, opened=1)
    assert (state(plain), order_now(plain)["fill"]) == (("EXECUTED", D("100.00")), None)


def test_a_look_while_the_session_is_closed_opens_the_order_blind(trader, with_calendar):
    quote("99.95", "100.00", "99.98")
    order = rest(trader, "BUY", 10, price="105.00")
    assert execute(order) == Outcome(0, 0, 0, opened=1)
    assert order_now(order)["waiting_for"] == "quote"


@pytest.mark.parametrize("session_class", ["NORMAL", "AUCTION"])
def test_a_look_uses_the_session_of_the_stocks_class(trader, with_calendar, session_class):
    quote("99.95", "100.00", "99.98")
    run("UPDATE stock SET session_class = %s", session_class)
    open_market()
    run("DELETE FROM session WHERE class = 'AUCTION'")
    calendars._remembered.clear()
    assert state_after_a_look(trader) == ("EXECUTED" if session_class == "NORMAL" else "OPEN")


def test_a_look_does_not_use_the_quote_of_the_previous_session(trader, with_calendar):
    quote("99.95", "100.00", "99.98")
    open_market()
    let_quote_age(86_400)
    assert state_after_a_look(trader) == "OPEN"
    with_calendar(market_calendar=None)
    assert state_after_a_look(trader) == "EXECUTED"


def state_after_a_look(trader):
    """Return the status of a new order, which the present quote crosses, after its look."""
    order = rest(trader, "BUY", 10, price="105.00")
    execute(order)
    return state(order)[0]


@pytest.fixture
def with_calendar(settings, monkeypatch):
    """Let looks use a calendar, and quotes of any age; return a function that changes these settings."""

    def change(**changes):
        changed = dataclasses.replace(settings, **({"market_calendar": "NSE", "max_quote_age_s": 0} | changes))
        monkeypatch.setattr(looks, "settings", lambda: changed)

    change()
    return change
