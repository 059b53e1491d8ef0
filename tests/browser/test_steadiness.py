"""The layout of the desk does not shift by itself, and its sums agree in every frame."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.browser.quotes import Feed
from tests.support.processes import ProcessStarter, Running

# "To provide a good user experience, sites should strive to have a CLS score of 0.1 or less" (web.dev/articles/cls,
# read 2026-11). That score is of the worst five seconds; this is the sum of all shifts, which is never smaller.
GOOD_SCORE = 0.1
# Shifts within 500 ms of a click or key are caused by the person (hadRecentInput), and not counted.
WATCH_SHIFTS = """
  window.shifts = [];
  const nameOf = ({ node }) => node?.id ? `#${node.id}` : node?.className || node?.nodeName;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.hadRecentInput) window.shifts.push({ value: entry.value, sources: entry.sources.map(nameOf) });
    }
  }).observe({ type: "layout-shift", buffered: true });
"""
# [unrealised, net] of the funds, then of the total of the positions.
WATCH_SUMS = """
  window.sums = [];
  const textOf = (selector) => document.querySelector(selector).textContent;
  const look = () => {
    window.sums.push(["#funds [data-field=unrealizedPnl]", "#funds [data-field=dayNet]",
      "#positions-total .unrealized", "#positions-total .net"].map(textOf));
    requestAnimationFrame(look);
  };
  look();
"""


def check_sums(desk: Desk, feed: Feed) -> None:
    """Move the price for some seconds, and compare the funds with the total of the positions in each frame."""
    desk.page.evaluate(WATCH_SUMS)
    for step in range(10):
        feed("RELIANCE", lastPrice=f"25{step + 20}.00")
        expect(desk.positions.first.locator(".last")).to_have_text(f"2,5{step + 20}.00")
    sums = desk.page.evaluate("window.sums")
    assert len({tuple(frame) for frame in sums}) >= 10
    assert [frame for frame in sums if frame[:2] != frame[2:]] == []


def check_age(desk: Desk) -> None:
    """Let a minute pass without a quote: the sums with old prices are grey, and tell the age."""
    ages = desk.page.locator("#funds .age")
    expect(ages).to_have_text(["", ""])
    desk.page.evaluate("const now = Date.now; Date.now = () => now() + 60_000")
    expect(ages).to_have_text([re.compile(r"^6\d s$")] * 2)
    for name in ("unrealizedPnl", "dayNet"):
        expect(desk.fund(name)).to_have_class("is-old")


@pytest.mark.acceptance
@pytest.mark.parametrize("width", [1280, 390])
def test_the_layout_does_not_shift_while_the_desk_loads_and_an_order_is_filled(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any, feed: Feed, width: int
) -> None:
    quote("RELIANCE", "2500.00")
    desk = desk_of(web, width=width)
    desk.page.add_init_script(WATCH_SHIFTS)
    desk.log_in(account().token)
    expect(desk.fund("balance")).to_have_text("10,00,000.00")
    desk.place(quantity="10")
    expect(desk.orders.first.locator(".state")).to_have_text("Pending")
    desk.orders.first.scroll_into_view_if_needed()  # past the empty table of positions
    start.worker()  # starting takes longer than the 500 ms of recent input
    expect(desk.orders.first.locator(".state")).to_have_text("Executed")
    expect(desk.positions.first).to_contain_text("+10")
    expect(desk.page.locator("#latency-plot canvas")).to_be_visible()
    quote("RELIANCE", "2512.50")
    expect(desk.positions.first.locator(".unrealized")).to_have_text("+125.00")
    shifts = desk.page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) < GOOD_SCORE, shifts

    desk.page.reload()
    desk.wait_until_live()
    expect(desk.positions.first).to_contain_text("+10")
    expect(desk.page.locator("#session")).to_be_visible()
    check_sums(desk, feed)
    shifts = desk.page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) < GOOD_SCORE, shifts
    check_age(desk)


@pytest.mark.acceptance
def test_a_layout_shift_is_detected(desk_of: Callable[..., Desk], web: Running) -> None:
    desk = desk_of(web)
    desk.page.add_init_script(WATCH_SHIFTS)
    desk.open()
    desk.page.evaluate("document.getElementById('login-form').style.marginTop = '300px'")
    desk.page.wait_for_function("() => window.shifts.length > 0")
