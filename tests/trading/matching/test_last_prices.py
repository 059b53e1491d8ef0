"""The short way of last prices does what the long way does."""

from datetime import datetime
from decimal import Decimal

import pytest

from tests.support.trading import one, rows, run
from tests.trading.matching.market import given, match_of, now, put, q, rest, stock_now
from trading.matching import feed
from trading.rules.sessions import INDIAN_TIME

D = Decimal
STATES = {
    "new": "is_active = true",
    "with a book": "bid_price = 1, ask_price = 2, bid_quantity = 3, ask_quantity = 4",
    "halted": "is_halted = true",
    "quoted before": "quote_number = 7, usable_number = 5, is_usable = false, quoted_at = now() - interval '1 s'",
    "quoted ahead": "quote_number = 7, usable_number = 5, is_usable = true, quoted_at = now() + interval '2 s'",
    "with trades": "newest_trade_at = now(), largest_volume = 10, volume_day = now()::date",
    "with circuits": "lower_circuit = 1, upper_circuit = 2, circuit_day = now()::date, high_price = 7",
}
CALENDARS = [None, "NSE"]
TIMES = ("last_price_at", "quoted_at")


@pytest.fixture
def long_way(monkeypatch):
    """Return a function that makes the feed take the long way from now on."""
    return lambda: monkeypatch.setattr(feed, "store_last_prices", lambda ids, *_: feed.lock_exclusive(ids))


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("state", STATES)
def test_both_ways_store_the_same_with_the_same_outcome(clean, long_way, state, calendar):
    results = []
    for turn in range(2):
        if turn:
            run("DELETE FROM stock")
            long_way()
        put(last_price="100.00")
        run(f"UPDATE stock SET {STATES[state]}")
        reception = put(last_price="90.00", calendar=calendar)
        stock = stock_now()
        stock |= {"took": stock["quoted_at"] == stock["last_price_at"]} | dict.fromkeys(("id", "created_at", *TIMES))
        stock["newest_trade_at"] = stock["newest_trade_at"] is None
        results.append((reception, stock))
    assert results[0] == results[1]


def test_a_last_price_that_reaches_an_order_takes_the_long_way(trader, clean):
    put(last_price="100.00")
    order = rest(trader, one("SELECT id FROM stock"), "BUY", "90.00")
    assert put(last_price="91.00").matched == 0
    assert put(last_price="90.00").matched == 1
    assert match_of(order) == (D("90.00"), "book")
    assert stock_now()["quote_number"] == 3


def test_a_stop_that_a_last_price_reaches_takes_the_long_way(trader, clean):
    put(last_price="100.00")
    order = rest(trader, one("SELECT id FROM stock"), "SELL", None, trigger_price="95.00")
    put(last_price="95.00")
    assert match_of(order) == (D("95.00"), "stop")


@pytest.mark.parametrize(
    ("local", "is_open"),
    [
        ("2026-11-23T09:14:59", False),
        ("2026-11-23T09:15:00", True),
        ("2026-11-23T15:29:59", True),
        ("2026-11-23T15:30:00", False),
        ("2026-11-22T12:00:00", False),
    ],
)
def test_the_hours_of_a_session_are_half_open(clean, monkeypatch, local, is_open):
    moment = datetime.fromisoformat(local).replace(tzinfo=INDIAN_TIME)
    hours = feed.hours_of(moment, frozenset())
    assert (hours.opens_at is not None and hours.opens_at <= moment < hours.closes_at) is is_open
    assert hours.opens_at is None or hours.opens_at.date() == moment.date()


def test_a_body_with_one_book_takes_the_long_way_for_its_portion(clean):
    put(q("99.00", "101.00", "100.00"), given("INFY", last_price="10.00"))
    assert rows("SELECT symbol, bid_price, is_usable FROM stock ORDER BY symbol") == [
        {"symbol": "INFY", "bid_price": None, "is_usable": True},
        {"symbol": "TCS", "bid_price": D("99.00"), "is_usable": True},
    ]


def test_a_session_is_judged_by_the_database_and_not_by_the_feeder(clean):
    assert put(last_price="1.00", quoted_at=now(-5), calendar=None).not_matched == []
