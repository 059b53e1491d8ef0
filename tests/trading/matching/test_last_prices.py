"""The short way of last prices does what the long way does."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.sessions import open_market
from tests.support.trading import one, rows, run
from tests.trading.matching.market import given, match_of, now, put, q, rest, stock_now
from trading.market.calendars import import_holidays, import_sessions
from trading.matching import feed
from trading.rules.sessions import INDIAN_TIME, Session

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
CALENDARS = [None, "NSE", "NSE with sessions"]
TIMES = ("last_price_at", "quoted_at")
OWN = ("id", "instrument_token", "created_at", *TIMES)  # of each stock and time


@pytest.fixture
def long_way(monkeypatch):
    """Return a function that makes the feed take the long way from now on."""
    return lambda: monkeypatch.setattr(feed, "store_last_prices", lambda *_: None)


@pytest.mark.parametrize("calendar", CALENDARS)
@pytest.mark.parametrize("state", STATES)
def test_both_ways_store_the_same_with_the_same_outcome(clean, long_way, state, calendar):
    results = []
    if calendar == "NSE with sessions":
        open_market()
        calendar = "NSE"
    for turn in range(2):
        if turn:
            run("DELETE FROM stock")
            long_way()
        put(last_price="100.00")
        run(f"UPDATE stock SET {STATES[state]}")
        reception = put(last_price="90.00", calendar=calendar)
        stock = stock_now()
        stock |= {"took": stock["quoted_at"] == stock["last_price_at"]} | dict.fromkeys(OWN)
        stock["newest_trade_at"] = stock["newest_trade_at"] is None
        results.append((reception, stock))
    assert results[0] == results[1]


@pytest.mark.parametrize("prices", [("90.00", "90.00"), ("90.00", "91.00")])
@pytest.mark.parametrize("calendar", [None, "NSE"])
@pytest.mark.parametrize("state", STATES)
def test_both_ways_record_the_same_trades(clean, long_way, monkeypatch, state, calendar, prices):
    ways = [], []
    for turn, trades in enumerate(ways):
        if turn:
            run("DELETE FROM stock")
            long_way()
        monkeypatch.setattr(feed.recorder, "add", trades.extend)
        put(last_price="90.00", records_candles=True)
        run(f"UPDATE stock SET {STATES[state]}")
        put(*(given(last_price=price) for price in prices), calendar=calendar, records_candles=True)
    short, long = ([one[2:] for one in trades] for trades in ways)
    assert short == long
    assert short[0] == (D("90.00"), 1, None, None)


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
    ("opens_ms", "closes_ms", "kind", "is_holiday", "is_open"),
    [
        (-60_000, 60_000, "REGULAR", False, True),
        (-60_000, 0, "REGULAR", False, False),  # it closed a moment ago
        (60_000, 120_000, "REGULAR", False, False),
        (-60_000, 60_000, "REGULAR", True, False),
        (-60_000, 60_000, "SPECIAL", True, True),
    ],
)
@pytest.mark.parametrize("is_short", [True, False])
def test_both_ways_know_the_sessions(clean, long_way, opens_ms, closes_ms, kind, is_holiday, is_open, is_short):
    if not is_short:
        long_way()
    day = add_session(opens_ms, closes_ms, kind)
    if is_holiday:
        import_holidays([("NSE", day, "Diwali")])
    reception = put(last_price="1.00", calendar="NSE")
    assert [refusal.outcome for refusal in reception.not_matched] == ([] if is_open else ["session_closed"])
    assert stock_now()["is_usable"] is is_open


def add_session(opens_ms, closes_ms, kind):
    """Add a session around the present, as near as its day allows, and return its day."""
    at = one("SELECT market_now()").astimezone(INDIAN_TIME)
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    opens_at, closes_at = (at + timedelta(milliseconds=ms) for ms in (opens_ms, closes_ms))
    opens_at = max(opens_at, midnight)
    closes_at = min(closes_at, midnight + timedelta(days=1, microseconds=-1))
    if opens_at >= closes_at:
        pytest.skip("the Indian day begins or ends now")
    import_sessions("NSE", [Session(at.date(), "NORMAL", opens_at, closes_at, None, kind)])
    return at.date()


def test_a_body_with_one_book_takes_the_long_way_for_its_portion(clean):
    put(q("99.00", "101.00", "100.00"), given("INFY", last_price="10.00"))
    assert rows("SELECT symbol, bid_price, is_usable FROM stock ORDER BY symbol") == [
        {"symbol": "INFY", "bid_price": None, "is_usable": True},
        {"symbol": "TCS", "bid_price": D("99.00"), "is_usable": True},
    ]


def test_a_session_is_judged_by_the_database_and_not_by_the_feeder(clean):
    assert put(last_price="1.00", quoted_at=now(-5), calendar=None).not_matched == []
