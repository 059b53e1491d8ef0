"""Orders expire once their time is over, unless the market has matched them before."""

from datetime import timedelta
from decimal import Decimal

import pytest

from tests.support.processes import wait_until
from tests.support.trading import account_now, at_once, execute, one, order_now, rows, run
from tests.trading.execution.market import events, now, quote, rest, state
from trading.execution.expiry import ExpiryCounts, run_once
from trading.matching.buckets import BUCKET_LOCKS, bucket_of
from trading.upkeep import verify

D = Decimal
OVER = "UPDATE trading_order SET expires_at = market_now() - interval '1 s' WHERE id = %s"


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def resting(trader):
    """Return an order that rests and has a day to go."""
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00", ends_at=now() + timedelta(days=1))
    assert execute(order).opened == 1
    return order


def test_an_expired_order_gives_its_margin_and_charges_back(trader):
    before = account_now(trader)
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00", ends_at=now() + timedelta(days=1))
    execute(order)
    run(OVER, order["id"])
    assert run_once(50) == ExpiryCounts(expired=1)
    assert state(order) == ("EXPIRED", None)
    assert order_now(order)["waiting_for"] is None
    assert events(order) == ["order.pending", "order.open", "order.expired"]
    for name in ("balance", "blocked_margin", "available_margin"):
        assert account_now(trader)[name] == before[name]


def test_an_order_that_has_time_left_or_no_end_stays(trader, resting):
    endless = rest(trader, "BUY", 10, price="100.00", validity="GTC")
    execute(endless)
    assert run_once(50) == ExpiryCounts()
    assert [state(order)[0] for order in (resting, endless)] == ["OPEN", "OPEN"]


def test_an_expiry_on_an_empty_database_does_nothing(clean):
    assert run_once(50) == ExpiryCounts()


def test_an_order_expires_once(resting):
    run(OVER, resting["id"])
    assert [run_once(50), run_once(50)] == [ExpiryCounts(expired=1), ExpiryCounts()]


def test_an_order_that_was_matched_before_its_end_fills_after_it(resting):
    quote("96.90", "97.00", "97.00")
    run(OVER, resting["id"])
    assert run_once(50) == ExpiryCounts()
    execute(resting)
    assert state(resting) == ("EXECUTED", D("100.00"))


def test_a_pending_order_expires_too(trader):
    quote("99.95", "101.00", "100.50")
    order = rest(trader, "BUY", 10, price="100.00", ends_at=now() - timedelta(seconds=1))
    assert run_once(50) == ExpiryCounts(expired=1)
    assert state(order)[0] == "EXPIRED"


def test_a_locked_account_does_not_hold_up_the_others(trader, account, resting, connect):
    other = rest(account().id, "BUY", 10, price="100.00", ends_at=now() - timedelta(seconds=1))
    run("UPDATE trading_order SET expires_at = market_now() - interval '1 minute' WHERE id = %s", resting["id"])
    holder = connect()
    holder.cursor().execute("SELECT FROM account WHERE id = %s FOR NO KEY UPDATE", (str(trader),))
    assert run_once(1) == ExpiryCounts(expired=1, busy=1)
    assert [state(order)[0] for order in (resting, other)] == ["OPEN", "EXPIRED"]
    holder.rollback()
    assert run_once(50) == ExpiryCounts(expired=1)


def test_a_locked_order_is_left_to_the_next_run(resting, connect):
    run(OVER, resting["id"])
    holder = connect()
    holder.cursor().execute("SELECT FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(resting["id"]),))
    assert run_once(50) == ExpiryCounts(busy=1)
    holder.rollback()
    assert run_once(50) == ExpiryCounts(expired=1)


def test_a_trigger_that_was_not_told_is_told_before_the_end(trader):
    quote("99.00", "100.00", "100.00")
    order = rest(trader, "BUY", 10, "STOP_LIMIT", trigger="105.00", price="106.00", ends_at=now() + timedelta(days=1))
    execute(order)
    quote("106.50", "107.00", "105.50")
    run(OVER, order["id"])
    run_once(50)
    assert events(order) == ["order.pending", "order.open", "order.triggered", "order.expired"]


def test_expiry_waits_for_a_quote_that_holds_the_bucket_and_finds_its_match(resting, connect):
    """A quote that came before the end, and commits after it, has matched the order."""
    run(OVER, resting["id"])
    feeder = connect()
    feeder.cursor().execute("SELECT pg_advisory_xact_lock(%s, %s)", (BUCKET_LOCKS, bucket_of(resting["stock_id"])))

    def match():
        wait_until(
            lambda: rows("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"),
            what="expiry waits for the bucket",
        )
        feeder.cursor().execute(
            "UPDATE trading_order SET match_sequence = 1, match_class = 1, match_price = 100, matched_at = now(),"
            " due_at = now(), fill = '{}' WHERE id = %s",
            (str(resting["id"]),),
        )
        feeder.commit()

    counts, _ = at_once([lambda: run_once(50), match])
    assert counts.expired == 0
    assert state(resting)[0] == "OPEN"
    assert one("SELECT matched_at IS NOT NULL FROM trading_order")


def test_concurrent_runs_share_the_work_and_expire_each_order_once(trader, account):
    quote("99.95", "101.00", "100.50")
    traders = [trader, *(account().id for _ in range(3))]
    before = [account_now(one)["available_margin"] for one in traders]
    for number in range(60):
        rest(traders[number % 4], "BUY", 1, price="10.00", ends_at=now() - timedelta(seconds=1))

    def work():
        expired = 0
        while one("SELECT count(*) FROM trading_order WHERE status = 'PENDING'"):
            expired += run_once(7).expired
        return expired

    assert sum(at_once([work] * 4)) == 60
    assert [account_now(one)["available_margin"] for one in traders] == before
