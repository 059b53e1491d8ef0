"""A square-off beside quotes of its stocks: what the market has matched before is neither ended nor matched again."""

from decimal import Decimal

import pytest

from tests.support.processes import wait_until
from tests.support.trading import at_once, execute, one, order_now, rows
from tests.trading.execution.market import quote, rest, state
from trading.accounts import administration
from trading.day.close_prices import match_at_close
from trading.day.ending import end_orders_for
from trading.execution.second_look import OrderAndStock
from trading.market.clock import market_time
from trading.matching.buckets import BUCKET_LOCKS, bucket_of
from trading.rules.sessions import INDIAN_TIME
from trading.rules.square_off import last_square_off_without_calendar
from trading.rules.terms import EndReason

MATCH = """
UPDATE trading_order SET match_sequence = 1, match_class = 1, match_price = 99, matched_at = now(), due_at = now(),
    fill = '{"rule": "book", "bid": "98.00", "ask": "99.00", "last": "99.00"}'
WHERE id = %s
"""


@pytest.fixture
def resting(clean):
    """Return an order that rests."""
    trader = administration.create_account("Quotes", Decimal("100000.00"), fill_model="QUOTES")["id"]
    quote("100.00", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="99.00")
    assert execute(order).opened == 1
    return order


@pytest.fixture
def beside_a_quote(connect, resting):
    """Return a function that does something while a quote that matches the order is about to commit."""
    feeder = connect()
    feeder.cursor().execute("SELECT pg_advisory_xact_lock(%s, %s)", (BUCKET_LOCKS, bucket_of(resting["stock_id"])))

    def match():
        waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: rows(waiting), what="the square-off waits for the bucket")
        feeder.cursor().execute(MATCH, (str(resting["id"]),))
        feeder.commit()

    return lambda action: at_once([action, match])[0]


def test_an_order_that_a_quote_is_matching_is_not_ended(resting, beside_a_quote):
    wanted = [OrderAndStock(resting["id"], resting["stock_id"])]
    assert beside_a_quote(lambda: end_orders_for(EndReason.SQUARE_OFF, wanted)) == 0
    execute(resting)
    assert state(resting) == ("EXECUTED", Decimal("99.00"))


def test_a_closing_order_that_a_quote_is_matching_is_not_matched_at_the_close(resting, beside_a_quote, cleaner):
    with cleaner.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica; UPDATE trading_order SET origin = 'SQUARE_OFF'")
        cursor.execute("RESET session_replication_role")
    now = market_time()
    of = last_square_off_without_calendar(now, "NORMAL", now.astimezone(INDIAN_TIME).time())
    assert beside_a_quote(lambda: match_at_close(of, [OrderAndStock(resting["id"], resting["stock_id"])])) == []
    assert order_now(resting)["match_price"] == Decimal("99.00")


def test_what_no_quote_has_matched_is_ended_once(resting):
    wanted = [OrderAndStock(resting["id"], resting["stock_id"])]
    assert [end_orders_for(EndReason.SQUARE_OFF, wanted) for _ in range(2)] == [1, 0]
    assert one("SELECT blocked_margin FROM account") == 0
