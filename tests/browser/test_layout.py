"""The desk's layout at each width: no sideways scroll, and no number that is cut."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

WIDTHS = (390, 480, 767, 768, 810, 1023, 1024, 1279, 1280, 1440, 1599, 1600, 1920)
# Elements whose text is wider than they are, and cut by them. Names may be shortened with an ellipsis, numbers may not.
CUT_NUMBERS = """
  [...document.querySelectorAll("td, th, dd, .num, button")].filter((element) => {
    const style = getComputedStyle(element);
    const isShown = element.checkVisibility() && element.clientWidth > 1;
    return isShown && style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1
      && /\\d/.test(element.textContent);
  }).map((element) => `${element.className || element.tagName}: ${element.textContent}`)
"""
# The right edge of each number lies within its panel, also where its cell does not cut it.
OUTSIDE = """
  [...document.querySelectorAll("#books td, #books th, #funds dd")].filter((element) => {
    if (!element.checkVisibility() || !/\\d/.test(element.textContent)) return false;
    const range = document.createRange();
    range.selectNodeContents(element);
    const panel = element.closest(".panel, .funds").getBoundingClientRect();
    const text = range.getBoundingClientRect();
    return text.width > 0 && (text.right > panel.right + 1 || text.left < panel.left - 1);
  }).map((element) => `${element.className}: ${element.textContent}`)
"""
# The count of the funds in each row.
FUNDS_IN_ROWS = """
  Object.values(Object.groupBy(document.querySelectorAll("#funds dd"), (dd) => dd.closest("div").offsetTop))
    .map((row) => row.length)
"""


def test_no_width_scrolls_sideways_or_cuts_a_number(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("BAJAJHLDNG", "123456.75")
    desk = desk_of(web).log_in(account("98765432.10").token)
    desk.place(symbol="BAJAJHLDNG", quantity="1234")
    expect(desk.positions.first.locator(".quantity")).to_have_text("+1,234")
    quote("BAJAJHLDNG", "113456.75")
    expect(desk.positions.first.locator(".unrealized")).to_contain_text("1,23,40,000.00")
    expect(desk.page.locator("#ledger tr").first).to_be_attached()
    for width in WIDTHS:
        desk.page.set_viewport_size({"width": width, "height": 900})
        assert desk.overflow() <= 0, width
        assert desk.page.evaluate(CUT_NUMBERS) == [], width
        assert desk.page.evaluate(OUTSIDE) == [], (width, desk.page.evaluate(OUTSIDE))
        columns = 2 if width < 768 else 3 if width < 1280 else 6
        assert desk.page.evaluate(FUNDS_IN_ROWS) == [columns] * (6 // columns), width


def test_the_ticket_stands_beside_the_books_from_1280_px_and_above_them_below(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    desk = desk_of(web).log_in(account().token)

    def place_of(selector: str) -> tuple[float, float]:
        box = desk.page.locator(selector).bounding_box()
        assert box is not None
        return box["x"], box["y"]

    for width, columns in ((1920, 3), (1280, 3), (768, 2), (390, 1)):
        desk.page.set_viewport_size({"width": width, "height": 900})
        parts = [place_of(selector) for selector in ("section.ticket", "#watch-panel", "#books")]
        (ticket_x, ticket_y), (watch_x, watch_y), (books_x, books_y) = parts
        if columns == 3:
            assert watch_x <= books_x < ticket_x, width
        elif columns == 2:
            assert ticket_x < watch_x, width
            assert ticket_y < books_y, width
        else:
            assert ticket_y < watch_y < books_y, width
