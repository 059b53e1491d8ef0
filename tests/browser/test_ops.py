"""The operator's page."""

import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from config.version import VERSION
from tests.browser.desk import Desk, log_in_to_operations
from tests.browser.test_connection import place
from tests.browser.test_page import grave_violations
from tests.support.dead_letters import bury_next
from tests.support.processes import ProcessStarter, Running, wait_until
from trading.accounts import tokens
from trading.rules.sessions import INDIAN_TIME

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

    verify = desk.page.get_by_role("button", name="Verify the ledger now")
    verify.click()
    expect(desk.page.locator("#ledger-check")).to_contain_text("but no worker is seen")
    expect(verify).to_be_disabled()

    start.worker()
    expect(figure(desk, "pending")).to_have_text("0", timeout=20_000)
    expect(desk.page.locator("#ledger-check")).to_contain_text(re.compile(r":\d\d\sIST\s·\sthe\sbooks\sare\sright"))
    expect(verify).to_be_enabled()
    expect(desk.page.locator("#workers")).to_contain_text("1, last seen")
    expect(figure(desk, "p50")).not_to_have_text("–")
    expect(desk.page.locator("#throughput canvas")).to_be_visible()
    assert (desk.complaints, desk.policy_violations()) == ([], [])


HISTORY = "localStorage.getItem('tradepost.operations')"

# The number of pixels of a plot that have the colour of a variable of the style sheet.
PIXELS = """(name) => {
  const wanted = document.createElement("canvas").getContext("2d");
  wanted.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  wanted.fillRect(0, 0, 1, 1);
  const [red, green, blue] = wanted.getImageData(0, 0, 1, 1).data;
  const canvas = document.querySelector("#throughput canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let number = 0;
  for (let at = 0; at < data.length; at += 4) {
    number += data[at] === red && data[at + 1] === green && data[at + 2] === blue;
  }
  return number;
}"""


def test_quotes_refusals_and_due_orders_are_shown_and_swept_and_no_line_hides_another(
    desk_of: Callable[..., Desk], web: Running, account: Any, headers_for: Any, configured: None
) -> None:
    poor, trader, feeder = account("1.00"), account(), headers_for("feed")
    order = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 10, "orderType": "LIMIT", "price": "50.00"}
    refused = requests.post(f"{web.base_url}/api/trading/orders", json=order, headers=poor.headers, timeout=10)
    assert refused.status_code == 422
    place(web, trader.headers)
    desk = log_in(desk_of(web, timezone="Europe/Berlin"), headers_for("admin"))
    minutes = {f"{datetime.now(INDIAN_TIME) - timedelta(seconds=age):%H:%M}" for age in (0, 15)}
    light = desk.page.locator("#light")
    expect(light).to_have_text(re.compile(rf"^Live · ({'|'.join(minutes)}):\d\d IST$"))
    expect(light).to_have_attribute("title", re.compile(r"^Your time: .* (CET|CEST|GMT\+[12])$"))
    due = desk.page.locator("#due tr")
    expect(due).to_have_count(1)
    expect(due).to_contain_text(str(trader.id))
    expect(desk.page.locator("#refusals tr")).to_contain_text(["Insufficient margin"])
    expect(desk.page.locator("#version")).to_have_text(VERSION)
    expect(desk.page.locator("#pools")).to_contain_text("web")
    expect(desk.page.locator("#daily")).to_contain_text("Settlement")  # nothing has run today

    quotes = {"quotes": [{"exchange": "NSE", "symbol": "INFY", "lastPrice": "50.00"}]}
    assert requests.put(f"{web.base_url}/api/market/quotes", json=quotes, headers=feeder, timeout=10).status_code == 204
    expect(figure(desk, "quotes")).to_have_text(re.compile(r"0\.[1-9]"))
    desk.page.get_by_role("button", name="Sweep now").click()
    expect(desk.page.locator("#notice")).to_have_text(
        re.compile(r"Swept in \d+ ms: 1 executed; nothing is due any more\.")
    )
    expect(due).to_have_count(0)
    expect(desk.page.locator("#daily")).to_have_text("nothing is late")
    expect(desk.page.locator("#jobs tr")).to_contain_text(["Settlement"])
    expect(desk.page.locator("#jobs .state-of").first).to_have_attribute("title", re.compile("^Your time: "))
    expect(figure(desk, "executed")).not_to_have_text("0.0")
    assert (desk.complaints, desk.policy_violations()) == ([], [])
    wait_until(lambda: all(desk.page.evaluate(PIXELS, name) > 100 for name in ("--placed", "--gain")), what="two lines")

    desk.page.get_by_role("button", name="1 hour").click()
    expect(desk.page.get_by_role("button", name="1 hour")).to_have_attribute("aria-pressed", "true")
    expect(desk.page.locator("#throughput canvas")).to_be_visible()
    kept = json.loads(desk.page.evaluate(HISTORY))
    assert kept[0]["refusals"]["insufficient_margin"] >= 1
    minute_ago = [{**kept[0], "at": kept[0]["at"] - 60_000, "quotes": 0}, *kept]
    desk.page.evaluate("(text) => localStorage.setItem('tradepost.operations', text)", json.dumps(minute_ago))
    desk.page.reload()
    desk.wait_until_live()
    wait_until(lambda: len(json.loads(desk.page.evaluate(HISTORY))) > len(minute_ago), what="the hour goes on")
    desk.page.get_by_role("button", name="1 hour").click()
    expect(desk.page.locator("#quotes canvas")).to_be_visible()
    expect(desk.page.locator("#recorded")).to_contain_text(
        re.compile(r"^Quotes and p95: as recorded by this page while it was open, since .* IST")
    )
    assert json.loads(desk.page.evaluate(HISTORY))[: len(minute_ago)] == minute_ago
    desk.page.get_by_role("button", name="1 minute").click()
    expect(desk.page.locator("#recorded")).to_be_hidden()
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Token")).to_be_focused()
    assert desk.page.evaluate(HISTORY) is None


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
    desk_of: Callable[..., Desk], web: Running, account: Any, clean: None
) -> None:
    token_id, secret = tokens.create_token(["admin"])
    admin = {"Authorization": f"Bearer {secret}"}
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
    log_in(desk, admin)
    tokens.revoke_token(token_id)
    expect(desk.page.locator("#token-error")).to_have_text("The token has expired or was revoked.")


def test_the_operators_page_shows_a_network_failure(
    desk_of: Callable[..., Desk], web: Running, headers_for: Any
) -> None:
    desk = log_in(desk_of(web), headers_for("admin"))
    desk.page.context.set_offline(True)
    expect(desk.light).to_have_attribute("data-state", "stale")
    desk.page.context.set_offline(False)
    desk.wait_until_live()
