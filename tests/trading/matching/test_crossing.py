"""Quotes match the orders that they cross: each rule once, with the marks that it leaves."""

import threading
from decimal import Decimal

import pytest

from tests.support.processes import wait_until
from tests.support.trading import account_now, one, rows, run
from tests.trading.matching.market import given, match_of, now, order_of, put, q, rest, stock_now

D = Decimal


def commit_soon(connection, *, rolls_back=False):
    """End a transaction in a thread as soon as another one waits for it."""

    def end():
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        wait_until(lambda: one(waiting) > 0)
        connection.rollback() if rolls_back else connection.commit()

    threading.Thread(target=end).start()


def test_an_ask_at_the_limit_fills_a_buy_at_its_limit(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    assert put(q("96.90", "97.00", "97.00")).matched == 1
    assert match_of(order) == (D("100.00"), "book")


def test_a_bid_at_the_limit_fills_a_sell_at_its_limit(trader, stock_id):
    order = rest(trader, stock_id, "SELL", "100.00")
    put(q("103.00", "103.10", "103.00"))
    assert match_of(order) == (D("100.00"), "book")


def test_a_match_leaves_its_evidence_and_tells_no_one_yet(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    before, version = account_now(trader), order_of(order)["version"]
    put(q("99.90", "100.00", "99.95"))
    row, stock = order_of(order), stock_now()
    assert row["status"] == "OPEN"
    assert row["matched_at"] == row["due_at"]
    assert row["match_class"] == 1
    assert row["waiting_for"] is None
    assert row["watch_price"] == 100
    assert row["version"] > version
    assert row["fill"] == {
        "quoteNumber": stock["quote_number"],
        "bid": "99.90",
        "ask": "100.00",
        "last": "99.95",
        "quotedAt": f"{stock['quoted_at']:%Y-%m-%dT%H:%M:%S.%f}Z",
        "rule": "book",
    }
    assert account_now(trader) == before
    assert one("SELECT count(*) FROM event WHERE type <> 'order.open' AND type LIKE 'order.%%'") == 0


def test_a_new_trade_through_the_limit_fills_and_a_touch_does_not(trader, stock_id):
    put(q("100.00", "101.00", "100.50"))
    order = rest(trader, stock_id, "BUY", "100.00")
    put(q("99.90", "101.00", "100.00"))
    assert match_of(order) is None
    put(q("99.90", "101.00", "99.95"))
    assert match_of(order) == (D("100.00"), "trade_through")


@pytest.mark.parametrize(
    ("limit_fills", "ask", "last", "rule"),
    [
        ("touch", "101.00", "100.00", "touch"),
        ("through", "100.00", "100.50", None),
        ("through", "99.95", "100.50", "book"),
        ("book", "100.00", "100.50", "book"),
    ],
)
def test_an_order_keeps_its_way_of_filling_limits(trader, stock_id, limit_fills, ask, last, rule):
    put(q("100.50", "101.50", "101.00"))
    order = rest(trader, stock_id, "BUY", "100.00", limit_fills=limit_fills)
    put(q("99.00", ask, last))
    assert match_of(order) == (None if rule is None else (D("100.00"), rule))


def test_old_news_is_no_trade(trader, stock_id):
    a_minute_ago = now(-60)
    put(q("100.00", "101.00", "99.50", last_traded_at=a_minute_ago))
    order = rest(trader, stock_id, "BUY", "100.00")
    put(q("100.00", "101.00", "99.50", last_traded_at=a_minute_ago))
    put(q("99.90", "101.00", "99.40", last_traded_at=now(-70)))
    assert match_of(order) is None
    put(q("99.90", "101.00", "99.60", last_traded_at=now(-1)))
    assert match_of(order) == (D("100.00"), "trade_through")


def test_a_fall_fills_exactly_the_limits_that_it_reaches(trader, stock_id):
    orders = {limit: rest(trader, stock_id, "BUY", f"{limit}.00") for limit in range(96, 101)}
    put(q("97.90", "98.00", "98.50"))
    filled = {limit: match_of(order) for limit, order in orders.items()}
    assert filled == {96: None, 97: None, 98: (98, "book"), 99: (99, "book"), 100: (100, "book")}
    assert one("SELECT count(DISTINCT match_sequence) FROM trading_order") == 1


def test_each_quote_of_a_request_has_a_number_of_its_own(trader, stock_id):
    rest(trader, stock_id, "BUY", "99.00")
    rest(trader, stock_id, "BUY", "98.00")
    reception = put(q("98.90", "99.00", "99.00"), q("97.90", "98.00", "98.00"))
    assert (reception.accepted, reception.matched) == (2, 2)
    found = rows("SELECT match_price FROM trading_order ORDER BY match_sequence")
    assert [row["match_price"] for row in found] == [99, 98]
    assert one("SELECT count(DISTINCT match_sequence) FROM trading_order") == 2


def test_a_market_order_waits_for_its_side(trader, stock_id):
    buy, sell = rest(trader, stock_id, "BUY", None), rest(trader, stock_id, "SELL", None)
    put(q("110.00", None, "110.00"))
    assert (match_of(buy), match_of(sell)) == (None, (D("110.00"), "market"))
    put(q("109.00", "109.50", "109.00"))
    assert match_of(buy) == (D("109.50"), "market")


def test_a_gap_fills_a_stop_at_what_it_costs(trader, stock_id):
    order = rest(trader, stock_id, "SELL", None, trigger_price="95.00")
    put(q("89.90", "90.00", "90.00"))
    assert match_of(order) == (D("89.90"), "stop")
    row = order_of(order)
    assert (row["match_class"], row["triggered_at"]) == (0, row["matched_at"])


def test_a_book_triggers_no_stop(trader, stock_id):
    order = rest(trader, stock_id, "SELL", None, trigger_price="95.00")
    put(q("94.00", "101.00", "100.00"))
    assert order_of(order)["triggered_at"] is None


def test_a_stop_limit_that_triggers_rests_at_its_limit_and_fills_there(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "106.00", trigger_price="105.00")
    put(q("106.50", "107.00", "105.50"))
    row = order_of(order)
    assert row["triggered_at"] is not None
    assert (row["watch_price"], row["watch_trigger"], row["waiting_for"]) == (106, None, "price")
    assert (row["matched_at"], row["trigger_is_told"]) == (None, False)
    assert row["due_at"] == row["triggered_at"]  # a worker is due, who tells the trigger
    put(q("104.00", "104.10", "104.00"))
    assert match_of(order) == (D("106.00"), "book")
    assert order_of(order)["match_class"] == 1


def test_a_stop_market_without_its_side_takes_the_widest_watch_at_once(trader, stock_id):
    order = rest(trader, stock_id, "BUY", None, trigger_price="105.00")
    put(q("105.00", None, "105.00"))
    row = order_of(order)
    assert (row["watch_price"], row["watch_trigger"], row["waiting_for"]) == (10_000_000, None, "quote")
    put(q("105.00", "105.50", "105.20"))
    assert match_of(order) == (D("105.50"), "market")


def test_a_protected_stop_rests_at_its_protection_price_beyond_it(trader, stock_id):
    order = rest(trader, stock_id, "BUY", None, trigger_price="105.00", market_protection="1")
    put(q("106.50", "107.00", "105.00"))
    row = order_of(order)
    assert row["protection_price"] == row["watch_price"] == D("106.05")
    assert row["triggered_at"] is not None
    put(q("105.90", "106.00", "106.00"))
    assert match_of(order) == (D("106.05"), "book")


def test_a_trigger_fires_once_and_stays(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "106.00", trigger_price="105.00")
    put(q("106.50", "107.00", "105.50"))
    first = order_of(order)["triggered_at"]
    put(q("106.50", "107.00", "106.50"))
    assert order_of(order)["triggered_at"] == first


def test_an_order_that_opened_blind_is_at_its_first_look(trader, stock_id):
    number = stock_now()["quote_number"]
    order = rest(trader, stock_id, "BUY", "215.00", opened_number=number, waiting_for="quote")
    later = rest(trader, stock_id, "BUY", "209.00", opened_number=number, waiting_for="quote")
    put(q("209.90", "210.10", "208.00"))  # no trade-through for a blind order
    assert match_of(order) == (D("210.10"), "first_look")
    assert match_of(later) is None
    put(q("208.00", "208.50", "208.00"))
    assert match_of(later) == (D("209.00"), "book")


def test_an_unusable_quote_leaves_a_blind_order_blind(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "215.00", opened_number=stock_now()["quote_number"])
    put(q("211.00", "209.00", "210.00"))
    put(given(last_price="209.00"))
    assert match_of(order) == (D("209.00"), "first_look")


def test_a_price_outside_the_circuits_fills_nothing(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "120.00")
    put(q("109.90", "110.00", "110.00", upper_circuit="115.00", lower_circuit="90.00"))
    assert match_of(order) is None
    put(q("109.90", "110.00", "110.00", upper_circuit="120.00"))
    assert match_of(order) == (D("120.00"), "book")


@pytest.mark.parametrize(("seconds", "is_matched"), [(-1, False), (60, True)])
def test_an_order_whose_time_is_over_is_not_matched(trader, stock_id, seconds, is_matched):
    order = rest(trader, stock_id, "BUY", "100.00", validity="TTL", validity_minutes=1, expires_at=now(seconds))
    put(q("98.00", "99.00", "99.00"))
    assert (match_of(order) is not None) is is_matched


def test_a_matched_order_is_not_matched_again(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    put(q("98.00", "99.00", "99.00"))
    first = order_of(order)
    assert put(q("97.00", "98.00", "98.00")).matched == 0
    assert order_of(order) == first


@pytest.mark.parametrize("columns", [{"status": "PENDING"}, {"watch_price": None}])
def test_an_order_that_does_not_watch_is_left_alone(trader, stock_id, columns):
    order = rest(trader, stock_id, "BUY", "100.00", **columns)
    put(q("98.00", "99.00", "99.00"))
    assert match_of(order) is None


def test_quotes_of_other_stocks_match_nothing_here(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    put(given("INFY", last_price="1.00"))
    assert match_of(order) is None


def test_a_last_price_alone_matches_as_both_sides(trader, stock_id):
    buy, sell = rest(trader, stock_id, "BUY", "99.00"), rest(trader, stock_id, "SELL", "101.00")
    put(given(last_price="99.00"))
    assert (match_of(buy), match_of(sell)) == ((D("99.00"), "book"), None)
    put(given(last_price="102.00"))
    assert match_of(sell) == (D("101.00"), "book")
    assert one("SHOW synchronous_commit") == "on"


def test_a_modification_that_was_waited_for_takes_the_order_out_of_the_match(trader, stock_id, connect):
    kept, modified = rest(trader, stock_id, "BUY", "100.00"), rest(trader, stock_id, "BUY", "100.00")
    other = connect()
    with other.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET watch_price = NULL WHERE id = %s", (str(modified),))
    commit_soon(other)
    assert put(q("98.00", "99.00", "99.00")).matched == 1
    assert match_of(kept) is not None
    assert match_of(modified) is None


def test_a_change_that_was_waited_for_and_taken_back_loses_no_match(trader, stock_id, connect):
    order = rest(trader, stock_id, "BUY", "100.00")
    other = connect()
    with other.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET watch_price = NULL WHERE id = %s", (str(order),))
    commit_soon(other, rolls_back=True)
    assert put(q("98.00", "99.00", "99.00")).matched == 1
    assert match_of(order) is not None


def test_an_account_that_is_locked_delays_no_quote(trader, stock_id, connect):
    order = rest(trader, stock_id, "BUY", "100.00")
    connect().cursor().execute("SELECT FROM account WHERE id = %s FOR UPDATE", (str(trader),))
    put(q("98.00", "99.00", "99.00"))
    assert match_of(order) is not None


def test_a_thousand_crossed_orders_are_matched_at_once(trader, stock_id):
    order = rest(trader, stock_id, "BUY", "100.00")
    names = "account_id, stock_id, exchange, symbol, side, product, order_type, quantity, price, closing_quantity"
    names += ", blocked_margin, charges, charge_items, status, fill_model, watch_price, waiting_for, due_at"
    run(
        f"INSERT INTO trading_order (id, {names}) SELECT gen_random_uuid(), {names} FROM trading_order,"
        " generate_series(1, 500) WHERE id = %s",
        order,
    )
    assert put(q("98.00", "99.00", "99.00")).matched == 501
    assert one("SELECT count(*) FROM trading_order WHERE matched_at IS NOT NULL") == 501
