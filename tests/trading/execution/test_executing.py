"""Execution fills orders into positions and settles margin and profit."""

from decimal import Decimal

import pytest

from tests.support.trading import account_now, buy, cancel, execute, hold, ledger_of, order_now, row_of, rows, run, sell
from trading.execution.executing import Outcome, execute_orders
from trading.matching import feed
from trading.upkeep import verify

D = Decimal


@pytest.fixture(autouse=True)
def ledgers_are_right(clean):
    yield
    assert verify.verify() == []


def position_of(order):
    return row_of("position", order_now(order)["position_id"])


def numbers(position):
    return tuple(position[name] for name in ("quantity", "cost", "blocked_margin", "realized_pnl"))


def price_is(price, symbol="RELIANCE"):
    feed.set_quotes([("NSE", symbol, D(price))])


def test_an_executed_order_is_filled_whole_into_its_position(trader):
    order = buy(trader, 10, "100.00")
    assert execute(order) == Outcome(executed=1, rejected=0, skipped=0)
    filled = order_now(order)
    assert (filled["status"], filled["filled_quantity"], filled["average_price"]) == ("EXECUTED", 10, D("100.00"))
    assert filled["executed_at"] >= filled["placed_at"]
    assert filled["rejection_reason"] is None
    position = position_of(order)
    assert numbers(position) == (10, D("1000.00"), D("200.00"), 0)
    assert (position["account_id"], position["stock_id"]) == (trader, order["stock_id"])
    assert (position["exchange"], position["symbol"], position["product"]) == ("NSE", "RELIANCE", "INTRADAY")


def test_a_fill_at_the_expected_price_writes_no_ledger_entry_and_moves_no_money(trader):
    order = buy(trader, 10, "100.00")
    before, ledger = account_now(trader), ledger_of(order)
    execute(order)
    after = account_now(trader)
    assert ledger_of(order) == ledger
    for column in ("balance", "blocked_margin", "available_margin", "realized_pnl"):
        assert after[column] == before[column]


def test_an_executed_order_keeps_its_blocked_margin_and_charges(trader):
    order = buy(trader, 10, "100.00")
    execute(order)
    kept = order_now(order)
    assert (kept["blocked_margin"], kept["charges"]) == (order["blocked_margin"], order["charges"])


def test_all_ledger_entries_of_an_executed_order_name_its_position(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 40, "110.00")
    execute(order)
    links = rows("SELECT kind, position_id FROM fund_transaction WHERE order_id = %s ORDER BY id", order["id"])
    assert [link["kind"] for link in links] == ["MARGIN_BLOCK", "CHARGES", "PROFIT"]
    assert {link["position_id"] for link in links} == {order_now(order)["position_id"]}


def test_a_dearer_market_fill_blocks_and_charges_the_difference(trader):
    price_is("100.00")
    order = buy(trader, 10)
    price_is("110.00")
    execute(order)
    assert ledger_of(order)[2:] == [("MARGIN_BLOCK", D("20.00")), ("CHARGES", D("0.04"))]
    assert order_now(order)["average_price"] == D("110.00")
    assert account_now(trader)["blocked_margin"] == D("220.00")


def test_a_cheaper_market_fill_releases_and_refunds_the_difference(trader):
    price_is("100.00")
    order = buy(trader, 10)
    price_is("90.00")
    execute(order)
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", D("20.00")), ("CHARGES_REFUND", D("0.04"))]
    assert account_now(trader)["blocked_margin"] == D("180.00")


def test_a_limit_order_fills_at_its_own_price(trader):
    price_is("500.00")
    order = buy(trader, 10, "100.00")
    execute(order)
    assert order_now(order)["average_price"] == D("100.00")


def test_a_market_order_with_an_average_price_fills_at_that_price(trader):
    price_is("100.00")
    order = buy(trader, 10)
    run("UPDATE trading_order SET average_price = 105.00 WHERE id = %s", order["id"])
    execute(order)
    assert (order_now(order)["average_price"], position_of(order)["cost"]) == (D("105.00"), D("1050.00"))


def test_a_sale_books_its_profit_and_releases_the_margin(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 4, "150.00")
    before = account_now(trader)
    execute(order)
    after = account_now(trader)
    assert ledger_of(order)[1:] == [("PROFIT", D("200.00")), ("MARGIN_RELEASE", D("80.00"))]
    assert after["balance"] == before["balance"] + 200
    assert (after["blocked_margin"], after["realized_pnl"]) == (D("120.00"), D("200.00"))
    assert numbers(position_of(order)) == (6, D("600.00"), D("120.00"), D("200.00"))


def test_a_loss_is_booked_even_when_it_takes_the_available_margin_below_zero(account):
    trader = account("250.00").id
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 10, "10.00")
    execute(order)
    assert ledger_of(order)[1:] == [("LOSS", D("900.00")), ("MARGIN_RELEASE", D("200.00"))]
    assert account_now(trader)["available_margin"] < 0


def test_orders_of_one_batch_share_its_time_whichever_is_written_first(trader, account):
    price_is("100.00")
    orders = [buy(who, 1) for who in (trader, account().id) for _ in range(3)]
    execute(*orders)
    filled = [order_now(order) for order in orders]
    assert {len({order[column] for order in filled}) for column in ("executed_at", "updated_at")} == {1}


