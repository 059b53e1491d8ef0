"""Each quote, sane or absurd, is stored or left out as the market's rules say, and the absurd ones never match."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.trading import one, run
from tests.trading.matching.market import given, match_of, now, order_of, put, q, rest, stock_now
from trading.market.quotes import Moment, NotStored, take
from trading.rules.quotes import QuoteOutcome
from trading.rules.sessions import INDIAN_TIME

D = Decimal


def outcomes(reception):
    return [refusal.outcome for refusal in reception.not_matched]


@pytest.fixture
def stock_id(clean):
    put(last_price="100.00")
    return one("SELECT id FROM stock")


def test_a_quote_is_stored_whole(clean):
    traded, quoted = now(-2), now(-1)
    values = {
        "last_price": "100.00",
        "bid_price": "99.95",
        "ask_price": "100.05",
        "bid_quantity": 10,
        "ask_quantity": 20,
        "open_price": "98.00",
        "high_price": "101.00",
        "low_price": "97.00",
        "previous_close": "97.50",
        "close_price": "99.00",
        "lower_circuit": "80.00",
        "upper_circuit": "120.00",
    }
    reception = put(quoted_at=quoted, last_traded_at=traded, volume=500, is_halted=False, **values)
    assert (reception.accepted, reception.matched, reception.not_matched) == (1, 0, [])
    stock = stock_now()
    assert {name: stock[name] for name in values} == {
        name: D(value) if isinstance(value, str) else value for name, value in values.items()
    }
    assert (stock["quoted_at"], stock["last_price_at"], stock["newest_trade_at"]) == (quoted, quoted, traded)
    assert (stock["quote_number"], stock["usable_number"], stock["is_usable"]) == (1, 1, True)
    assert (stock["largest_volume"], stock["is_halted"]) == (500, False)
    assert stock["circuit_day"] == stock["volume_day"] == quoted.astimezone(INDIAN_TIME).date()


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ({"bid_price": "101.00", "ask_price": "100.00"}, "crossed_book"),
        ({"last_price": "1047.60", "low_price": "1262.00", "high_price": "1345.00"}, "out_of_day_range"),
        ({"last_price": "99.00", "high_price": "98.00"}, "out_of_day_range"),
        ({"last_price": "99.00", "low_price": "100.00"}, "out_of_day_range"),
        ({"last_price": "99.00", "is_halted": True}, "halted"),
        ({"bid_price": "101.00", "ask_price": "100.00", "is_halted": True}, "halted"),
        ({"bid_price": "101.00", "ask_price": "90.00", "last_price": "99.00", "low_price": "100.00"}, "crossed_book"),
    ],
)
def test_an_absurd_quote_is_stored_and_matches_nothing(trader, stock_id, values, outcome):
    order = rest(trader, stock_id, "BUY", "200.00")
    market = rest(trader, stock_id, "BUY", None)
    stop = rest(trader, stock_id, "SELL", None, trigger_price="5000.00")
    before = stock_now()
    reception = put(**values)
    assert (reception.accepted, reception.matched, outcomes(reception)) == (1, 0, [outcome])
    stock = stock_now()
    assert stock["quote_number"] == before["quote_number"] + 1
    assert stock["usable_number"] == before["usable_number"]
    assert stock["is_usable"] is False
    assert match_of(order) is match_of(market) is match_of(stop) is None
    assert order_of(stop)["triggered_at"] is None


def test_an_old_quote_is_too_old_unless_any_age_is_allowed(trader, clean):
    assert outcomes(put(last_price="100.00", quoted_at=now(-61))) == ["too_old"]
    assert outcomes(put(last_price="101.00", quoted_at=now(-59))) == []
    assert outcomes(put(given("INFY", last_price="1.00", quoted_at=now(-4000)), max_age_s=0)) == []


def test_an_older_quote_changes_nothing(stock_id):
    put(q("99.00", "101.00", "100.00"))
    before = stock_now()
    reception = put(q("89.00", "91.00", "90.00", quoted_at=before["quoted_at"] - timedelta(microseconds=1)))
    assert (reception.accepted, outcomes(reception)) == (0, ["stale"])
    assert stock_now() == before


def test_a_quote_of_the_same_time_is_taken_unless_it_is_the_same(stock_id):
    at = now(0.5)
    same = q("99.00", "101.00", "100.00", quoted_at=at, volume=10, last_traded_at=now(-1), high_price="105.00")
    assert put(same).accepted == 1
    before = stock_now()
    assert outcomes(put(same)) == ["stale"]
    assert stock_now() == before
    assert put(same._replace(bid_price=D("99.05"))).accepted == 1
    assert put(same._replace(bid_price=D("99.05"), volume=11)).accepted == 1
    assert put(same._replace(bid_price=D("99.05"), volume=11, is_halted=True)).accepted == 1
    assert stock_now()["quote_number"] == before["quote_number"] + 3


def test_a_quote_from_more_than_two_seconds_ahead_changes_nothing(stock_id):
    before = stock_now()
    assert outcomes(put(last_price="90.00", quoted_at=now(3))) == ["future"]
    assert stock_now() == before
    assert put(last_price="90.00", quoted_at=now(1)).accepted == 1


def test_a_quote_without_a_last_price_needs_a_stored_one(clean):
    reception = put(q("99.00", "101.00"))
    assert (reception.accepted, outcomes(reception)) == (0, ["no_last_price"])
    assert stock_now()["quote_number"] == 0
    put(last_price="100.00")
    at = stock_now()["last_price_at"]
    assert put(q("89.00", "91.00")).accepted == 1
    stock = stock_now()
    assert (stock["last_price"], stock["last_price_at"], stock["bid_price"]) == (D("100.00"), at, D("89.00"))


def test_a_quote_without_a_last_price_brings_no_trade(trader, stock_id):
    put(q("99.00", "101.00", "90.00"))
    order = rest(trader, stock_id, "BUY", "95.00")
    put(q("99.00", "101.00", volume=100, last_traded_at=now(-1)))
    assert match_of(order) is None


def test_an_absent_book_leaves_no_old_one_and_all_else_stays(stock_id):
    put(q("99.00", "101.00", "100.00", bid_quantity=5, ask_quantity=6, high_price="105.00", previous_close="98.00"))
    put(last_price="100.50")
    stock = stock_now()
    assert [stock[name] for name in ("bid_price", "ask_price", "bid_quantity", "ask_quantity")] == [None] * 4
    assert (stock["high_price"], stock["previous_close"]) == (D("105.00"), D("98.00"))


def test_a_halt_holds_until_a_quote_ends_it(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    put(last_price="100.00", is_halted=True)
    assert outcomes(put(last_price="99.00")) == ["halted"]
    assert outcomes(put(q("98.00", "99.00", "99.00"))) == ["halted"]
    assert match_of(order) is None
    assert put(q("98.00", "99.00", "99.00", is_halted=False)).matched == 1


def test_the_volume_of_a_day_only_grows(stock_id):
    put(last_price="100.00", volume=500)
    put(last_price="100.00", volume=400)
    assert stock_now()["largest_volume"] == 500
    put(last_price="100.00", volume=501)
    assert stock_now()["largest_volume"] == 501


def test_a_smaller_volume_brings_no_trade_and_a_larger_one_does(trader, stock_id):
    put(q("99.00", "101.00", "100.00", volume=500))
    order = rest(trader, stock_id, "BUY", "98.00")
    assert put(q("97.00", "101.00", "97.00", volume=499)).matched == 0
    assert put(q("97.00", "101.00", "97.50", volume=500)).matched == 0
    assert put(q("97.00", "101.00", "97.50", volume=501)).matched == 1
    assert match_of(order) == (D("98.00"), "trade_through")


def test_an_unusable_quote_moves_neither_volume_nor_trade(stock_id):
    put(last_price="100.00", volume=500, last_traded_at=now(-30))
    before = stock_now()
    put(q("102.00", "101.00", "100.00", volume=900, last_traded_at=now(-1)))
    stock = stock_now()
    assert [stock[name] for name in ("largest_volume", "newest_trade_at")] == [500, before["newest_trade_at"]]


@pytest.mark.parametrize(("yesterday", "is_matched"), [(False, False), (True, True)])
def test_circuits_hold_for_their_day_only(trader, stock_id, yesterday, is_matched):
    put(q("99.00", "101.00", "100.00", upper_circuit="100.00"))
    if yesterday:
        run("UPDATE stock SET circuit_day = circuit_day - 1")
    order = rest(trader, stock_id, "BUY", "105.00")
    put(q("99.00", "101.00", "100.00"))
    assert (match_of(order) is not None) is is_matched


def test_one_new_circuit_leaves_none_of_an_earlier_day(stock_id):
    put(last_price="100.00", lower_circuit="90.00", upper_circuit="110.00")
    run("UPDATE stock SET circuit_day = circuit_day - 1")
    put(last_price="100.00", upper_circuit="112.00")
    stock = stock_now()
    assert (stock["lower_circuit"], stock["upper_circuit"]) == (None, D("112.00"))
    put(last_price="100.00", lower_circuit="91.00")
    assert (stock_now()["lower_circuit"], stock_now()["upper_circuit"]) == (D("91.00"), D("112.00"))


def test_quotes_of_one_stock_are_taken_in_their_order_the_last_ten_of_them(clean):
    put(*[given(last_price=f"{number}.00") for number in range(1, 13)])
    stock = stock_now()
    assert (stock["last_price"], stock["quote_number"]) == (D("12.00"), 10)


def test_outcomes_come_in_the_order_of_the_quotes(clean):
    bad = [q("2.00", "1.00", "1.50", symbol=symbol) for symbol in ("ZZ", "AA", "MM")]
    good = given("BB", last_price="1.00")
    reception = put(bad[0], good, bad[1], bad[2], q("1.00", "2.00", symbol="NO"))
    assert [(refusal.symbol, refusal.outcome) for refusal in reception.not_matched] == [
        ("ZZ", "crossed_book"),
        ("AA", "crossed_book"),
        ("MM", "crossed_book"),
        ("NO", "no_last_price"),
    ]
    assert reception.accepted == 4


OPEN = datetime(2026, 11, 23, 5, tzinfo=UTC)  # Monday, 10:30 in India
STOCK = {"quote_number": 1, "usable_number": 1, "last_price": D("100.00"), "quoted_at": None, "is_halted": False}
STOCK |= dict.fromkeys(("newest_trade_at", "largest_volume", "volume_day", "circuit_day", "tick_size", "id"))
STOCK |= dict.fromkeys(("lower_circuit", "upper_circuit"))


@pytest.mark.parametrize(
    ("minutes_ago", "is_open", "outcome"),
    [(0, True, None), (76, True, QuoteOutcome.SESSION_CLOSED), (0, False, QuoteOutcome.SESSION_CLOSED)],
)
def test_a_quote_is_usable_in_its_own_session_only(minutes_ago, is_open, outcome):
    opened = datetime(2026, 11, 23, 9, 15, tzinfo=INDIAN_TIME)
    at = Moment(OPEN, is_open, opened)
    taken = take(STOCK, given(last_price="99.00", quoted_at=OPEN - timedelta(minutes=minutes_ago)), at)
    assert not isinstance(taken, NotStored)
    assert (taken.outcome, taken.columns["is_usable"]) == (outcome, outcome is None)


def test_the_day_of_a_quote_is_the_indian_one():
    late = datetime(2026, 11, 23, 19, tzinfo=UTC)  # 00:30 on the next day in India
    taken = take(STOCK, given(last_price="99.00", volume=1, lower_circuit="9.00"), Moment(late))
    assert taken.columns["volume_day"] == taken.columns["circuit_day"] == date(2026, 11, 24)
