"""A person trades on the desk, with the real web and worker processes behind it."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk
from tests.browser.presses import press_twice
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

PLACEMENTS = re.compile(r"/api/trading/orders$")


def test_an_order_goes_from_pending_to_executed_without_a_reload(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    desk = desk_of(web).log_in(account().token)
    desk.page.evaluate("window.isTheFirstPage = true")
    desk.place(symbol="reliance", quantity="10")
    expect(desk.message).to_have_text("Accepted: buy 10 RELIANCE at market.")
    expect(desk.orders).to_have_count(1)
    expect(desk.orders.first.locator(".state")).to_have_text("Pending")
    expect(desk.fund("blockedMargin")).to_have_text("5,000.00")
    expect(desk.orders.first.locator(".took")).to_be_empty()

    start.worker()
    expect(desk.orders.first.locator(".state")).to_have_text("Executed")
    expect(desk.orders.first.locator(".timeline")).to_have_text(
        re.compile(r"^\d\d:\d\d:\d\d\.\d{3} → \d\d:\d\d:\d\d\.\d{3}$")
    )
    expect(desk.orders.first.locator(".took")).to_have_text(re.compile(r"^[\d.]+ m?s$"))
    expect(desk.positions.first).to_contain_text("+10")
    expect(desk.page.locator("#ledger tr").first).to_be_visible()
    expect(desk.page.locator("#latency-plot canvas")).to_be_visible()
    assert desk.page.evaluate("window.isTheFirstPage")


def test_a_position_shows_its_profit_as_the_price_moves_and_is_closed(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("RELIANCE", "2500.00")
    trader = account("100000000.00")
    desk = desk_of(web).log_in(trader.token)
    expect(desk.fund("balance")).to_have_text("10,00,00,000.00")
    desk.place(quantity="100")
    expect(desk.positions.first.locator(".average")).to_have_text("2,500.00")
    quote("RELIANCE", "2512.50")
    expect(desk.positions.first.locator(".last")).to_have_text("2,512.50")
    expect(desk.positions.first.locator(".unrealized")).to_have_text("+1,250.00")
    expect(desk.fund("unrealizedPnl")).to_have_text("+1,250.00")

    press_twice(desk.page.get_by_role("button", name="Close RELIANCE Intraday"))
    desk.page.mouse.move(0, 0)
    expect(desk.positions).to_have_count(0)
    expect(desk.page.locator("#positions-empty")).to_be_visible()
    trades = requests.get(f"{web.base_url}/api/trading/trades", headers=trader.headers, timeout=10).json()["data"]
    charges = sum(Decimal(trade["charges"]) for trade in trades)
    expect(desk.fund("dayCharges")).to_have_text(f"{charges:,.2f}")
    expect(desk.fund("dayNet")).to_have_text(f"+{1250 - charges:,.2f}")
    expect(desk.fund("blockedMargin")).to_have_text("0.00")
    desk.page.get_by_label("Show closed").check()
    expect(desk.positions.first.locator(".quantity")).to_have_text("Flat")


def test_the_estimate_equals_the_margin_and_charges_of_the_placement(
    desk_of: Callable[..., Desk], web: Running, account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    desk = desk_of(web).log_in(account().token)
    desk.fill(quantity="10", price="2500.00")
    expect(desk.estimate("margin")).to_have_text("5,000.00")
    expect(desk.page.locator("#verdict")).to_have_text("Opens 10 long")
    after = desk.estimate("availableMarginAfter").inner_text()
    desk.page.locator("#submit").click()
    expect(desk.fund("availableMargin")).to_have_text(after)

    desk.fill(quantity="100000", price="2500.00")
    expect(desk.page.locator("#verdict")).to_contain_text("Would be refused: ")


def test_an_invalid_value_is_reported_at_its_field(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web).log_in(account().token)
    desk.place(symbol="", quantity="0", price="12.345")
    expect(desk.error_at("symbol")).not_to_be_empty()
    expect(desk.error_at("quantity")).not_to_be_empty()
    expect(desk.error_at("price")).not_to_be_empty()
    expect(desk.page.get_by_label("Quantity")).to_have_attribute("aria-invalid", "true")
    expect(desk.page.get_by_label("Symbol")).to_be_focused()
    expect(desk.orders).to_have_count(0)

    desk.page.get_by_label("Quantity").fill("5")
    expect(desk.error_at("quantity")).to_be_empty()
    expect(desk.error_at("price")).not_to_be_empty()


def test_a_refusal_for_another_reason_is_reported_in_the_ticket(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    desk = desk_of(web).log_in(account("1000.00").token)
    desk.place(quantity="10", price="2500.00")
    expect(desk.message).to_have_text(
        re.compile(r"^Not enough margin: the order needs 5,0\d\d\.\d\d, and 1,000\.00 is available\.$")
    )
    desk.place(quantity="10")
    expect(desk.message).to_have_text("This stock has no last price yet: use a limit price.")


def test_an_order_that_rests_says_what_it_waits_for_and_fills_by_a_quote(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("RELIANCE", "2510.00")
    desk = desk_of(web).log_in(account(fill_model="QUOTES").token)
    desk.place(price="2500.00")
    expect(desk.orders.first.locator(".state")).to_have_text("Open")
    expect(desk.orders.first.locator(".reason")).to_have_text("Waits for its price")
    expect(desk.page.locator("#open-orders tr .waits")).to_have_text("Its price")

    quote("RELIANCE", "2490.00")
    expect(desk.orders.first.locator(".state")).to_have_text("Executed")
    expect(desk.orders.first.locator(".average")).to_have_text("2,500.00")
    desk.orders.first.get_by_role("button", name="RELIANCE: details of this order").click()
    expect(desk.page.locator("#detail-body")).to_contain_text(
        "Filled at 2,500.00 because last 2,490.00 (the quote has no book) ≤ limit 2,500.00, at which it rested"
    )


def test_a_pending_order_is_cancelled(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web).log_in(account().token)
    desk.place(price="2500.00")
    press_twice(desk.page.get_by_role("button", name="Cancel Buy 10 RELIANCE"))
    expect(desk.orders.first.locator(".state")).to_have_text("Cancelled")
    desk.page.mouse.move(0, 0)
    expect(desk.page.locator("#open-orders tr")).to_have_count(0)
    expect(desk.fund("availableMargin")).to_have_text("10,00,000.00")

    desk.orders.first.get_by_role("button", name="RELIANCE: details of this order").click()
    expect(desk.page.locator("#detail-body")).to_contain_text("Margin release")
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#detail")).to_be_hidden()


def test_a_placement_whose_answer_was_lost_is_sent_again_with_its_key(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    desk, now = desk_of(web).log_in(account().token), datetime.now()
    desk.page.clock.set_fixed_time(now)
    desk.page.route(PLACEMENTS, _lose_the_answer)
    desk.place(price="2500.00")
    expect(desk.message).to_contain_text("the order cannot be placed twice")
    desk.page.unroute(PLACEMENTS)
    desk.page.locator("#submit").click()
    expect(desk.message).to_contain_text("Accepted")
    desk.page.locator("#submit").dblclick()  # the same order twice within half a second is placed once
    desk.page.clock.set_fixed_time(now + timedelta(seconds=1))
    desk.page.locator("#submit").click()
    expect(desk.orders).to_have_count(2)
    first, second, third = desk.placement_keys
    assert first == second != third


def test_an_order_is_placed_by_keyboard_alone(
    desk_of: Callable[..., Desk], web: Running, account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    quote("RELAXO", "800.00")
    desk = desk_of(web).open()
    keyboard = desk.page.keyboard
    expect(desk.page.get_by_label("Token")).to_be_focused()
    keyboard.type(account().token)
    keyboard.press("Enter")
    expect(desk.page.get_by_label("Symbol")).to_be_focused()
    keyboard.press("Alt+KeyS")
    keyboard.type("rel")
    stocks = desk.page.get_by_role("listbox", name="Stocks").get_by_role("option")
    expect(stocks).to_have_count(2)
    keyboard.press("ArrowDown")
    keyboard.press("ArrowDown")
    expect(stocks.nth(1)).to_have_attribute("aria-selected", "true")
    keyboard.press("Enter")
    expect(desk.page.get_by_label("Symbol")).to_have_value("RELIANCE")
    expect(desk.page.get_by_label("Quantity")).to_be_focused()
    keyboard.type("7")
    expect(desk.page.locator("#submit")).to_have_text("Sell 7 RELIANCE")
    keyboard.press("Enter")
    expect(desk.message).to_have_text("Accepted: sell 7 RELIANCE at market.")


def _lose_the_answer(route: Route) -> None:
    route.fetch()
    route.abort()
