"""Square-off: once for each account, stock and day, whatever happens meanwhile."""

from datetime import date
from decimal import Decimal

import pytest

from tests.support.trading import account_now, at_once, cancel, execute, ledger_of, one, order_now, rows, run
from tests.trading.execution.market import events, quote, rest, state
from tests.trading.orders.quotes_account import place
from trading.accounts import administration
from trading.day import jobs, square_off, square_off_rows
from trading.execution.sweeping import sweep_once
from trading.market import calendars
from trading.matching.buckets import BUCKET_LOCKS, bucket_of
from trading.rules.terms import EndReason
from trading.upkeep import verify

D = Decimal
DAY = date(2026, 11, 2)  # a Monday
AT_100 = ("99.95", "100.00", "99.98")
AT_101 = ("101.00", "101.10", "101.05")
BEFORE, DUE, AFTER = "2026-11-02 15:00", "2026-11-02 15:12", "2026-11-02 15:12:40"


@pytest.fixture(autouse=True)
def ledgers_are_right(clock):
    yield
    assert [violation for violation in verify.verify() if "outlives" not in violation.rule] == []


@pytest.fixture
def trader(clean):
    """Return an account with 100,000.00 that trades on quotes."""
    return another()


@pytest.fixture(autouse=True)
def at_three(clock, set_up):
    clock(BEFORE)
    quote(*AT_100)


def long(trader, quantity=100, product="INTRADAY"):
    """Hold a position at 100.00."""
    order = place(trader, "BUY", quantity, price="100.00", product=product)
    execute(order)
    assert state(order) == ("EXECUTED", D("100.00"))
    return order_now(order)["position_id"]


def closing_orders(trader):
    return rows(
        "SELECT * FROM trading_order WHERE account_id = %s AND origin = 'SQUARE_OFF' ORDER BY placed_at", trader
    )


def position(trader, product="INTRADAY"):
    return one("SELECT quantity FROM position WHERE account_id = %s AND product = %s", trader, product)


def test_the_square_off_of_the_worked_example(trader, clock, logged):
    long(trader)
    target = place(trader, "SELL", 100, price="110.00")
    more = place(trader, "BUY", 50, price="95.00")
    execute(target, more)
    assert [state(order)[0] for order in (target, more)] == ["OPEN", "OPEN"]
    clock(DUE)
    quote(*AT_101)
    assert not square_off.run_once()  # what was being placed at that time may come yet
    assert [state(order) for order in (target, more)] == [("CANCELLED", None)] * 2
    assert [order_now(order)["end_reason"] for order in (target, more)] == [EndReason.SQUARE_OFF] * 2
    assert ledger_of(target)[-1:] == [("CHARGES_REFUND", D("7.06"))]
    assert ledger_of(more)[-2:] == [("MARGIN_RELEASE", D("950.00")), ("CHARGES_REFUND", D("2.00"))]
    (closing,) = closing_orders(trader)
    assert (closing["side"], closing["quantity"], closing["order_type"]) == ("SELL", 100, "MARKET")
    assert (closing["status"], closing["average_price"], closing["charges"]) == ("EXECUTED", D("101.00"), D("6.48"))
    assert closing["client_order_id"] == f"squareoff-2026-11-02-{closing['position_id']}"
    lines = [line for line in logged if line.get("order_id") == str(closing["id"])]
    assert [line["event"] for line in lines] == ["order_placed", "order_executed"]
    assert {(line["side"], line["quantity"], line["symbol"]) for line in lines} == {("SELL", 100, closing["symbol"])}
    assert ("PROFIT", D("100.00")) in ledger_of(closing)
    assert ("MARGIN_RELEASE", D("2000.00")) in ledger_of(closing)
    assert account_now(trader)["blocked_margin"] == D("0.00")


def test_a_square_off_that_runs_again_does_nothing_more(trader, clock):
    long(trader)
    clock(DUE)
    quote(*AT_101)
    for _ in range(3):
        square_off.run_once()
    clock(AFTER)
    assert square_off.run_once()
    assert square_off.run_once()
    assert len(closing_orders(trader)) == 1
    assert one("SELECT orders FROM square_off WHERE finished_at IS NOT NULL") == 1
    assert rows("SELECT name, finished_at IS NOT NULL AS done FROM job_run ORDER BY name") == [
        {"name": "square-off AUCTION", "done": True},
        {"name": "square-off NORMAL", "done": True},
    ]


