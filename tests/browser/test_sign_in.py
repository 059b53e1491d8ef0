"""The desk's sign-in: in one tab or in all, by a link, and its end."""

from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.desk import Desk, Held
from tests.support.processes import Running

pytestmark = [pytest.mark.acceptance]

REVOKED = "The token was revoked or has expired. Sign in with another one."


def another_tab(desk: Desk) -> Desk:
    """Open the page in a second tab of the same browser."""
    return Desk(desk.page.context.new_page(), desk.base_url).open()


def stored(page: Page) -> list[str]:
    """Return the names under which the page has stored something, in the tab and in the browser."""
    return list(page.evaluate("[...Object.keys(sessionStorage), ...Object.keys(localStorage)]"))


def mortal_token(web: Running, account_id: Any, admin: dict[str, str]) -> tuple[str, Callable[[], Any]]:
    """Create a token of an account, and return it with a function that revokes it."""
    body = {"scopes": ["read", "trade"]}
    path = f"{web.base_url}/api/admin/accounts/{account_id}/tokens"
    made = requests.post(path, json=body, headers=admin, timeout=10).json()
    address = f"{web.base_url}/api/admin/tokens/{made['tokenId']}"
    return made["token"], lambda: requests.delete(address, headers=admin, timeout=10).raise_for_status()


def test_a_token_is_kept_in_its_tab_unless_the_person_asks_for_all_tabs(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader = account()
    first = desk_of(web).log_in(trader.token)
    second = another_tab(first)
    expect(second.page.get_by_label("Token")).to_be_focused()

    second.page.get_by_label("Stay signed in").check()
    second.page.get_by_label("Token").fill(trader.token)
    second.page.get_by_label("Token").press("Enter")
    second.wait_until_live()
    third = another_tab(second)
    third.wait_until_live()
    assert "tradepost.token" not in third.page.evaluate("Object.keys(sessionStorage)")

    third.page.get_by_role("button", name="Sign out").click()
    expect(third.page.get_by_label("Token")).to_be_focused()
    expect(second.page.locator("#token-error")).to_have_text("You signed out in another tab.")
    expect(second.page.locator("#desk")).to_be_hidden()
    assert trader.token not in str(
        second.page.evaluate("[JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    )


def test_a_revoked_token_is_explained_in_every_tab(
    desk_of: Callable[..., Desk], web: Running, account: Any, headers_for: Any
) -> None:
    token, revoke = mortal_token(web, account().id, headers_for("admin"))
    first = desk_of(web).open()
    first.page.get_by_label("Stay signed in").check()
    first.log_in_by_form(token)
    second = another_tab(first)
    second.wait_until_live()
    revoke()
    for desk in (first, second):
        expect(desk.page.locator("#token-error")).to_have_text(REVOKED)
        expect(desk.page.get_by_label("Token")).to_be_focused()
    assert first.page.evaluate("localStorage.getItem('tradepost.token')") is None
    # The reason is told once.
    first.page.reload()
    expect(first.page.locator("#token-error")).to_be_empty()


def test_a_link_signs_in_and_its_token_leaves_the_address(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader, other = account(name="Asha"), account(name="Ravi")
    desk = desk_of(web)
    desk.page.goto(f"{web.base_url}/#token={trader.token}")
    desk.wait_until_live()
    expect(desk.page.locator("#account-name")).to_have_text("Asha")
    assert desk.page.url == f"{web.base_url}/"
    # A link in the address of an open page signs in anew, and a wrong one says so.
    desk.page.evaluate(f"location.hash = '#token={other.token}'")
    expect(desk.page.locator("#account-name")).to_have_text("Ravi")
    desk.wait_until_live()
    desk.page.evaluate("location.hash = '#token=tp_nobody'")
    expect(desk.page.locator("#token-error")).to_have_text("This token is unknown, expired or revoked.")
    assert desk.page.url == f"{web.base_url}/"
    desk.page.go_back()
    expect(desk.page.locator("body")).to_be_attached()
    assert "token" not in desk.page.url


def test_the_form_is_busy_while_its_token_is_tested(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web).open()
    held = Held(desk.page, "**/api/trading/account")
    button = desk.page.locator("#login-form button")
    desk.page.get_by_label("Token").fill(account().token)
    desk.page.get_by_label("Token").press("Enter")
    expect(button).to_have_text("Checking the token …")
    expect(button).to_have_attribute("aria-busy", "true")
    button.dispatch_event("click")  # a click would wait until the button is ready
    assert len(held.routes) == 1
    held.release()
    desk.wait_until_live()


def test_signing_out_deletes_all_that_was_stored(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web).log_in(account().token)
    assert "tradepost.token" in stored(desk.page)
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Token")).to_be_focused()
    assert not any("token" in name or "Event" in name for name in stored(desk.page))
