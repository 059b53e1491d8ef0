"""Accepting orders."""

from decimal import Decimal

import pytest

from runtime.timing import timed
from tests.support.trading import (
    account_now,
    buy,
    cancel,
    close,
    hold,
    ledger_of,
    money,
    one,
    order_now,
    row_of,
    rows,
    run,
    sell,
)
from trading.accounts import administration
from trading.orders import placement
from trading.rules.decision import OrderRequest
from trading.rules.errors import InsufficientHoldings, InsufficientMargin, NotFound, NothingToClose
from trading.upkeep import verify


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


def test_an_accepted_order_is_pending_with_its_margin_and_charges(trader):
    order = buy(trader, 400, "1000.00")
    assert order == order_now(order)
    assert (order["status"], order["filled_quantity"], order["average_price"]) == ("PENDING", 0, None)
    assert (order["quantity"], order["price"], order["order_type"]) == (400, Decimal("1000.00"), "LIMIT")
    assert (order["closing_quantity"], order["attempts"], order["retry_at"]) == (0, 0, None)
    assert order["blocked_margin"] == Decimal("80000.00")
    assert order["charges"] == Decimal("50.56")
    assert order["charge_items"] == {
        "brokerage": Decimal("20.00"),
        "transaction_tax": Decimal("0.00"),
        "exchange_charge": Decimal("12.28"),
        "regulatory_fee": Decimal("0.40"),
        "stamp_duty": Decimal("12.00"),
        "gst": Decimal("5.88"),
    }


def test_margin_and_charges_are_posted_with_the_order(trader):
    order = buy(trader, 400, "1000.00")
    account = account_now(trader)
    assert account["balance"] == money(1_000_000) - order["charges"]
    assert account["blocked_margin"] == order["blocked_margin"]
    assert account["available_margin"] == account["balance"] - account["blocked_margin"]
    block, charges = rows("SELECT * FROM fund_transaction WHERE order_id = %s ORDER BY id", order["id"])
    assert (block["kind"], block["amount"]) == ("MARGIN_BLOCK", Decimal("80000.00"))
    assert (block["balance_after"], block["blocked_after"]) == (Decimal("1000000.00"), Decimal("80000.00"))
    assert (charges["kind"], charges["amount"]) == ("CHARGES", order["charges"])
    assert (charges["balance_after"], charges["blocked_after"]) == (account["balance"], Decimal("80000.00"))
    assert block["position_id"] is charges["position_id"] is None


def test_margin_and_charges_of_zero_are_not_posted(trader):
    order = buy(trader, 1, "0.02")
    assert (order["blocked_margin"], order["charges"]) == (0, 0)
    assert ledger_of(order) == []


def test_a_market_order_is_priced_at_the_last_traded_price(trader, quote):
    quote("RELIANCE", "2500.00")
    order = buy(trader, 10)
    assert (order["price"], order["blocked_margin"]) == (None, Decimal("5000.00"))
    assert order["charges"] == buy(trader, 10, "2500.00")["charges"]


def test_a_delivery_order_blocks_the_whole_turnover(trader):
    assert buy(trader, 10, "2500.00", product="DELIVERY")["blocked_margin"] == Decimal("25000.00")


def test_an_unknown_stock_is_created(trader):
    order = buy(trader, 1, "10.00", exchange="BSE", symbol="M&M")
    stock = row_of("stock", order["stock_id"])
    assert (stock["exchange"], stock["symbol"], stock["is_active"]) == ("BSE", "M&M", True)
    assert (stock["last_price"], stock["last_price_at"]) == (None, None)


def test_a_known_stock_is_used_again_per_exchange(trader):
    stocks = [buy(trader, 1, "10.00", exchange=exchange)["stock_id"] for exchange in ("NSE", "NSE", "BSE")]
    assert stocks[0] == stocks[1] != stocks[2]


def test_an_inactive_stock_becomes_active_and_keeps_its_price(trader, quote):
    quote("RELIANCE", "2500.00")
    run("UPDATE stock SET is_active = false")
    order = buy(trader, 10)
    stock = row_of("stock", order["stock_id"])
    assert (stock["is_active"], stock["last_price"]) == (True, Decimal("2500.00"))
    assert order["blocked_margin"] == Decimal("5000.00")


def test_an_order_that_only_closes_needs_no_margin(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 10, "500.00")
    assert (order["closing_quantity"], order["blocked_margin"]) == (10, 0)
    assert [kind for kind, _ in ledger_of(order)] == ["CHARGES"]


def test_only_the_quantity_beyond_the_holding_needs_margin_less_what_the_holding_frees(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 30, "200.00")
    assert (order["closing_quantity"], order["blocked_margin"]) == (10, Decimal("800.00") - Decimal("200.00"))


def test_a_flip_that_frees_more_than_it_needs_blocks_nothing(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 15, "100.00")
    assert (order["closing_quantity"], order["blocked_margin"]) == (10, 0)
    assert ledger_of(order) == [("CHARGES", order["charges"])]


def test_flips_do_not_free_the_same_margin_twice(trader):
    hold(trader, "BUY", 10, "100.00")
    first, second = sell(trader, 6, "100.00"), sell(trader, 20, "100.00")
    assert (first["closing_quantity"], second["closing_quantity"]) == (6, 4)
    assert second["blocked_margin"] == Decimal("320.00") - Decimal("80.00")


def test_buying_back_a_short_position_needs_no_margin(trader):
    hold(trader, "SELL", 10, "100.00")
    assert buy(trader, 10, "100.00")["closing_quantity"] == 10


