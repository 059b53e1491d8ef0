"""Portions of quotes: they commit singly, are tried again, and tell of their matches after their commit."""

import dataclasses
import threading
from datetime import timedelta
from decimal import Decimal

import pytest

from models.database import DatabaseUnavailable
from tests.support.processes import wait_until
from tests.support.sessions import open_market
from tests.support.trading import at_once, one, rows, run
from tests.trading.matching.market import given, match_of, order_of, put, q, rest, stock_now
from trading.market import calendars
from trading.market.calendars import import_sessions
from trading.matching import feed
from trading.matching.feed import MarketRules, receive_quotes
from trading.rules.terms import SessionClass

D = Decimal
RULES = MarketRules(60)


def test_matches_are_told_after_their_commit_and_portion_by_portion(trader, clean, connect):
    symbols = [f"S{number}" for number in range(250)]
    put(*[given(symbol, last_price="100.00") for symbol in symbols])
    for row in rows("SELECT id FROM stock"):
        rest(trader, row["id"], "BUY", "100.00", symbol="S")
    told, seen = [], connect()
    seen.autocommit = True

    def tell(matches):
        with seen.cursor() as cursor:  # another session sees the matches
            cursor.execute("SELECT count(*) FROM trading_order WHERE matched_at IS NOT NULL")
            told.append((len(matches), cursor.fetchone()[0]))
        assert {match.account_id for match in matches} == {trader}

    reception = receive_quotes([q("98.00", "99.00", "99.00", symbol=symbol) for symbol in symbols], RULES, tell=tell)
    assert reception.matched == 250
    assert told == [(200, 200), (50, 250)]


def test_a_portion_that_fails_is_tried_once_more(trader, stock_id, connect, logged):
    order = rest(trader, stock_id, "BUY", "100.00")
    other = connect()
    other.cursor().execute("SELECT FROM stock FOR UPDATE")

    def free():
        wait_until(lambda: any(line["event"] == "quotes_tried_again" for line in logged))
        other.rollback()

    thread = threading.Thread(target=free)
    thread.start()
    assert put(q("98.00", "99.00", "99.00")).matched == 1
    thread.join()
    assert match_of(order) is not None


def test_a_portion_that_fails_twice_leaves_the_portions_before_it(clean, monkeypatch):
    monkeypatch.setattr(feed, "STOCKS_PER_TRANSACTION", 2)
    put(*[given(f"S{number}", last_price="1.00") for number in range(6)])
    usual, calls = feed.lock_stocks, []

    def fail_from_the_third(stock_ids):
        calls.append(len(stock_ids))
        if len(calls) >= 3:
            raise DatabaseUnavailable("away")
        return usual(stock_ids)

    monkeypatch.setattr(feed, "lock_stocks", fail_from_the_third)
    with pytest.raises(DatabaseUnavailable):
        put(*[q("1.00", "3.00", "2.00", symbol=f"S{number}") for number in range(6)])
    assert calls == [2, 2, 2, 2]
    assert one("SELECT count(*) FROM stock WHERE last_price = 2") == 4


def test_quotes_store_what_is_left_of_a_body_that_is_sent_again(clean):
    at = one("SELECT now()")
    quotes = [q("1.00", "3.00", "2.00", symbol=f"S{number}", quoted_at=at) for number in range(3)]
    put(*quotes[:2])
    reception = put(*quotes)
    assert reception.accepted == 1
    assert [refusal.outcome for refusal in reception.not_matched] == ["stale", "stale"]


def test_two_feeders_of_the_same_stocks_lose_no_match_and_never_deadlock(trader, clean, monkeypatch):
    monkeypatch.setattr("models.database.MAX_ATTEMPTS", 1)
    symbols = [f"S{number}" for number in range(30)]
    put(*[given(symbol, last_price="100.00") for symbol in symbols])
    for row in rows("SELECT id, symbol FROM stock"):
        for limit in range(90, 100):
            rest(trader, row["id"], "BUY", f"{limit}.00", symbol=row["symbol"])

    def feed_down(order):
        for price in range(99, 89, -1):
            put(*[q(f"{price - 1}.00", f"{price}.00", f"{price}.00", symbol=symbol) for symbol in order])

    at_once([lambda: feed_down(symbols), lambda: feed_down(symbols[::-1]), lambda: feed_down(symbols)])
    assert one("SELECT count(*) FROM trading_order WHERE matched_at IS NULL") == 0
    assert one("SELECT count(*) FROM trading_order WHERE match_price <> price") == 0
    assert one("SELECT bool_and(quote_number = 31) FROM stock") is True


