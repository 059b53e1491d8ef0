"""The level sweep finds what no quote matched."""

from decimal import Decimal

import pytest
from prometheus_client import REGISTRY

from tests.support.sessions import open_market
from tests.support.trading import one, rows, run
from tests.trading.matching.market import match_of, order_of, put, q, rest
from trading.market import calendars
from trading.matching.feed import MarketRules
from trading.matching.level_sweep import run_once

D = Decimal
RULES = MarketRules(max_age_s=60)


def late():
    """Return the number of late matches that this process has counted."""
    name = "tradepost_matches_found_late_total"
    return sum(sample.value for family in REGISTRY.collect() for sample in family.samples if sample.name == name)


def lose(trader, stock_id, *arguments, **columns):
    """Insert an order that the present quote crosses, as if its quote had missed it."""
    return rest(trader, stock_id, *arguments, **columns)


@pytest.fixture
def quoted(trader, stock_id):
    put(q("99.00", "100.00", "99.50"))
    return stock_id


@pytest.mark.parametrize(
    ("side", "price", "columns", "match"),
    [
        ("BUY", "100.00", {}, ("100.00", "book")),
        ("BUY", "105.00", {}, ("105.00", "book")),
        ("SELL", "99.00", {}, ("99.00", "book")),
        ("BUY", None, {}, ("100.00", "market")),
        ("SELL", None, {"trigger_price": "99.50"}, ("99.00", "stop")),
        ("BUY", None, {"trigger_price": "99.50"}, ("100.00", "stop")),
    ],
)
def test_an_order_that_the_present_quote_crosses_is_matched_and_counted(trader, quoted, side, price, columns, match):
    before = late()
    order = lose(trader, quoted, side, price, **columns)
    (found,) = run_once(RULES)
    assert (found.account_id, found.order_id, found.rule) == (trader, order, match[1])
    assert match_of(order) == (D(match[0]), match[1])
    assert order_of(order)["due_at"] is not None
    assert late() == before + 1
    assert run_once(RULES) == []


@pytest.mark.parametrize(
    ("side", "price", "columns"),
    [
        ("BUY", "99.95", {}),
        ("SELL", "99.05", {}),
        ("SELL", None, {"trigger_price": "99.45"}),
        ("BUY", "100.00", {"expires_at": "2020-01-01T00:00:00Z"}),
        ("BUY", "100.00", {"limit_fills": "through"}),
    ],
)
def test_an_order_that_rests_rightly_stays(trader, quoted, side, price, columns):
    before = late()
    order = lose(trader, quoted, side, price, **columns)
    assert run_once(RULES) == []
    assert match_of(order) is None
    assert late() == before


@pytest.mark.parametrize(
    "change",
    [
        "is_usable = false",
        "is_halted = true",
        "quoted_at = quoted_at - interval '61 s'",
        "ask_price = NULL",
        "upper_circuit = 99, circuit_day = (now() AT TIME ZONE 'Asia/Kolkata')::date",
    ],
)
def test_a_quote_that_may_not_match_now_matches_nothing_late(trader, quoted, change):
    order = lose(trader, quoted, "BUY", "100.00")
    market = lose(trader, quoted, "BUY", None)
    run(f"UPDATE stock SET {change}")
    assert run_once(RULES) == []
    assert match_of(order) is match_of(market) is None


def test_any_age_is_young_without_a_limit(trader, quoted):
    order = lose(trader, quoted, "BUY", "100.00")
    run("UPDATE stock SET quoted_at = quoted_at - interval '1 day'")
    assert len(run_once(MarketRules(max_age_s=0))) == 1
    assert match_of(order) is not None


def test_a_sweep_stays_within_its_limit(trader, quoted):
    put(q("99.00", "100.00", "99.50", symbol="INFY"))
    for stock_id in (quoted, one("SELECT id FROM stock WHERE symbol = 'INFY'")):
        lose(trader, stock_id, "BUY", "100.00")
    assert [len(run_once(RULES, limit=1)) for _ in range(3)] == [1, 1, 0]


def test_a_sweep_of_an_empty_database_does_nothing(clean):
    assert run_once(RULES) == []


def test_a_sweep_knows_the_session_of_each_class(trader, quoted):
    put(q("99.00", "100.00", "99.50", symbol="INFY"))
    run("UPDATE stock SET session_class = 'AUCTION' WHERE symbol = 'INFY'")
    orders = [lose(trader, row["id"], "BUY", "100.00") for row in rows("SELECT id FROM stock ORDER BY symbol")]
    rules = MarketRules(60, "NSE")
    assert run_once(rules) == []  # no session is known
    open_market()
    run("DELETE FROM session WHERE class = 'AUCTION'")
    calendars._remembered.clear()
    assert [match.order_id for match in run_once(rules)] == [orders[1]]


def test_a_quote_from_before_the_opening_matches_nothing_late(trader, quoted):
    lose(trader, quoted, "BUY", "100.00")
    open_market()
    run("UPDATE stock SET quoted_at = quoted_at - interval '1 day'")
    assert run_once(MarketRules(0, "NSE")) == []
    assert len(run_once(MarketRules(0))) == 1