def test_before_its_time_nothing_is_closed(trader, clock):
    long(trader)
    clock("2026-11-02 15:11:58")
    square_off.run_once()
    assert position(trader) == 100


def test_a_short_position_is_bought_back(trader, clock):
    order = place(trader, "SELL", 10, price="99.00")
    execute(order)
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    (closing,) = closing_orders(trader)
    assert (closing["side"], closing["status"], closing["average_price"]) == ("BUY", "EXECUTED", D("101.10"))


def test_deliveries_are_left_alone(trader, clock):
    long(trader, 10, product="DELIVERY")
    delivery = place(trader, "BUY", 10, price="90.00", product="DELIVERY")
    execute(delivery)
    clock(AFTER)
    assert square_off.run_once()
    assert position(trader, "DELIVERY") == 10
    assert state(delivery)[0] == "OPEN"


def test_what_the_market_has_matched_is_executed_first_and_closed_with_the_rest(trader, clock):
    long(trader, 100)
    resting = place(trader, "BUY", 50, price="95.00")
    execute(resting)
    assert quote("94.90", "95.00", "94.95").matched == 1
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    assert state(resting) == ("EXECUTED", D("95.00"))
    (closing,) = closing_orders(trader)
    assert (closing["quantity"], closing["status"]) == (150, "EXECUTED")


def test_without_a_usable_quote_the_closing_order_waits_for_one(trader, clock):
    long(trader)
    clock(DUE)
    square_off.run_once()  # the quote of 15:00 is too old
    (closing,) = closing_orders(trader)
    assert (closing["status"], closing["waiting_for"], closing["expires_at"]) == ("OPEN", "quote", None)
    assert not square_off.run_once()
    assert quote(*AT_101).matched == 1
    clock(AFTER)
    assert square_off.run_once()
    assert state(closing) == ("EXECUTED", D("101.00"))
    assert position(trader) == 0


@pytest.mark.parametrize(("official", "price"), [(None, "99.98"), ("98.50", "98.50")])
def test_after_the_close_it_fills_at_the_official_close_or_at_the_last_price(trader, clock, official, price):
    long(trader)
    clock(DUE)
    square_off.run_once()
    if official:
        quote("98.00", "98.10", "98.05", close_price=D(official), is_halted=True)
    clock("2026-11-02 23:59:59")
    square_off.run_once()
    assert position(trader) == 100
    clock("2026-11-03 00:00:00")
    assert square_off.run_once()
    (closing,) = closing_orders(trader)
    assert (closing["status"], closing["average_price"]) == ("EXECUTED", D(price))
    assert (closing["fill"]["rule"], closing["fill"]["last"]) == ("close_price", price)
    assert events(closing) == ["order.pending", "order.open", "order.executed"]


def test_a_missed_day_is_made_up_for_at_the_price_of_its_close(trader, clock):
    long(trader)
    clock("2026-11-02 15:20")
    quote("102.00", "102.10", "102.05")
    clock("2026-11-03 09:20")
    assert square_off.run_once()
    (closing,) = closing_orders(trader)
    assert closing["client_order_id"].startswith("squareoff-2026-11-02-")
    assert (closing["status"], closing["average_price"]) == ("EXECUTED", D("102.05"))
    assert one("SELECT day FROM square_off") == DAY


def test_of_a_missed_day_only_that_is_closed_which_was_carried_from_it(trader, clock):
    long(trader)
    clock("2026-11-03 09:20")
    quote(*AT_100)
    execute(place(trader, "BUY", 30, price="100.00"))
    resting = place(trader, "BUY", 5, price="90.00")
    execute(resting)
    square_off.run_once()
    assert [order["quantity"] for order in closing_orders(trader)] == [100]
    assert position(trader) == 30
    assert state(resting)[0] == "OPEN"


def test_what_fills_later_gets_a_second_order(trader, clock):
    long(trader)
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    late = rest(trader, "BUY", 7, price="101.10")  # its placement read the time before the square-off
    execute(late)
    clock(AFTER)
    square_off.run_once()
    first, second = closing_orders(trader)
    assert second["client_order_id"] == f"{first['client_order_id']}-2"
    assert (second["quantity"], second["status"]) == (7, "EXECUTED")
    assert square_off.run_once()
    assert one("SELECT orders FROM square_off") == 2


