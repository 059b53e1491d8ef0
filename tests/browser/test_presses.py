"""No press on the desk does more than the person has decided: double clicks, and rows that move under the pointer."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.browser.desk import Desk
from tests.browser.presses import DECISION_MS, press_twice
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

DOUBLE_CLICK_MS = 150
ORDER = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}


def orders_of(web: Running, headers: dict[str, str]) -> list[dict[str, Any]]:
    answer = requests.get(f"{web.base_url}/api/trading/orders", headers=headers, timeout=10)
    return list(answer.json()["data"])


def place(web: Running, headers: dict[str, str], **changes: Any) -> None:
    answer = requests.post(f"{web.base_url}/api/trading/orders", json=ORDER | changes, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


def place_of(button: Locator) -> FloatRect:
    button.scroll_into_view_if_needed()
    box = button.bounding_box()
    assert box is not None
    return box


def click_at(page: Page, box: FloatRect, times: int) -> None:
    """Click at one place several times, as fast as a double click."""
    for number in range(times):
        if number:
            page.wait_for_timeout(DOUBLE_CLICK_MS)
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def test_clicks_on_close_150_ms_apart_sell_no_second_position(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("INFY", "100.00")
    quote("RELIANCE", "2500.00")
    trader = account()
    desk = desk_of(web).log_in(trader.token)
    for number, symbol in enumerate(("INFY", "RELIANCE"), 1):
        desk.place(symbol=symbol)
        expect(desk.positions).to_have_count(number)  # two orders may be executed in either order
    expect(desk.page.locator("#positions[data-moved]")).to_have_count(0)
    first = desk.positions.first
    close = place_of(first.get_by_role("button", name="Close RELIANCE Intraday"))
    click_at(desk.page, close, 2)
    expect(desk.page.locator("#notice")).to_have_text("Press again to close RELIANCE Intraday: sell 10 at market.")
    assert len(orders_of(web, trader.headers)) == 2

    desk.page.wait_for_timeout(DECISION_MS)
    click_at(desk.page, close, 4)
    expect(first).to_have_class(re.compile("is-gone"))
    assert first.bounding_box() is not None
    click_at(desk.page, close, 4)
    desk.page.mouse.move(0, 0)
    expect(desk.positions).to_have_count(1)
    click_at(desk.page, close, 4)  # the next row has slid to this place
    desk.page.mouse.move(0, 0)
    sold = [order["symbol"] for order in orders_of(web, trader.headers) if order["side"] == "SELL"]
    assert sold == ["RELIANCE"]


def test_clicks_on_cancel_150_ms_apart_cancel_no_second_order(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader = account()
    for quantity in (1, 2, 3):
        place(web, trader.headers, quantity=quantity)
    desk = desk_of(web).log_in(trader.token)
    rows = desk.page.locator("#open-orders tr")
    expect(rows).to_have_count(3)
    cancel = place_of(rows.first.get_by_role("button", name="Cancel Buy 3 INFY"))
    click_at(desk.page, cancel, 2)
    desk.page.wait_for_timeout(DECISION_MS)
    click_at(desk.page, cancel, 4)
    expect(rows.first.locator(".waits")).to_have_text("Cancelled")
    click_at(desk.page, cancel, 4)
    desk.page.mouse.move(0, 0)
    expect(rows).to_have_count(2)
    ended = [order["quantity"] for order in orders_of(web, trader.headers) if order["status"] == "CANCELLED"]
    assert ended == [3]

    button = rows.first.get_by_role("button", name="Cancel Buy 2 INFY")
    button.click()
    expect(rows.first.locator(".is-armed")).to_have_text("Sure?")
    expect(rows.first.locator(".is-armed")).to_have_count(0)  # after 4 s
    press_twice(button)
    expect(desk.page.locator("#open-orders-count")).to_have_text("1")


def test_a_click_within_600_ms_after_rows_have_moved_is_ignored(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader = account()
    place(web, trader.headers)
    desk = desk_of(web).log_in(trader.token)
    rows = desk.page.locator("#open-orders tr")
    cancel = place_of(rows.first.get_by_role("button", name="Cancel Buy 1 INFY"))
    place(web, trader.headers, quantity=2)  # its row takes the place of the first
    expect(rows.first.locator(".quantity")).to_have_text("2")
    click_at(desk.page, cancel, 1)
    expect(desk.page.locator("#notice")).to_have_text("The rows have just moved: look, and press again.")
    expect(desk.page.locator(".is-armed")).to_have_count(0)
    expect(desk.page.locator("#open-orders[data-moved]")).to_have_count(0)
    click_at(desk.page, cancel, 1)
    expect(rows.first.locator(".is-armed")).to_be_visible()

    place(web, trader.headers, quantity=4)  # the pointer is over the table now: nothing moves
    expect(rows).to_have_count(3)
    expect(rows.first.locator(".quantity")).to_have_text("2")
    desk.page.mouse.move(0, 0)
    expect(rows.first.locator(".quantity")).to_have_text("4")
    rows.first.get_by_role("button", name="Cancel Buy 4 INFY").focus()
    desk.page.keyboard.down("Enter")
    desk.page.keyboard.down("Enter")  # held down, it repeats
    desk.page.wait_for_timeout(DECISION_MS)
    desk.page.keyboard.down("Enter")
    expect(rows.first.locator(".is-armed")).to_be_visible()
    assert [order["status"] for order in orders_of(web, trader.headers)] == ["PENDING"] * 3
    desk.page.keyboard.up("Enter")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator("#open-orders-count")).to_have_text("2")
