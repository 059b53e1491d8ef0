"""The ticket: its terms, its estimate, its questions and its refusals."""

import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk
from tests.browser.quotes import Feed
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

# Press the button again soon after it has begun to ask, as the second press of a slow double click does.
PRESS_SOON = """
  const button = document.getElementById("submit");
  new MutationObserver((_, observer) => {
    if (!button.dataset.step) return;
    observer.disconnect();
    setTimeout(() => { button.click(); button.dataset.pressed = "soon"; }, 50);
  }).observe(button, { attributes: true });
"""
PLACEMENTS = re.compile(r"/api/trading/orders$")
SEARCHES = re.compile(r"/api/market/stocks\?search=")
PREVIEWS = "/orders/preview"
MISTAKEN_PRICES = {
    "0": "Must be from 0.01 to 1,00,00,000.00.",
    "-5": "Must be from 0.01 to 1,00,00,000.00.",
    "1e3": "Write digits, such as 1050.00.",
    "1864.455": "At most two decimals.",
    "1864,45": "Write 1864.45.",
    ".5": "Write 0.5.",
    "1800.": "Write 1800.",
}
MISTAKEN_QUANTITIES = {
    "0": "Must be from 1 to 10,00,000.",
    "1000001": "Must be from 1 to 10,00,000.",
    "1.5": "Must be a whole number from 1 to 10,00,000.",
}
BOOK = {"lastPrice": "2500.00", "bidPrice": "2499.00", "askPrice": "2501.00", "bidQuantity": 120, "askQuantity": 75}


def orders_of(web: Running, trader: Any) -> list[dict[str, Any]]:
    answer = requests.get(f"{web.base_url}/api/trading/orders", headers=trader.headers, timeout=10)
    return list(answer.json()["data"])