def test_charges_of_a_closing_order_may_take_available_margin_below_zero(account):
    trader = account("200.02").id
    hold(trader, "BUY", 10, "99.00")
    run_down(trader)
    order = sell(trader, 10, "99.00")
    assert order["charges"] > 0
    assert account_now(trader)["available_margin"] == -order["charges"]


def test_charges_of_an_order_that_opens_may_not_take_margin_below_zero(account):
    trader = account("200.02").id
    hold(trader, "BUY", 10, "99.00")
    run_down(trader)
    with pytest.raises(InsufficientMargin):
        sell(trader, 11, "99.00")


def run_down(trader):
    """Withdraw the whole available margin."""
    administration.move_funds(trader, "WITHDRAWAL", account_now(trader)["available_margin"])


def test_the_last_paisa_of_margin_can_be_used_and_not_one_more(account):
    required = sum(row["amount"] for row in needs(account("100000.00").id))
    exact, short = account(str(required)).id, account(str(required - Decimal("0.01"))).id
    buy(exact, 10, "2500.00")
    assert account_now(exact)["available_margin"] == 0
    with pytest.raises(InsufficientMargin) as refusal:
        buy(short, 10, "2500.00")
    assert refusal.value.details == {"required": required, "available": required - Decimal("0.01")}


def needs(trader):
    order = buy(trader, 10, "2500.00")
    return rows("SELECT amount FROM fund_transaction WHERE order_id = %s", order["id"])


def test_pending_orders_of_the_same_side_have_first_claim_on_a_holding(trader):
    hold(trader, "BUY", 10, "100.00")
    assert [sell(trader, 6, "100.00")["closing_quantity"] for _ in range(3)] == [6, 4, 0]


def test_pending_orders_of_the_other_side_product_stock_or_account_claim_nothing(trader, account):
    hold(trader, "BUY", 10, "100.00")
    for other in ({"product": "DELIVERY"}, {"symbol": "TCS"}, {"exchange": "BSE"}):
        hold(trader, "BUY", 10, "100.00", **other)
        assert sell(trader, 10, "100.00", **other)["closing_quantity"] == 10
    buy(trader, 10, "100.00")
    hold(account().id, "BUY", 10, "100.00")
    assert sell(trader, 10, "100.00")["closing_quantity"] == 10


def test_promises_to_buy_back_a_short_position_claim_nothing_of_a_later_long_one(trader):
    hold(trader, "SELL", 10, "100.00")
    assert buy(trader, 10, "100.00")["closing_quantity"] == 10  # stays PENDING
    hold(trader, "BUY", 20, "100.00")
    assert sell(trader, 10, "100.00")["closing_quantity"] == 10


def test_the_promise_of_a_cancelled_order_is_free_again(trader):
    hold(trader, "BUY", 10, "100.00")
    cancel(sell(trader, 10, "100.00"))
    assert sell(trader, 10, "100.00")["closing_quantity"] == 10


def test_delivery_is_sold_only_from_the_holding_that_is_not_promised(trader):
    hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    with pytest.raises(InsufficientHoldings):
        sell(trader, 11, "100.00", product="DELIVERY")
    sell(trader, 6, "100.00", product="DELIVERY")
    with pytest.raises(InsufficientHoldings):
        sell(trader, 5, "100.00", product="DELIVERY")
    assert sell(trader, 4, "100.00", product="DELIVERY")["closing_quantity"] == 4


def test_an_intraday_holding_does_not_cover_a_delivery_sale(trader):
    hold(trader, "BUY", 10, "100.00", product="INTRADAY")
    with pytest.raises(InsufficientHoldings):
        sell(trader, 1, "100.00", product="DELIVERY")


def test_closing_a_position_sells_the_quantity_that_is_not_promised(trader, quote):
    quote("RELIANCE", "120.00")
    position = hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    sell(trader, 3, "100.00", product="DELIVERY")
    order = close(trader, position["id"])
    assert (order["side"], order["quantity"], order["closing_quantity"]) == ("SELL", 7, 7)
    assert (order["order_type"], order["product"], order["symbol"]) == ("MARKET", "DELIVERY", "RELIANCE")
    with pytest.raises(NothingToClose):
        close(trader, position["id"])


def test_closing_a_short_position_buys(trader, quote):
    quote("RELIANCE", "120.00")
    order = close(trader, hold(trader, "SELL", 10, "100.00")["id"])
    assert (order["side"], order["quantity"]) == ("BUY", 10)


def test_a_position_of_another_account_cannot_be_closed(trader, account, quote):
    quote("RELIANCE", "120.00")
    position = hold(account().id, "BUY", 10, "100.00")
    with pytest.raises(NotFound):
        close(trader, position["id"])


def test_every_step_of_a_placement_is_timed(trader):
    request = OrderRequest("NSE", "RELIANCE", "BUY", 1, "LIMIT", Decimal("10.00"))
    with timed() as watch:
        placement.place_order(trader, request, calendar=None)
    assert {"stock", "margin", "reserve", "order", "ledger", "commit"} <= set(watch.steps)
    assert all(length >= 0 for length in watch.steps.values())


def test_placed_at_is_the_database_clock(trader):
    before = one("SELECT clock_timestamp()")
    order = buy(trader, 1, "10.00")
    assert before < order["placed_at"] < one("SELECT clock_timestamp()")
    assert order["placed_at"].utcoffset().total_seconds() == 0


def test_ids_sort_by_time(trader):
    orders = [buy(trader, 1, "10.00") for _ in range(3)]
    assert all(order["id"].version == 7 for order in orders)
    assert [order["id"].int >> 80 for order in orders] == sorted(order["id"].int >> 80 for order in orders)