def test_the_numbers_of_matches_commit_in_their_order(trader, clean):
    symbols = [f"S{number}" for number in range(20)]
    put(*[given(symbol, last_price="100.00") for symbol in symbols])
    ids = {row["symbol"]: row["id"] for row in rows("SELECT id, symbol FROM stock")}
    for symbol in symbols:
        for limit in range(90, 100):
            rest(trader, ids[symbol], "BUY", f"{limit}.00", symbol=symbol)

    def feed_one(symbol):
        for price in range(99, 89, -1):
            put(q(f"{price - 1}.00", f"{price}.00", f"{price}.00", symbol=symbol))

    newest: list[int] = []
    ends = threading.Event()

    def watch():
        while not ends.is_set():
            seen = rows("SELECT match_sequence AS number FROM trading_order WHERE match_sequence IS NOT NULL")
            numbers = {row["number"] for row in seen}
            assert {number for number in first if number not in numbers} == set()
            if newest:
                assert {number for number in numbers - first if number < newest[-1]} == set()
            first.update(numbers)
            newest.append(max(numbers, default=0))

    first: set[int] = set()
    watcher = threading.Thread(target=watch)
    watcher.start()
    at_once([lambda symbol=symbol: feed_one(symbol) for symbol in symbols[:8]])
    ends.set()
    watcher.join()
    assert one("SELECT count(*) FROM trading_order WHERE matched_at IS NULL") == 120


def test_an_inactive_stock_is_active_again_before_its_quote(stock_id):
    run("UPDATE stock SET is_active = false")
    put(q("99.00", "101.00", "100.00"))
    assert stock_now()["is_active"]


def test_a_quote_of_a_closed_market_matches_nothing(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    reception = put(q("98.00", "99.00", "99.00"), calendar="NSE")  # no session is known
    assert [refusal.outcome for refusal in reception.not_matched] == ["session_closed"]
    assert order_of(order)["matched_at"] is None
    open_market()
    assert put(q("98.00", "99.00", "99.00"), calendar="NSE").matched == 1


@pytest.mark.parametrize("session_class", SessionClass)
def test_a_quote_matches_in_the_session_of_its_stocks_class_only(trader, stock_id, session_class):
    run("UPDATE stock SET session_class = 'AUCTION'")
    order = rest(trader, stock_id, "BUY", "100.00")
    open_market()
    run("DELETE FROM session WHERE class <> %s", session_class)
    calendars._remembered.clear()
    is_matched = session_class == "AUCTION"
    assert put(q("98.00", "99.00", "99.00"), calendar="NSE").matched == is_matched
    assert (order_of(order)["matched_at"] is not None) is is_matched


def test_a_quote_from_before_the_opening_is_of_a_closed_session(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    at = one("SELECT market_now()")
    (session,) = [found for found in open_market(days=1) if found.session_class == "NORMAL"]
    if at - session.opens_at < timedelta(seconds=30):
        pytest.skip("the Indian day begins now")
    run("UPDATE stock SET quoted_at = NULL")
    import_sessions("NSE", [dataclasses.replace(session, opens_at=at - timedelta(seconds=10))])
    reception = put(q("98.00", "99.00", "99.00", quoted_at=at - timedelta(seconds=20)), calendar="NSE")
    assert [refusal.outcome for refusal in reception.not_matched] == ["session_closed"]
    assert put(q("98.00", "99.00", "99.00", quoted_at=at - timedelta(seconds=10)), calendar="NSE").matched == 1
    assert order_of(order)["matched_at"] is not None
