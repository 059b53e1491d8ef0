"""Changing, cancelling and closing beside orders that rest, and the preview of orders on quotes."""

import threading
from decimal import Decimal

import pytest

from tests.support.processes import wait_until
from tests.support.trading import account_now, cancel, execute, ledger_of, modify, money, one, order_now, row_of, run
from tests.trading.execution.market import events, let_quote_age, quote, state
from tests.trading.orders.quotes_account import asked, know, place, trade_on_quotes
from trading.orders.closing import close_position
from trading.orders.modification import OrderChange, modify_order
from trading.orders.preview import preview_order
from trading.rules import errors
from trading.upkeep import verify


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.fixture
def trader(account):
    """Return the id of an account with 100,000.00 that trades on quotes; the stock has a quote."""
    trader = trade_on_quotes(account("100000.00").id)
    quote("99.95", "100.00", "99.98")
    return trader


def opened(trader, side, quantity, order_type="LIMIT", **terms):
    """Place an order that rests, and return its row."""
    order = place(trader, side, quantity, order_type, **terms)
    execute(order)
    order = order_now(order)
    assert order["status"] == "OPEN"
    return order


def held(trader, quantity):
    """Buy at the ask of 100.00, and return the position's row."""
    order = place(trader, "BUY", quantity, price="100.00")
    execute(order)
    return row_of("position", order_now(order)["position_id"])


def change(order, **terms):
    prices = {name: Decimal(value) for name, value in terms.items() if name in ("price", "trigger_price")}
    return modify_order(order["account_id"], order["id"], OrderChange(**terms | prices), calendar=None)


def matched(order):
    """Match a resting BUY LIMIT, and return its row."""
    quote("90.00", "90.00", "90.00")
    order = order_now(order)
    assert order["matched_at"] is not None
    return order


def test_a_changed_order_stays_open_and_watches_nothing_until_its_next_look(trader):
    order = opened(trader, "BUY", 100, price="95.00")
    assert order["watch_price"] == 95
    changed = modify(order, price="96.00")
    assert (changed["status"], changed["watch_price"], changed["waiting_for"]) == ("OPEN", None, None)
    assert changed["due_at"] is not None
    assert (changed["placed_at"], changed["expires_at"]) == (order["placed_at"], order["expires_at"])
    quote("94.00", "94.00", "94.00")  # it passes both prices, and does not count
    assert order_now(order)["matched_at"] is None
    quote("95.90", "95.95", "95.95")
    execute(order)
    assert state(order) == ("EXECUTED", money("95.95"))  # judged by its first look


def test_a_change_moves_the_money_of_an_open_order(trader):
    order = opened(trader, "BUY", 100, price="95.00")
    changed = modify(order, quantity=50)
    assert changed["blocked_margin"] == account_now(trader)["blocked_margin"] == money("950.00")
    assert [kind for kind, _ in ledger_of(order)][2:] == ["MARGIN_RELEASE", "CHARGES_REFUND"]
    assert events(order) == ["order.pending", "order.open", "order.modified"]


def test_a_changed_pending_order_is_due_as_before(trader):
    order = place(trader, "BUY", 100, price="95.00")
    assert modify(order, price="96.00")["due_at"] == order["placed_at"]


def test_the_same_terms_change_nothing(trader):
    order = opened(trader, "BUY", 10, "STOP_LIMIT", trigger_price="105.00", price="106.00")
    change(order, quantity=10, trigger_price="105.00", price="106.00", order_type="STOP_LIMIT")
    assert order_now(order) == order


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        (("LIMIT", {"price": "95.00"}), {"order_type": "MARKET"}, (None, None)),
        (("STOP_LIMIT", {"trigger_price": "105.00", "price": "106.00"}), {"order_type": "LIMIT"}, (106, None)),
        (("STOP_LIMIT", {"trigger_price": "105.00", "price": "106.00"}), {"order_type": "MARKET"}, (None, None)),
        (("STOP_MARKET", {"trigger_price": "105.00"}), {"order_type": "LIMIT", "price": "97.00"}, (97, None)),
        (("STOP_MARKET", {"trigger_price": "105.00"}), {"order_type": "MARKET"}, (None, None)),
        (("STOP_MARKET", {"trigger_price": "105.00"}), {"trigger_price": "107.00"}, (None, 107)),
    ],
)
def test_an_order_may_become_one_that_waits_for_less(trader, before, after, kept):
    order_type, terms = before
    changed = change(opened(trader, "BUY", 10, order_type, **terms), **after)
    assert changed["order_type"] == after.get("order_type", order_type)
    assert (changed["price"], changed["trigger_price"]) == kept


