"""Orders that cannot be filled."""

from decimal import Decimal

import pytest

from tests.support.trading import account_now, buy, execute, hold, ledger_of, order_now, rows, run, sell
from trading.accounts import administration
from trading.execution.executing import Outcome
from trading.matching import feed
from trading.orders.cancellation import reject_order
from trading.upkeep import verify

D = Decimal


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def price_is(price):
    feed.set_quotes([("NSE", "RELIANCE", D(price))])


def money_of(account):
    return {name: account[name] for name in ("balance", "blocked_margin", "available_margin", "realized_pnl")}


def assert_all_given_back(order, reason):
    rejected = order_now(order)
    assert (rejected["status"], rejected["rejection_reason"]) == ("REJECTED", reason)
    assert (rejected["filled_quantity"], rejected["average_price"], rejected["position_id"]) == (0, None, None)
    taken, given = ledger_of(order)[:2], ledger_of(order)[2:]
    assert given == [("MARGIN_RELEASE", taken[0][1]), ("CHARGES_REFUND", taken[1][1])]


def test_a_fill_beyond_the_available_margin_is_rejected_and_refunded_in_full(account):
    price_is("100.00")
    trader = account("210.00").id
    before = account_now(trader)
    order = buy(trader, 10)
    price_is("110.00")
    assert execute(order) == Outcome(executed=0, rejected=1, skipped=0)
    assert_all_given_back(order, "insufficient_margin")
    assert money_of(account_now(trader)) == money_of(before)
    assert rows("SELECT 1 FROM position") == []


def test_a_fill_that_needs_exactly_the_available_margin_is_executed(account):
    price_is("100.00")
    trader = account("220.04").id
    order = buy(trader, 10)
    administration.move_funds(trader, "DEPOSIT", order["charges"])  # now 20.04 are left: 20.00, and 0.04 more charges
    price_is("110.00")
    assert execute(order).executed == 1
    assert account_now(trader)["available_margin"] == 0


def test_a_fill_that_needs_one_paisa_more_than_is_available_is_rejected(account):
    price_is("100.00")
    trader = account("220.03").id
    order = buy(trader, 10)
    administration.move_funds(trader, "DEPOSIT", order["charges"])
    price_is("110.00")
    assert execute(order).rejected == 1


def test_the_profit_of_a_flip_pays_for_its_margin(account):
    trader = account("500.00").id
    hold(trader, "BUY", 10, "100.00")
    price_is("100.00")
    order = sell(trader, 20)
    price_is("1000.00")  # a profit of 9,000.00; margin 2,000.00 against 200.00 that the closing part frees
    assert account_now(trader)["available_margin"] < 300
    assert execute(order).executed == 1


def test_the_loss_of_a_flip_may_take_the_available_margin_below_zero(account):
    trader = account("500.00").id
    hold(trader, "SELL", 10, "100.00")
    price_is("100.00")
    order = buy(trader, 12)
    price_is("160.00")  # a loss of 600.00, and a margin of 64.00 against 200.00 that the closing part frees: a surplus
    assert execute(order).executed == 1
    assert account_now(trader)["available_margin"] < 0


def test_a_flip_whose_loss_leaves_too_little_margin_is_rejected_as_a_whole(account):
    trader = account("500.00").id
    hold(trader, "SELL", 5, "100.00")
    price_is("100.00")
    order = buy(trader, 15)
    price_is("160.00")  # a loss of 300.00; margin 320.00 against 100.00 that is freed and 100.00 reserved
    before = account_now(trader)
    assert execute(order).rejected == 1
    assert_all_given_back(order, "insufficient_margin")
    assert account_now(trader)["realized_pnl"] == before["realized_pnl"] == 0


def test_an_order_that_has_no_price_at_execution_is_rejected(trader):
    price_is("100.00")
    order = buy(trader, 10)
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL")
    assert execute(order) == Outcome(executed=0, rejected=1, skipped=0)
    assert_all_given_back(order, "no_price")


def test_a_rejected_order_frees_its_margin_for_the_next_of_its_batch(account):
    price_is("100.00")
    trader = account("420.00").id
    orders = [buy(trader, 10), buy(trader, 10, "90.00")]
    price_is("2000.00")
    assert execute(*orders) == Outcome(executed=1, rejected=1, skipped=0)
    assert [order_now(order)["status"] for order in orders] == ["REJECTED", "EXECUTED"]


def test_a_rejected_order_does_not_affect_the_other_orders_of_its_batch(account, trader):
    price_is("100.00")
    poor = account("210.00").id
    orders = [buy(poor, 10), buy(trader, 10)]
    price_is("110.00")
    assert execute(*orders) == Outcome(executed=1, rejected=1, skipped=0)


def test_a_delivery_sale_beyond_the_holding_is_rejected_at_execution(trader):
    hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    order = sell(trader, 10, "100.00", product="DELIVERY")
    run("UPDATE trading_order SET quantity = 12, closing_quantity = 12 WHERE id = %s", order["id"])
    assert execute(order).rejected == 1
    assert order_now(order)["rejection_reason"] == "insufficient_holdings"
    assert ledger_of(order)[1:] == [("CHARGES_REFUND", order["charges"])]


def test_a_final_order_is_not_rejected_again(trader):
    order = buy(trader, 10, "100.00")
    assert reject_order(trader, order["id"], "execution_failed") is True
    assert reject_order(trader, order["id"], "execution_failed") is False
    assert_all_given_back(order, "execution_failed")