def test_a_closed_position_stays_flat_and_is_used_again(trader):
    opened = hold(trader, "BUY", 10, "100.00")
    closed = hold(trader, "SELL", 10, "110.00")
    assert numbers(closed) == (0, 0, 0, D("100.00"))
    again = hold(trader, "SELL", 5, "120.00")
    assert opened["id"] == closed["id"] == again["id"]
    assert numbers(again) == (-5, D("600.00"), D("120.00"), D("100.00"))


def test_a_flip_closes_and_opens_in_one_fill_and_settles_margin_once(trader):
    position = hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 15, "110.00")
    assert ledger_of(order) == [("CHARGES", order["charges"])]  # closing frees 200.00, opening needs 110.00
    execute(order)
    assert ledger_of(order)[1:] == [("PROFIT", D("100.00")), ("MARGIN_RELEASE", D("90.00"))]
    assert numbers(row_of("position", position["id"])) == (-5, D("550.00"), D("110.00"), D("100.00"))


def test_a_closing_order_opens_a_position_if_the_holding_is_gone(trader):
    hold(trader, "BUY", 10, "100.00")
    first, second = sell(trader, 10, "100.00"), sell(trader, 10, "100.00")
    assert (first["closing_quantity"], second["closing_quantity"]) == (10, 0)
    execute(second)  # out of turn: it takes the holding that was promised to the first
    execute(first)
    assert position_of(first)["quantity"] == -10
    assert ledger_of(first)[1:] == [("MARGIN_BLOCK", D("200.00"))]


def test_products_and_stocks_have_positions_of_their_own(trader):
    held = [
        hold(trader, "BUY", 10, "100.00", **other)["id"]
        for other in ({}, {"product": "DELIVERY"}, {"symbol": "TCS"}, {"exchange": "BSE"})
    ]
    assert len(set(held)) == 4


def test_executing_twice_does_nothing_the_second_time(trader):
    order = buy(trader, 10, "100.00")
    execute(order)
    before = (order_now(order), account_now(trader), position_of(order))
    assert execute(order) == Outcome(executed=0, rejected=0, skipped=1)
    assert (order_now(order), account_now(trader), position_of(order)) == before


def test_an_order_listed_twice_in_a_batch_is_filled_once(trader):
    order = buy(trader, 10, "100.00")
    assert execute(order, order) == Outcome(executed=1, rejected=0, skipped=0)
    assert position_of(order)["quantity"] == 10


def test_a_cancelled_order_is_not_executed(trader):
    order = buy(trader, 10, "100.00")
    cancel(order)
    assert execute(order).skipped == 1
    assert order_now(order)["status"] == "CANCELLED"


def test_an_empty_batch_and_an_unknown_order_are_no_error(clean, trader):
    assert execute_orders([]) == Outcome(0, 0, 0)
    assert execute_orders([trader]) == Outcome(0, 0, 1)


def test_a_batch_executes_by_time_of_placement_however_it_is_listed(trader):
    orders = [buy(trader, 10, "100.00"), sell(trader, 4, "150.00"), sell(trader, 6, "90.00"), sell(trader, 1, "80.00")]
    assert execute(*reversed(orders)).executed == 4
    kinds = [[kind for kind, _ in ledger_of(order)[2:]] for order in orders]
    assert kinds == [[], ["PROFIT", "MARGIN_RELEASE"], ["LOSS", "MARGIN_RELEASE"], []]
    assert numbers(position_of(orders[0])) == (-1, D("80.00"), D("16.00"), D("140.00"))


def test_the_time_of_placement_goes_before_the_id(trader):
    orders = sorted((buy(trader, 10, "100.00"), sell(trader, 10, "110.00")), key=lambda order: order["id"])
    run("UPDATE trading_order SET placed_at = placed_at - interval '1 minute' WHERE id = %s", orders[1]["id"])
    execute(*orders)
    assert ledger_of(orders[1])[2:] == []
    assert ledger_of(orders[0])[2:][0] == ("PROFIT", D("100.00"))


def test_placements_of_the_same_instant_execute_by_id(trader):
    orders = sorted((buy(trader, 10, "100.00"), sell(trader, 10, "110.00")), key=lambda order: order["id"])
    run("UPDATE trading_order SET placed_at = now()")
    execute(*reversed(orders))
    assert ledger_of(orders[0])[2:] == []
    assert ledger_of(orders[1])[2:][0] == ("PROFIT", D("100.00"))


def test_a_batch_spans_accounts(trader, account):
    other = account().id
    orders = [buy(trader, 1, "10.00"), buy(other, 2, "10.00"), sell(trader, 1, "12.00")]
    assert execute(*orders).executed == 3
    assert position_of(orders[0])["quantity"] == 0
    assert position_of(orders[1])["quantity"] == 2


def test_an_accepted_order_of_a_suspended_account_is_executed(trader):
    order = buy(trader, 10, "100.00")
    run("UPDATE account SET status = 'SUSPENDED'")
    assert execute(order).executed == 1