@pytest.mark.parametrize(
    ("terms", "after", "field"),
    [
        ({"price": "95.00"}, {"order_type": "STOP_LIMIT"}, "orderType"),
        ({"price": "95.00"}, {"trigger_price": "105.00"}, "triggerPrice"),
        ({"price": "95.00"}, {"order_type": "MARKET", "price": "95.00"}, "price"),
        ({"price": "95.00", "validity": "GTC"}, {"order_type": "MARKET"}, "orderType"),
    ],
)
def test_a_change_that_the_order_does_not_take_names_its_field(trader, terms, after, field):
    order = opened(trader, "BUY", 10, **terms)
    with pytest.raises(errors.Refused) as refusal:
        change(order, **after)
    assert (refusal.value.code, set(refusal.value.details["errors"])) == ("validation_failed", {field})
    assert order_now(order) == order


def test_the_trigger_of_a_triggered_stop_is_not_changed_but_its_price_is(trader):
    order = opened(trader, "BUY", 10, "STOP_LIMIT", trigger_price="105.00", price="106.00")
    quote("106.50", "107.00", "105.50")
    execute(order)
    order = order_now(order)
    assert (order["status"], order["triggered_at"] is not None) == ("OPEN", True)
    with pytest.raises(errors.TriggerNotTaken):
        change(order, trigger_price="108.00")
    changed = change(order, price="104.00")  # below its trigger, which does not count any more
    assert (changed["price"], changed["triggered_at"]) == (104, order["triggered_at"])


def test_a_change_is_checked_as_a_placement_is(trader):
    order = opened(trader, "BUY", 10, "STOP_LIMIT", trigger_price="105.00", price="106.00")
    know(tick_size="0.05", lot_size=10, upper_circuit="110.00")
    for terms, refusal in (
        ({"quantity": 15}, errors.QuantityOffLot),
        ({"price": "106.02"}, errors.PriceOffTick),
        ({"price": "104.00"}, errors.TriggerBeyondPrice),
        ({"trigger_price": "99.00"}, errors.TriggerOnWrongSide),
        ({"price": "110.05"}, errors.PriceOutsideBand),
        ({"quantity": 1_000_000}, errors.InsufficientMargin),
    ):
        with pytest.raises(refusal):
            change(order, **terms)
    assert order_now(order) == order


def test_a_change_keeps_the_fill_model_of_the_order(trader, account):
    order = place(account().id, "BUY", 10, price="95.00")
    trade_on_quotes(order["account_id"])
    know(tick_size="0.05")
    assert modify(order, price="95.02")["fill_model"] == "IMMEDIATE"


def test_the_market_has_traded_a_matched_order(trader):
    order = matched(opened(trader, "BUY", 100, price="95.00"))
    for attempt in (cancel, lambda order: modify(order, quantity=50)):
        with pytest.raises(errors.OrderNotOpen) as refusal:
            attempt(order)
        assert refusal.value.details == {"order_status": "OPEN", "matched_at": order["matched_at"]}
    assert order_now(order) == order
    execute(order)
    assert state(order) == ("EXECUTED", money("95.00"))


def test_a_cancelled_open_order_gives_everything_back(trader):
    before = account_now(trader)["available_margin"]
    order = opened(trader, "BUY", 100, price="95.00")
    cancelled = cancel(order)
    assert (cancelled["status"], cancelled["end_reason"], cancelled["waiting_for"]) == ("CANCELLED", "client", None)
    assert account_now(trader)["available_margin"] == before
    quote("90.00", "90.00", "90.00")
    assert order_now(order)["matched_at"] is None