def test_enter_picks_a_suggestion_and_never_sends_the_order(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("TATAMOTORS", lastPrice="900.00")
    feed("TATAPOWER", lastPrice="400.00")
    trader = account()
    desk = desk_of(web).log_in(trader.token)
    desk.fill(symbol="", quantity="1", price="500")
    symbol, quantity = desk.page.get_by_label("Symbol"), desk.page.get_by_label("Quantity")
    suggestions = desk.page.locator("#symbol-list [role=option]")
    symbol.press_sequentially("TATA")
    expect(suggestions).to_have_count(2)
    symbol.press("Enter")
    expect(symbol).to_have_value("TATAMOTORS")
    expect(quantity).to_be_focused()

    # Enter before the suggestions have come sends nothing either, and a space does not leave an old list open.
    routes: list[Route] = []
    desk.page.route(SEARCHES, lambda route: routes.append(route))
    symbol.fill("")
    symbol.press_sequentially("TATAPOWER")
    symbol.press("Enter")
    expect(symbol).to_be_focused()
    while not routes:
        desk.page.wait_for_timeout(20)
    symbol.press("Enter")
    for route in routes:
        route.continue_()
    desk.page.unroute(SEARCHES)
    expect(quantity).to_be_focused()
    expect(symbol).to_have_value("TATAPOWER")
    symbol.press_sequentially(" q")
    expect(desk.page.locator("#symbol-list")).to_be_hidden()
    assert desk.placement_keys == []
    assert orders_of(web, trader) == []


def test_an_unknown_symbol_is_asked_about_and_a_double_click_does_not_answer(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", **BOOK)
    desk = desk_of(web).log_in(account().token)
    button = desk.page.locator("#submit")
    desk.fill(symbol="RELAINCE", price="2500.00")
    desk.page.evaluate(PRESS_SOON)
    button.dblclick()
    expect(desk.message).to_have_text("Nobody has quoted or imported RELAINCE. Place anyway?")
    expect(button).to_have_text("Place RELAINCE anyway")
    expect(button).to_have_attribute("data-pressed", "soon")
    expect(button).to_be_enabled()
    assert desk.placement_keys == []
    desk.page.get_by_label("Symbol").fill("RELIANCE")
    expect(desk.message).to_be_empty()
    expect(button).to_have_text("Buy 10 RELIANCE")

    desk.fill(symbol="RELAINCE", price="2500.00")
    button.click()
    expect(button).to_have_text("Place RELAINCE anyway")
    expect(button).to_be_enabled()
    button.click()
    expect(desk.message).to_have_text("Accepted: buy 10 RELAINCE at 2,500.00.")
    expect(button).to_have_text("Buy 10 RELAINCE")


def test_a_refused_unknown_symbol_suggests_the_nearest_ones_and_asks_no_question(
    desk_of: Callable[..., Desk], start: ProcessStarter, account: Any, headers_for: Any
) -> None:
    web = start.web(UNKNOWN_SYMBOLS="refuse")
    Feed(web.base_url, headers_for("feed"))("RELIANCE", **BOOK)
    desk = desk_of(web).log_in(account().token)
    desk.fill(symbol="RELAINCE", price="2500.00")
    expect(desk.page.locator("#verdict")).to_have_text(
        "Would be refused: nobody has quoted or imported RELAINCE. Did you mean NSE RELIANCE?"
    )
    desk.page.locator("#submit").click()
    expect(desk.error_at("symbol")).to_have_text("Nobody has quoted or imported RELAINCE. Did you mean NSE RELIANCE?")
    expect(desk.message).to_have_text("Not placed. Nobody has quoted or imported RELAINCE. Did you mean NSE RELIANCE?")
    expect(desk.page.locator("#symbol-list [role=option]")).to_have_count(1)
    desk.page.get_by_label("Symbol").press("Enter")
    expect(desk.page.get_by_label("Symbol")).to_have_value("RELIANCE")
    expect(desk.page.get_by_label("Quantity")).to_be_focused()
    expect(desk.error_at("symbol")).to_be_empty()
    desk.page.locator("#submit").click()
    expect(desk.message).to_have_text("Accepted: buy 10 RELIANCE at 2,500.00.")


def test_the_ticket_reads_its_own_numbers_and_forgets_old_prices_and_messages(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", **BOOK)
    trader = account("1000000000.00")
    desk = desk_of(web).log_in(trader.token)
    desk.place(quantity="1,000", price="4,013.05")
    expect(desk.message).to_have_text("Accepted: buy 1,000 RELIANCE at 4,013.05.")
    desk.place(quantity="1,00,000", price=" ₹10,013.5 ")
    expect(desk.message).to_have_text("Accepted: buy 1,00,000 RELIANCE at 10,013.50.")
    placed = {(order["quantity"], order["price"]) for order in orders_of(web, trader)}
    assert placed == {(1_000, "4013.05"), (100_000, "10013.50")}

    price = desk.page.locator("#price")
    desk.page.locator("#ticket").get_by_role("radio", name="Market").check()
    expect(price).to_have_value("")
    expect(desk.message).to_be_empty()
    desk.page.locator("#ticket").get_by_role("radio", name="Limit").check()
    expect(price).to_have_value("")

    # A mistake is said at its field before anything is sent.
    previews: list[dict[str, Any]] = []
    desk.page.on("request", lambda request: PREVIEWS in request.url and previews.append(request.post_data_json))
    ticket = desk.page.locator("#ticket")
    for price_text, message in MISTAKEN_PRICES.items():
        ticket.get_by_label("Price").fill(price_text)
        expect(desk.error_at("price")).to_have_text(message)
    expect(ticket.get_by_label("Price")).to_be_focused()
    expect(desk.page.locator("#outlook")).to_have_text("Correct the order for an estimate.")
    ticket.get_by_label("Price").fill("1864.45")
    for quantity, message in MISTAKEN_QUANTITIES.items():
        ticket.get_by_label("Quantity").fill(quantity)
        ticket.get_by_label("Quantity").blur()
        expect(desk.error_at("quantity")).to_have_text(message)
    ticket.get_by_label("Quantity").fill("7")
    ticket.get_by_label("Symbol").fill("RELIANCE LTD")
    ticket.get_by_label("Symbol").blur()
    expect(desk.error_at("symbol")).to_have_text("A symbol has letters, digits and & _ . - only.")
    ticket.get_by_label("Symbol").fill("")
    desk.page.locator("#submit").click()
    expect(desk.error_at("symbol")).to_have_text("Choose a stock.")
    assert len(desk.placement_keys) == 2
    assert {(order["quantity"], order["price"]) for order in previews} <= {(100_000, "1864.45"), (7, "1864.45")}


def test_the_estimate_says_when_the_order_fills_and_the_position_after_it(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, feed: Feed
) -> None:
    start.worker()
    feed("RELIANCE", **BOOK)
    desk = desk_of(web).log_in(account(fill_model="QUOTES").token)
    outlook, verdict = desk.page.locator("#outlook"), desk.page.locator("#verdict")
    desk.place(quantity="12")
    expect(desk.positions.first).to_contain_text("+12")
    desk.fill(quantity="1")
    expect(outlook).to_have_text("Fills now at 2,501.00")
    expect(verdict).to_have_text("Opens 1 long, then 13 long in all")
    expect(desk.page.locator("#estimate dt").first).to_have_text("Reserved at")

    # Ticks move it, at most once a second.
    previews: list[str] = []
    desk.page.on("request", lambda request: PREVIEWS in request.url and previews.append(request.url))
    begun = time.monotonic()
    for tick in range(1, 9):
        feed("RELIANCE", **BOOK | {"lastPrice": f"250{tick}.00", "askPrice": f"251{tick}.00"})
        desk.page.wait_for_timeout(300)
    expect(outlook).to_have_text("Fills now at 2,518.00")
    expect(outlook).to_have_attribute("aria-live", "off")
    assert 1 <= len(previews) <= time.monotonic() - begun + 2
    feed("RELIANCE", **BOOK)
    expect(outlook).to_have_text("Fills now at 2,501.00")
    desk.fill(quantity="15", price="2,499.50", side="Sell")
    expect(outlook).to_have_text("Rests until the bid is at or above 2,499.50")
    expect(verdict).to_have_text("Closes 12, opens 3 short, then 3 short in all")
    desk.page.locator("#bid").click()
    expect(desk.page.locator("#price")).to_have_value("2499.00")
    expect(outlook).to_have_text("Fills now at 2,499.00")

    desk.fill(quantity="5")
    desk.page.locator("#ask").click()
    expect(desk.page.get_by_role("radio", name="Limit")).to_be_checked()
    expect(desk.page.locator("#price")).to_have_value("2501.00")
    desk.page.get_by_role("radio", name="SL-M").check()
    desk.page.get_by_label("Trigger").fill("2550")
    expect(outlook).to_have_text("Waits for a trade at or above 2,550.00")
    expect(desk.page.locator("#trigger-hint")).to_have_text("Waits until a trade is at or above the trigger.")
    desk.fill(quantity="5", price="2400")
    desk.page.locator("#more summary").click()
    desk.page.get_by_label("Validity").select_option("IOC")
    expect(outlook).to_have_text("Ends at once without a fill: the market is not at this price")
    desk.page.locator("#submit").click()
    expect(desk.message).to_have_text("Ended without a fill: the market was not at its price.")


def test_a_stop_is_placed_with_all_its_terms_and_a_refusal_stands_at_its_field(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", **BOOK)
    feed("INFY", lastPrice="1500.00")
    trader = account(fill_model="QUOTES")
    desk = desk_of(web).log_in(trader.token)
    desk.fill(quantity="5")
    ticket = desk.page.locator("#ticket")
    ticket.get_by_role("radio", name="SL", exact=True).check()
    ticket.get_by_label("Price").fill("2,560.00")
    ticket.get_by_label("Trigger").fill("2,490.00")
    desk.page.locator("#submit").click()
    expect(desk.error_at("triggerPrice")).to_have_text("The last price, 2,500.00, has reached the trigger already.")
    expect(ticket.get_by_label("Trigger")).to_be_focused()
    ticket.get_by_label("Trigger").fill("2,550.00")
    expect(desk.error_at("triggerPrice")).to_be_empty()
    desk.page.locator("#more summary").click()
    expect(ticket.get_by_label("Validity").locator("option:enabled")).to_have_text(["Day", "Minutes", "GTC"])
    ticket.get_by_label("Validity").select_option("TTL")
    ticket.get_by_label("Minutes").fill("1,441")
    desk.page.locator("#submit").click()
    expect(desk.error_at("validityMinutes")).to_have_text("Must be from 1 to 1,440.")
    ticket.get_by_label("Minutes").fill("90")
    ticket.get_by_label("After hours").check()
    expect(desk.page.locator("#more-summary")).to_have_text("90 minutes, after hours")
    desk.page.locator("#submit").click()
    expect(desk.message).to_have_text("Accepted: buy 5 RELIANCE at 2,560.00 when 2,550.00 is traded.")

    ticket.get_by_role("radio", name="SL-M").check()
    ticket.get_by_label("Validity").select_option("GTC")
    ticket.get_by_label("Protection").fill("2.5")
    desk.page.locator("#submit").click()
    expect(desk.message).to_contain_text("Accepted")
    newest, first = orders_of(web, trader)
    assert (newest["orderType"], newest["validity"], newest["marketProtection"]) == ("STOP_MARKET", "GTC", "2.50")
    terms = ("orderType", "price", "triggerPrice", "validity", "validityMinutes", "afterMarket")
    assert [first[term] for term in terms] == ["STOP_LIMIT", "2560.00", "2550.00", "TTL", 90, True]
    ticket.get_by_role("radio", name="Market").check()
    expect(ticket.get_by_label("Validity")).to_have_value("DAY")

    # The folded terms are those of one order: a row brings its own, and another stock none.
    folded = desk.page.locator("#more-summary")
    ticket.get_by_label("Validity").select_option("IOC")
    ticket.get_by_label("After hours").check()
    expect(folded).to_have_text("at once or not (IOC), protection 2.5 %, after hours")
    desk.page.locator("#watch-list li[data-key='NSE:RELIANCE'] .watch-row").click()
    expect(folded).to_have_text("at once or not (IOC), protection 2.5 %, after hours")
    desk.page.locator("#watch-list li[data-key='NSE:INFY'] .watch-row").click()
    expect(folded).to_have_text("day")
    desk.orders.nth(0).locator(".price").click()
    expect(folded).to_have_text("until cancelled (GTC), protection 2.50 %, after hours")
    desk.orders.nth(1).locator(".price").click()
    expect(folded).to_have_text("90 minutes, after hours")
    desk.page.get_by_role("button", name="Sell RELIANCE by the ticket").click()
    expect(folded).to_have_text("day")


def test_a_refusal_that_the_desk_knows_is_said_before_and_a_closed_market_names_the_zone(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", **BOOK)
    desk = desk_of(web).log_in(account().token)
    desk.fill(quantity="5")
    desk.page.get_by_role("radio", name="SL-M").check()
    refusal = "This account fills orders at once, so that stops are not simulated. Its fill model must be QUOTES."
    expect(desk.error_at("orderType")).to_have_text(refusal)
    desk.page.get_by_label("Trigger").fill("2550.00")
    desk.page.locator("#submit").click()
    expect(desk.message).to_have_text("Not placed: correct the marked fields.")
    assert desk.placement_keys == []

    desk.page.route(PLACEMENTS, _refuse_as_closed)
    desk.place(quantity="5")
    expect(desk.message).to_contain_text("The market is closed; it opens Mon 30 Nov 09:15 IST · Mon 30 Nov 03:45 UTC.")


def test_a_row_that_is_pressed_before_the_ticket_is_there_fills_it(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", **BOOK)
    trader = account()
    order = {
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "side": "SELL",
        "quantity": 7,
        "orderType": "LIMIT",
        "price": "2600.00",
    }
    requests.post(f"{web.base_url}/api/trading/orders", json=order, headers=trader.headers, timeout=10)
    desk, routes = desk_of(web), list[Route]()
    desk.page.route(re.compile(r"/desk/later\.js"), lambda route: routes.append(route))
    desk.log_in(trader.token)
    desk.orders.first.locator(".price").click()
    while not routes:
        desk.page.wait_for_timeout(20)
    for route in routes:
        route.continue_()
    expect(desk.page.locator("#submit")).to_have_text("Sell 7 RELIANCE")
    expect(desk.page.locator("#price")).to_have_value("2600.00")


def _refuse_as_closed(route: Route) -> None:
    problem = {"code": "market_closed", "detail": "The market is closed.", "nextOpen": "2026-11-30T03:45:00Z"}
    route.fulfill(status=422, content_type="application/problem+json", body=json.dumps(problem))
