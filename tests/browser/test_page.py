"""The page itself: its headers and files, and its accessibility."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.support.processes import ProcessStarter, Running

GRAVE = ("moderate", "serious", "critical")


def grave_violations(desk: Desk, within: str | None = None) -> list[str]:
    found = Axe().run(desk.page, context=within, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]}: {node['failureSummary']}"
        for violation in found
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]


@pytest.fixture
def busy_token(start: ProcessStarter, account: Any, quote: Any) -> str:
    """Return the token of an account, after a price is set and a worker is started."""
    start.worker()
    quote("RELIANCE", "2500.00")
    return str(account().token)


@pytest.mark.acceptance
def test_axe_finds_no_grave_violation_and_the_console_stays_empty(
    desk_of: Callable[..., Desk], web: Running, busy_token: str
) -> None:
    desk = desk_of(web).open()
    for _ in desk.looks():
        assert grave_violations(desk) == []
    desk.log_in(busy_token)
    desk.complaints.clear()  # the refused request by which the desk tests the token's scope
    desk.place(quantity="2")
    expect(desk.orders.first.locator(".state")).to_have_text("Executed")
    expect(desk.estimate("charges")).not_to_have_text("–")
    for _ in desk.looks():
        assert grave_violations(desk) == []
        assert desk.overflow() <= 0
    for scheme in ("light", "dark"):
        desk.page.emulate_media(color_scheme=scheme)
        desk.page.reload()
        desk.wait_until_live()
        assert (desk.complaints, desk.policy_violations()) == ([], [])


@pytest.mark.acceptance
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_grave_violation_in_refusals_and_details(
    desk_of: Callable[..., Desk], web: Running, busy_token: str, scheme: str
) -> None:
    desk = desk_of(web, scheme=scheme).log_in(busy_token)
    desk.place(price="2500.00")
    desk.fill(quantity="0", price="1.234", side="Sell")
    desk.page.locator("#submit").click()
    expect(desk.error_at("quantity")).not_to_be_empty()
    desk.page.get_by_role("button", name="details of this order").first.click()
    expect(desk.page.locator("#detail")).to_be_visible()
    assert grave_violations(desk) == []
    desk.page.keyboard.press("Escape")
    expect(desk.page.locator("#detail")).to_be_hidden()
    assert grave_violations(desk) == []


@pytest.mark.acceptance
def test_every_button_has_a_name_of_its_own(desk_of: Callable[..., Desk], web: Running, busy_token: str) -> None:
    desk = desk_of(web).log_in(busy_token)
    desk.place(quantity="2")
    expect(desk.positions).to_have_count(1)
    names = desk.page.locator("#desk button:visible").evaluate_all(
        "buttons => buttons.map((button) => button.ariaLabel || button.textContent.trim())"
    )
    assert all(names)
    assert len(set(names)) == len(names)


def test_the_page_is_served_with_a_strict_policy(client: Any) -> None:
    answer = client.get("/", headers={"Host": "desk.example:8000"})
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self' ws://desk.example:8000 wss://desk.example:8000",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert b"<style" not in answer.data
    assert b" style=" not in answer.data
    assert answer.data.count(b"<script") == answer.data.count(b"<script src=")


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("desk/main.js", "text/javascript; charset=utf-8"),
        ("desk/desk.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
        ("vendor/uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    ],
)
def test_a_static_file_has_its_content_type_and_is_revalidated(client: Any, name: str, content_type: str) -> None:
    answer = client.get(f"/static/{name}")
    assert (answer.status_code, answer.content_type) == (200, content_type)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers.getlist("Cache-Control") == ["no-cache"]
    again = client.get(f"/static/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name",
    [
        "nothing.js",
        "../desk.py",
        "..%2fdesk.py",
        "%2e%2e/%2e%2e/config.py",
        "vendor/../../app.py",
        "/etc/passwd",
        "vendor/uplot/LICENSE",
        "a%00.js",
        "vendor",
        "",
    ],
)
def test_no_other_path_is_served(client: Any, name: str) -> None:
    answer = client.get(f"/static/{name}")
    assert answer.status_code in (404, 308)
    assert b"import" not in answer.data