def test_a_position_is_closed_after_the_orders_that_promise_it_are_cancelled(trader):
    position = held(trader, 10)
    target = opened(trader, "SELL", 6, price="110.00")
    stop = opened(trader, "SELL", 10, "STOP_MARKET", trigger_price="90.00")
    other = opened(trader, "BUY", 5, price="95.00")
    with pytest.raises(errors.NothingToClose):
        close_position(trader, position["id"], calendar=None)
    order = close_position(trader, position["id"], calendar=None, cancel_open_orders=True).order
    assert (order["side"], order["quantity"], order["closing_quantity"]) == ("SELL", 10, 10)
    assert [order_now(each)["status"] for each in (target, stop, other)] == ["CANCELLED", "CANCELLED", "OPEN"]
    assert order_now(target)["end_reason"] == "client"
    execute(order)
    assert row_of("position", position["id"])["quantity"] == 0


def test_a_close_that_is_refused_cancels_nothing(trader):
    position = held(trader, 10)
    target = opened(trader, "SELL", 6, price="110.00")
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL, bid_price = NULL, ask_price = NULL")
    with pytest.raises(errors.NoPrice):
        close_position(trader, position["id"], calendar=None, cancel_open_orders=True)
    assert order_now(target) == target


def test_a_matched_order_keeps_its_promise_when_the_position_is_closed(trader):
    position = held(trader, 10)
    target = opened(trader, "SELL", 6, price="110.00")
    quote("110.00", "110.10", "110.00")
    order = close_position(trader, position["id"], calendar=None, cancel_open_orders=True).order
    assert order["quantity"] == 4
    execute(order, target)
    assert (row_of("position", position["id"])["quantity"], state(target)) == (0, ("EXECUTED", money("110.00")))


def test_a_close_waits_for_a_busy_order_while_it_holds_nothing(trader, connect):
    position = held(trader, 10)
    target = opened(trader, "SELL", 6, price="110.00")
    with connect() as other, other.cursor() as cursor:
        cursor.execute("SELECT FROM trading_order WHERE id = %s FOR NO KEY UPDATE", (str(target["id"]),))
        closing = threading.Thread(
            target=close_position, args=(trader, position["id"]), kwargs={"calendar": None, "cancel_open_orders": True}
        )
        closing.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: one(waits), what="the close waits for the order")
        cursor.execute("SELECT FROM account WHERE id = %s FOR NO KEY UPDATE NOWAIT", (str(trader),))
    closing.join(10)
    assert order_now(target)["status"] == "CANCELLED"
    assert one("SELECT quantity FROM trading_order WHERE order_type = 'MARKET'") == 10


@pytest.mark.parametrize(
    ("side", "order_type", "terms", "look"),
    [
        ("BUY", "LIMIT", {"price": "105.00"}, ("100.00", None)),
        ("BUY", "LIMIT", {"price": "95.00"}, (None, "price")),
        ("BUY", "LIMIT", {"price": "95.00", "validity": "IOC"}, (None, None)),
        ("SELL", "MARKET", {}, ("99.95", None)),
        ("BUY", "STOP_MARKET", {"trigger_price": "105.00"}, (None, "trigger")),
    ],
)
def test_a_preview_tells_the_first_look(trader, side, order_type, terms, look):
    preview = preview_order(trader, asked(side, 10, order_type, **terms), calendar=None)
    price, waiting_for = look
    assert preview.look.fill_price == (price and money(price))
    assert (preview.look.waiting_for, preview.refusal) == (waiting_for, None)
    placed = place(trader, side, 10, order_type, **terms)
    assert (placed["blocked_margin"], placed["charges"]) == (preview.decision.margin, preview.decision.charges.total)


def test_a_preview_on_an_old_quote_waits_for_a_quote(trader):
    let_quote_age()
    preview = preview_order(trader, asked("BUY", 10, "MARKET"), calendar=None)
    assert (preview.look.fills, preview.look.waiting_for) == (False, "quote")


def test_a_preview_of_an_immediate_order_fills_at_its_own_price(account, trader):
    look = preview_order(account().id, asked("BUY", 10, price="95.00"), calendar=None).look
    assert (look.fill_price, look.waiting_for) == (95, None)


def test_a_preview_shows_the_numbers_of_an_order_that_its_stock_does_not_allow(trader):
    know(tick_size="0.05")
    preview = preview_order(trader, asked("BUY", 10, price="95.02"), calendar=None)
    assert (type(preview.refusal), preview.decision.price) == (errors.PriceOffTick, money("95.02"))
