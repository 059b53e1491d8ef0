"""The desk's clock: the session with its countdown, both zones, and the age of prices."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

NO_CHARGES_YET = "0.00"


def test_the_bar_shows_the_session_with_its_countdown_and_the_time_in_both_zones(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    desk = desk_of(web, timezone="Europe/Berlin").log_in(account().token)
    # Without a calendar the market closes at midnight in India.
    expect(desk.page.locator("#session")).to_have_attribute("data-state", "open")
    expect(desk.page.locator("#session-countdown")).to_have_text(re.compile(r"^closes in (\d+:)?\d+:\d\d$"))
    expect(desk.page.locator("#session")).to_have_attribute(
        "title", re.compile(r"Closes .*00:00 IST · .*(19:30 GMT\+1|20:30 GMT\+2|CES?T)")
    )
    expect(desk.page.locator("#time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d IST · \d\d:\d\d (GMT\+\d|CES?T)$"))
    first = desk.page.locator("#session-countdown").inner_text()
    expect(desk.page.locator("#session-countdown")).not_to_have_text(first)


def test_an_indian_trader_reads_one_time(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web, timezone="Asia/Kolkata").log_in(account().token)
    expect(desk.page.locator("#time")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d IST$"))


def test_a_price_is_grey_when_its_quote_is_old_by_the_servers_clock(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("RELIANCE", "2500.00")
    desk = desk_of(web)
    desk.page.clock.install()
    desk.log_in(account().token)
    desk.place(quantity="2")
    old = desk.positions.first.locator(".is-old")
    expect(desk.positions.first.locator(".last")).to_have_text("2,500.00")
    expect(old).to_have_count(0)
    desk.page.clock.fast_forward(20_000)
    expect(old).not_to_have_count(0)
    # The browser's clock is now 20 seconds ahead; the next reading of the server's corrects that.
    desk.page.clock.fast_forward(60_000)
    quote("RELIANCE", "2501.00")
    expect(desk.positions.first.locator(".last")).to_have_text("2,501.00")
    expect(old).to_have_count(0)


def test_the_days_profit_is_what_is_left_after_charges(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("RELIANCE", "2500.00")
    desk = desk_of(web).log_in(account().token)
    expect(desk.fund("dayCharges")).to_have_text(NO_CHARGES_YET)
    desk.place(quantity="10")
    expect(desk.positions.first.locator(".quantity")).to_have_text("+10")
    expect(desk.fund("dayCharges")).not_to_have_text(NO_CHARGES_YET)
    charges = desk.fund("dayCharges").inner_text()
    expect(desk.fund("dayNet")).to_have_text(f"−{charges}")
    expect(desk.fund("dayNet")).to_have_class("loss")
