"""The operator's page."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk, log_in_to_operations
from tests.browser.test_connection import place
from tests.browser.test_page import grave_violations
from tests.support.dead_letters import bury_next
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]


def log_in(desk: Desk, headers: dict[str, str]) -> Desk:
    return log_in_to_operations(desk, headers["Authorization"].removeprefix("Bearer "))


def figure(desk: Desk, name: str) -> Any:
    return desk.page.locator(f"[data-figure={name}]")


def test_a_dead_letter_is_sent_again_and_its_order_executed(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, headers_for: Any, configured: None
) -> None:
    trader = account()
    place(web, trader.headers)
    bury_next()
    desk = log_in(desk_of(web), headers_for("admin"))
    rows = desk.page.locator("#dead-letters tr")
    expect(rows).to_have_count(1)
    expect(figure(desk, "pending")).to_have_text("1")
    expect(desk.page.locator("#workers")).to_have_text("none seen")
    expect(desk.page.locator("#resting")).to_have_text("0 for a price, 0 for a trigger")
    expect(desk.page.locator("#late-matches")).to_have_text("none")
    rows.get_by_role("button", name="Re-queue execute_order").press("Enter")
    expect(rows).to_have_count(0)
    expect(desk.page.locator("#dead-letters-region")).to_be_focused()
    expect(desk.page.locator("#queues tr").first.locator("[data-label=Waiting]")).to_have_text("1")

    start.worker()
    expect(figure(desk, "pending")).to_have_text("0", timeout=20_000)
    expect(desk.page.locator("#workers")).to_contain_text("1, last seen")
    expect(figure(desk, "p50")).not_to_have_text("–")
    expect(desk.page.locator("#throughput canvas")).to_be_visible()
    assert (desk.complaints, desk.policy_violations()) == ([], [])


def test_axe_finds_no_grave_violation_on_the_operators_page(
    desk_of: Callable[..., Desk], web: Running, account: Any, headers_for: Any, configured: None
) -> None:
    trader = account()
    place(web, trader.headers)
    bury_next()
    desk = desk_of(web)
    desk.page.goto(f"{web.base_url}/ops")
    for _ in desk.looks():
        assert grave_violations(desk) == []
    log_in(desk, headers_for("admin"))
    expect(desk.page.locator("#dead-letters tr")).to_have_count(1)
    for _ in desk.looks():
        assert grave_violations(desk) == []
        assert desk.overflow() <= 0


def test_a_token_without_admin_is_refused_and_a_revoked_token_ends_the_session(
    desk_of: Callable[..., Desk], web: Running, account: Any, headers_for: Any
) -> None:
    admin = headers_for("admin")
    desk = desk_of(web)
    desk.page.goto(f"{web.base_url}/ops")
    desk.page.get_by_label("Token").fill(account().token)
    desk.page.get_by_label("Token").press("Enter")
    expect(desk.page.locator("#token-error")).to_have_text("This token lacks the scope admin.")
    log_in(desk, admin)
    assert desk.page.evaluate("Object.keys(sessionStorage)") == ["tradepost.operator"]
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Token")).to_be_focused()
    assert desk.page.evaluate("sessionStorage.length") == 0


def test_the_operators_page_shows_a_network_failure(
    desk_of: Callable[..., Desk], web: Running, headers_for: Any
) -> None:
    desk = log_in(desk_of(web), headers_for("admin"))
    desk.page.context.set_offline(True)
    expect(desk.light).to_have_attribute("data-state", "stale")
    desk.page.context.set_offline(False)
    desk.wait_until_live()
