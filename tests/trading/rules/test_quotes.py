"""A quote's sides, its usability, its new trade and its evidence."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from tests.trading.rules.market_values import decimal, quote
from trading.rules.quotes import QuoteOutcome, brings_new_trade, is_usable_now, outcome_of, quote_of_stock
from trading.rules.sessions import TradingDays, default_sessions
from trading.rules.terms import FillRule

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
DAY = date(2026, 11, 23)


@pytest.mark.parametrize(
    ("text", "eff_bid", "eff_ask"),
    [
        ("99.95/100.00/99.98", "99.95", "100.00"),
        ("none/none/99.98", "99.98", "99.98"),
        ("110.00/none/110.00", "110.00", None),
        ("none/90.00/90.00", None, "90.00"),
        ("none/none/none", None, None),
    ],
)
def test_the_last_price_stands_in_for_both_sides_or_for_none(text, eff_bid, eff_ask):
    assert (quote(text).eff_bid, quote(text).eff_ask) == (decimal(eff_bid), decimal(eff_ask))


def outcome(**changes):
    facts = {"bid": "99.00", "ask": "101.00", "last": "100.00", "low": None, "high": None} | changes
    prices = {name: decimal(facts.pop(name)) for name in ("bid", "ask", "last", "low", "high")}
    return outcome_of(**{"is_halted": False, "quoted_at": NOW, "now": NOW, "max_age_s": 60} | prices | facts)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, None),
        ({"session_is_open": False}, "session_closed"),
        ({"session_opened_at": NOW + timedelta(microseconds=1)}, "session_closed"),
        ({"session_opened_at": NOW}, None),
        ({"is_halted": True}, "halted"),
        ({"bid": "101.01"}, "crossed_book"),
        ({"bid": "101.00"}, None),
        ({"bid": "101.01", "ask": None}, None),
        ({"low": "100.01"}, "out_of_day_range"),
        ({"high": "99.99"}, "out_of_day_range"),
        ({"low": "100.00", "high": "100.00"}, None),
        ({"last": None, "low": "100.01"}, None),
        ({"quoted_at": NOW - timedelta(seconds=60)}, None),
        ({"quoted_at": NOW - timedelta(seconds=60, microseconds=1)}, "too_old"),
        ({"quoted_at": NOW - timedelta(days=1), "max_age_s": 0}, None),
    ],
)
def test_a_quote_is_usable_or_has_its_outcome(changes, expected):
    assert outcome(**changes) == expected


def test_the_first_reason_of_several_is_told():
    long_ago = NOW - timedelta(days=365)
    bad = {"session_is_open": False, "is_halted": True, "bid": "102.00", "low": "101.00", "quoted_at": long_ago}
    found = []
    for fault, cure in [
        ("session_is_open", True),
        ("is_halted", False),
        ("bid", "99.00"),
        ("low", None),
        ("quoted_at", NOW),
    ]:
        found.append(outcome(**bad))
        bad[fault] = cure
    assert found == list(QuoteOutcome)
    assert outcome(**bad) is None


def trade(last="100.00", **changes):
    facts = {
        "previous_last": Decimal("100.00"),
        "traded_at": None,
        "newest_trade_at": None,
        "volume": None,
        "largest_volume": None,
    }
    return brings_new_trade(last=decimal(last), **facts | changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"traded_at": NOW}, True),  # a first time
        ({"traded_at": NOW, "newest_trade_at": NOW}, False),
        ({"traded_at": NOW, "newest_trade_at": NOW - timedelta(microseconds=1)}, True),
        ({"traded_at": NOW, "newest_trade_at": NOW, "last": "99.00"}, False),  # old news, although the price differs
        ({"volume": 1}, True),  # a first volume
        ({"volume": 0}, False),  # nothing was traded yet
        ({"volume": 500, "largest_volume": 500}, False),
        ({"volume": 501, "largest_volume": 500}, True),
        ({"volume": 499, "largest_volume": 500, "last": "99.00"}, False),
        ({"volume": 501, "largest_volume": 500, "traded_at": NOW, "newest_trade_at": NOW}, True),
        ({"volume": 3, "largest_volume": 500, "is_volume_of_today": False}, True),
        ({"volume": 0, "largest_volume": 500, "is_volume_of_today": False}, False),
        ({"last": "99.99"}, True),
        ({"last": "100.00"}, False),
        ({"previous_last": None}, True),
        ({"last": "99.99", "newest_trade_at": NOW}, False),  # a feed that once gave times
        ({"last": "99.99", "largest_volume": 500}, False),
        ({"last": None}, False),
        ({"last": None, "traded_at": NOW, "volume": 7}, False),
    ],
)
def test_a_quote_brings_a_new_trade_or_repeats_an_old_one(changes, expected):
    assert trade(**changes) is expected


def test_the_evidence_has_prices_as_texts_and_the_time_in_utc():
    indian = datetime(2026, 11, 23, 9, 30, 0, 250, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    found = quote("99.9/none/100", number=7, quoted_at=indian).evidence(FillRule.BOOK)
    assert found == {
        "quoteNumber": 7,
        "bid": "99.90",
        "ask": None,
        "last": "100.00",
        "quotedAt": "2026-11-23T04:00:00.000250Z",
        "rule": "book",
    }
    assert type(found["rule"]) is str


def test_the_evidence_of_a_price_without_a_time_has_none():
    assert quote("none/none/100", quoted_at=None).evidence(FillRule.CLOSE_PRICE)["quotedAt"] is None


STOCK = {
    "quote_number": 12,
    "usable_number": 12,
    "bid_price": Decimal("99.00"),
    "ask_price": Decimal("101.00"),
    "last_price": Decimal("100.00"),
    "quoted_at": NOW,
    "is_usable": True,
    "is_halted": False,
    "lower_circuit": Decimal("90.00"),
    "upper_circuit": Decimal("110.00"),
    "circuit_day": DAY,
    "tick_size": Decimal("0.05"),
}


def test_a_stored_quote_brings_no_new_trade():
    found = quote_of_stock(STOCK, is_usable=True, day=DAY)
    assert (found.number, found.usable_number, found.is_usable, found.new_trade) == (12, 12, True, None)
    assert (found.bid, found.ask, found.last) == (Decimal("99.00"), Decimal("101.00"), Decimal("100.00"))
    assert (found.quoted_at, found.tick_size) == (NOW, Decimal("0.05"))


@pytest.mark.parametrize("day", [DAY + timedelta(days=1), None])
def test_circuits_hold_on_their_day_only(day):
    today = quote_of_stock(STOCK, is_usable=True, day=DAY)
    assert (today.lower_circuit, today.upper_circuit) == (Decimal("90.00"), Decimal("110.00"))
    later = quote_of_stock(STOCK, is_usable=True, day=day)
    assert (later.lower_circuit, later.upper_circuit) == (None, None)


@pytest.mark.parametrize(
    ("changes", "now", "max_age_s", "expected"),
    [
        ({}, NOW + timedelta(seconds=60), 60, True),
        ({}, NOW + timedelta(seconds=60, microseconds=1), 60, False),
        ({}, NOW + timedelta(days=1), 0, True),
        ({"is_usable": False}, NOW, 60, False),
        ({"is_halted": True}, NOW, 60, False),
        ({"quoted_at": None}, NOW, 0, False),
    ],
)
def test_a_stored_quote_is_usable_while_it_is_young_and_the_stock_trades(changes, now, max_age_s, expected):
    assert is_usable_now(STOCK | changes, now=now, max_age_s=max_age_s) is expected


OPENED = datetime(2026, 11, 23, 3, 45, tzinfo=UTC)  # 09:15 in India


@pytest.mark.parametrize(
    ("quoted_at", "now", "session_class", "expected"),
    [
        (OPENED, OPENED, "NORMAL", True),
        (OPENED - timedelta(microseconds=1), OPENED, "NORMAL", False),  # of the previous session
        (OPENED - timedelta(days=3), OPENED + timedelta(hours=1), "NORMAL", False),
        (NOW, OPENED + timedelta(hours=6), "NORMAL", True),  # 15:15
        (NOW, OPENED + timedelta(hours=6), "AUCTION", False),
        (NOW, OPENED + timedelta(hours=6, minutes=15), "NORMAL", False),
        (NOW, OPENED - timedelta(microseconds=1), "NORMAL", False),
    ],
)
def test_a_stored_quote_is_usable_in_its_own_session_only(quoted_at, now, session_class, expected):
    days = TradingDays(default_sessions(date(2026, 11, 16), date(2026, 11, 27), ()))
    stock = STOCK | {"quoted_at": quoted_at, "session_class": session_class}
    assert is_usable_now(stock, now=now, max_age_s=0, days=days) is expected
    assert is_usable_now(stock, now=now, max_age_s=0) is True