def test_a_busy_account_is_left_and_closed_later(trader, clock, connect):
    long(trader)
    waiting = place(trader, "BUY", 50, price="95.00")
    execute(waiting)
    clock(DUE)
    quote(*AT_101)
    holder = connect()
    holder.cursor().execute("SELECT FROM account FOR NO KEY UPDATE")
    assert not square_off.run_once(patience_s=0.0)
    assert closing_orders(trader) == []
    holder.rollback()
    square_off.run_once()
    assert state(waiting)[0] == "CANCELLED"
    assert position(trader) == 0


def test_an_order_that_is_held_keeps_its_position_from_being_closed(trader, clock, connect):
    long(trader)
    resting = place(trader, "BUY", 50, price="95.00")
    execute(resting)
    clock(DUE)
    quote(*AT_101)
    holder = connect()
    holder.cursor().execute("SELECT FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(resting["id"]),))
    square_off.run_once(patience_s=0.0)
    assert closing_orders(trader) == []
    holder.rollback()
    square_off.run_once()
    assert position(trader) == 0


def test_a_row_is_finished_only_when_its_position_is_flat_and_none_of_its_orders_is_live(trader, clock):
    long(trader)
    resting = place(trader, "BUY", 50, price="95.00")
    execute(resting)
    clock(DUE)
    quote(*AT_101)
    of = square_off.last_due(now(), "NORMAL")
    square_off_rows.find(of)
    pairs = square_off_rows.unfinished(of, 10)
    cancel(resting)
    assert square_off_rows.finish(of, pairs) == 0  # the position is open
    late = rest(trader, "SELL", 100, "MARKET", closing=100)
    execute(late)
    assert position(trader) == 0
    resting = rest(trader, "BUY", 1, price="95.00")
    assert square_off_rows.finish(of, pairs) == 0  # an order is live
    cancel(resting)
    assert square_off_rows.finish(of, pairs) == 1


@pytest.fixture
def trap(clean):
    """Yield a function that makes the closing orders of an account fail."""

    def make(account_id):
        run(
            "CREATE FUNCTION test_trap() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN IF NEW.account_id = '{account_id}' AND NEW.origin = 'SQUARE_OFF' THEN RAISE EXCEPTION 'trapped';"
            " END IF; RETURN NEW; END $$"
        )
        run("CREATE TRIGGER test_trap BEFORE INSERT ON trading_order FOR EACH ROW EXECUTE FUNCTION test_trap()")

    yield make
    run("DROP FUNCTION IF EXISTS test_trap() CASCADE")


def test_a_position_that_cannot_be_closed_keeps_no_other_one_open(trader, clock, trap):
    others = [another() for _ in range(3)]
    for each in (trader, *others):
        long(each, 10)
    trap(trader)
    clock(DUE)
    quote(*AT_101)
    assert not square_off.run_once()
    assert [position(each) for each in (trader, *others)] == [10, 0, 0, 0]


def test_a_stock_whose_bucket_is_held_keeps_no_other_position_open(trader, clock, connect):
    quote(*AT_100, symbol="OTHER")
    long(trader)
    other = another()
    execute(place(other, "BUY", 20, price="100.00", symbol="OTHER"))
    execute(place(trader, "BUY", 5, price="90.00"))
    execute(place(other, "BUY", 5, price="90.00", symbol="OTHER"))
    clock(DUE)
    quote(*AT_101)
    quote(*AT_101, symbol="OTHER")
    holder, stock = connect(), one("SELECT id FROM stock WHERE symbol = 'RELIANCE'")
    if bucket_of(stock) == bucket_of(one("SELECT id FROM stock WHERE symbol = 'OTHER'")):
        pytest.skip("both stocks are in one bucket")
    holder.cursor().execute("SELECT pg_advisory_xact_lock(%s, %s)", (BUCKET_LOCKS, bucket_of(stock)))
    square_off.run_once(patience_s=0.0)
    assert (position(trader), position(other)) == (100, 0)
    holder.rollback()
    square_off.run_once()
    assert position(trader) == 0


def test_more_than_the_largest_order_is_closed_by_two(trader, clock):
    administration.move_funds(trader, "DEPOSIT", D("90000000.00"))
    long(trader, 1_000_000)
    long(trader, 10)
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    square_off.run_once()
    assert [order["quantity"] for order in closing_orders(trader)] == [1_000_000, 10]
    assert position(trader) == 0


def test_the_fee_is_charged_once_and_kept_among_the_items(trader, clock, set_up):
    set_up(square_off_fee=D("50.00"))
    long(trader)
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    (closing,) = closing_orders(trader)
    assert closing["charges"] == D("56.48")
    assert closing["charge_items"]["square_off_fee"] == D("50.00")
    assert [kind for kind, _ in ledger_of(closing)].count("CHARGES") == 1


def test_a_position_whose_stock_never_had_a_price_waits_for_one(trader, clock):
    long(trader)
    nothing = "last_price = NULL, last_price_at = NULL, bid_price = NULL, ask_price = NULL"
    run(f"UPDATE stock SET is_usable = false, {nothing}")
    clock("2026-11-03 10:00")
    assert not square_off.run_once()
    (closing,) = closing_orders(trader)
    assert closing["status"] == "OPEN"
    quote(*AT_101)
    sweep_once(limit=10)
    assert square_off.run_once()
    assert state(closing) == ("EXECUTED", D("101.00"))


def test_an_after_market_order_for_a_later_session_stays(trader, clock):
    clock(AFTER)
    order = rest(trader, "BUY", 1, price="90.00", validity="GTC")
    with_after_market(order)
    square_off.run_once()
    assert state(order)[0] in ("PENDING", "OPEN")


def with_after_market(order):
    past_the_guards = "SET LOCAL session_replication_role = replica;"
    run(f"{past_the_guards} UPDATE trading_order SET after_market = true WHERE id = %s", order["id"])


def test_of_workers_at_once_each_position_gets_one_order(trader, clock):
    traders = [
        trader,
        *(administration.create_account("Q", D("100000.00"), fill_model="QUOTES")["id"] for _ in range(5)),
    ]
    for one_of_them in traders:
        long(one_of_them, 10)
        execute(place(one_of_them, "BUY", 5, price="95.00"))
    clock(DUE)
    quote(*AT_101)
    (of,) = [square_off.last_due(now(), "NORMAL")]
    for _ in range(3):
        at_once([lambda: square_off.work_on(of)] * 4)
    assert [len(closing_orders(each)) for each in traders] == [1] * 6
    assert [position(each) for each in traders] == [0] * 6
    assert one("SELECT count(*) FROM square_off WHERE finished_at IS NOT NULL") == 6


def another():
    return administration.create_account("Q", D("100000.00"), fill_model="QUOTES")["id"]


def now():
    return one("SELECT market_now()")


def test_a_square_off_that_is_skipped_closes_nothing_and_a_repeated_one_does(trader, clock):
    long(trader)
    clock(DUE)
    quote(*AT_101)
    assert jobs.skip("square-off NORMAL", DAY)
    square_off.run_once()
    assert position(trader) == 100
    assert jobs.repeat("square-off NORMAL", DAY)
    square_off.run_once()
    assert position(trader) == 0


@pytest.fixture
def nse(set_up):
    """Trade in the sessions of NSE from 2026-11-02 to 2026-11-06."""
    calendars.make_sessions("NSE", DAY, date(2026, 11, 6))
    set_up(market_calendar="NSE", square_off_time=None)


def test_each_class_of_stocks_has_its_own_time(trader, clock, nse):
    run("UPDATE stock SET session_class = 'AUCTION'")
    quote(*AT_100, symbol="OTHER")
    long(trader)
    execute(place(trader, "BUY", 20, price="100.00", symbol="OTHER"))
    clock(DUE)
    quote(*AT_101)
    square_off.run_once()
    assert [order["symbol"] for order in closing_orders(trader)] == ["RELIANCE"]
    clock("2026-11-02 15:24:58")
    square_off.run_once()
    assert len(closing_orders(trader)) == 1
    clock("2026-11-02 15:25")
    quote(*AT_101, symbol="OTHER")
    square_off.run_once()
    assert [(order["symbol"], order["status"]) for order in closing_orders(trader)] == [
        ("RELIANCE", "EXECUTED"),
        ("OTHER", "EXECUTED"),
    ]


def test_a_closing_order_fills_right_after_the_close_of_its_session(trader, clock, nse):
    long(trader)
    clock("2026-11-02 15:25")
    square_off.run_once()
    clock("2026-11-02 15:29:58")
    square_off.run_once()
    assert position(trader) == 100
    clock("2026-11-02 15:30")
    square_off.run_once()
    (closing,) = closing_orders(trader)
    assert (closing["status"], closing["fill"]["rule"]) == ("EXECUTED", "close_price")


def test_a_whole_missed_day_is_made_up_for_by_the_square_off_of_the_last_one(trader, clock, nse):
    long(trader)
    clock("2026-11-04 09:00")
    square_off.run_once()
    (closing,) = closing_orders(trader)
    assert closing["client_order_id"].startswith("squareoff-2026-11-03-")
    assert closing["average_price"] == D("99.98")
