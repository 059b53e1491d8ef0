"""Orders end with the session of their class; so does a triggered stop that waits for a quote, of any validity."""

import dataclasses
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tests.support.trading import account_now, execute, order_now, run
from tests.trading.execution.market import events, state
from tests.trading.orders.quotes_account import asked, trade_on_quotes
from trading.execution import expiry, looks
from trading.market.calendars import make_sessions
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, receive_quotes
from trading.orders.placement import place_order
from trading.rules.sessions import INDIAN_TIME
from trading.upkeep import verify

RULES = MarketRules(max_age_s=60, calendar="NSE")
STOP = {"order_type": "STOP_MARKET", "trigger_price": "105.00", "validity": "GTC"}
CLOSE = datetime(2026, 11, 2, 15, 30, tzinfo=INDIAN_TIME)


@pytest.fixture(autouse=True)
def market(clock: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let it be the noon of a session, with a quote."""
    make_sessions("NSE", date(2026, 11, 2), date(2026, 11, 4))
    monkeypatch.setattr(looks, "settings", lambda: dataclasses.replace(settings, market_calendar="NSE"))
    clock("2026-11-02 12:00")
    quote("99.95", "100.00", "99.98")
    yield
    assert verify.verify() == []


@pytest.fixture
def trader(account: Any) -> UUID:
    """Return an account that trades on quotes."""
    return trade_on_quotes(account().id)


def quote(bid: str | None, ask: str | None, last: str, rules: MarketRules = RULES) -> int:
    """Set the stock's quote and return the number of orders that it matches."""
    prices = [None if price is None else Decimal(price) for price in (last, bid, ask)]
    given = GivenQuote("NSE", "RELIANCE", prices[0], bid_price=prices[1], ask_price=prices[2])
    return receive_quotes([given], rules).matched


def place(account_id: UUID, side: str = "BUY", calendar: str | None = "NSE", **terms: Any) -> Any:
    """Place an order of 10 and return its row."""
    return place_order(account_id, asked(side, 10, **terms), calendar=calendar).order


@pytest.mark.parametrize(("session_class", "closes"), [("NORMAL", "15:30"), ("AUCTION", "15:15")])
def test_an_order_expires_at_the_close_of_its_class_and_not_before(
    trader: UUID, clock: Any, session_class: str, closes: str
) -> None:
    run("UPDATE stock SET session_class = %s", session_class)
    before = account_now(trader)
    orders = [
        place(trader, price="90.00"),
        place(trader, price="90.00", validity="TTL", validity_minutes=1_440),
        place(trader, price="90.00", validity="GTC"),
    ]
    assert execute(*orders).opened == 3
    close = datetime.combine(date(2026, 11, 2), time.fromisoformat(closes), INDIAN_TIME)
    assert [order["expires_at"] for order in orders] == [close, close, None]
    clock(f"2026-11-02 {int(closes[:2])}:{int(closes[3:]) - 1}:58")
    assert expiry.run_once(10).expired == 0
    clock(f"2026-11-02 {closes}")
    assert expiry.run_once(10).expired == 2
    assert [order_now(order)["status"] for order in orders] == ["EXPIRED", "EXPIRED", "OPEN"]
    left = orders[2]
    assert account_now(trader)["balance"] == before["balance"] - left["charges"]
    assert account_now(trader)["blocked_margin"] == left["blocked_margin"]


def test_an_order_that_was_matched_before_the_close_fills_after_it(trader: UUID, clock: Any) -> None:
    order = place(trader, price="99.00")
    execute(order)
    clock("2026-11-02 15:29:59")
    assert quote("98.00", "98.50", "98.20") == 1
    clock("2026-11-02 15:30")
    assert expiry.run_once(10).expired == 0
    assert execute(order).executed == 1
    assert state(order) == ("EXECUTED", Decimal("99.00"))


def test_a_stop_that_a_quote_triggers_without_its_side_ends_with_the_session(trader: UUID, clock: Any) -> None:
    order = place(trader, **STOP)
    assert execute(order).opened == 1
    assert order_now(order)["expires_at"] is None
    assert quote("110.00", None, "110.00") == 0
    now = order_now(order)
    assert (now["waiting_for"], now["expires_at"]) == ("quote", CLOSE)
    assert now["triggered_at"] is not None
    clock("2026-11-02 15:30")
    assert expiry.run_once(10).expired == 1
    assert events(order) == ["order.pending", "order.open", "order.triggered", "order.expired"]


def test_a_stop_that_is_triggered_at_its_look_without_its_side_ends_with_the_session(trader: UUID) -> None:
    order = place(trader, **STOP)
    quote("110.00", None, "110.00")
    assert execute(order).opened == 1
    now = order_now(order)
    assert (now["waiting_for"], now["expires_at"], now["triggered_at"] is None) == ("quote", CLOSE, False)


def test_a_stop_that_waits_for_its_trigger_or_its_protection_keeps_its_end(trader: UUID) -> None:
    waiting, protected = place(trader, **STOP), place(trader, **STOP, market_protection="1.00")
    execute(waiting, protected)
    quote("104.00", "104.10", "104.05")
    assert order_now(waiting)["expires_at"] is None
    quote("109.00", "110.00", "110.00")
    assert (order_now(protected)["waiting_for"], order_now(protected)["expires_at"]) == ("price", None)


def test_without_a_calendar_such_a_stop_ends_at_midnight(
    trader: UUID, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "settings", lambda: settings)
    order = place(trader, calendar=None, **STOP)
    execute(order)
    quote("110.00", None, "110.00", MarketRules(max_age_s=60))
    assert order_now(order)["expires_at"] == datetime(2026, 11, 3, tzinfo=INDIAN_TIME)
