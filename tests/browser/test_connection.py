"""The desk's tokens, reloads, and failures of the network and the server."""

import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
import requests
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.support.processes import ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

ORDER = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}


def place(web: Running, headers: dict[str, str]) -> None:
    answer = requests.post(f"{web.base_url}/api/trading/orders", json=ORDER, headers=headers, timeout=10)
    assert answer.status_code == 202, answer.text


def test_a_wrong_token_is_refused_at_its_field(desk_of: Callable[..., Desk], web: Running, headers_for: Any) -> None:
    desk = desk_of(web).open()
    token = desk.page.get_by_label("Token")
    token.fill("tp_nobody")
    token.press("Enter")
    expect(desk.page.locator("#token-error")).to_have_text("This token is unknown, expired or revoked.")
    expect(token).to_be_focused()
    token.fill(headers_for("admin")["Authorization"].removeprefix("Bearer "))
    token.press("Enter")
    expect(desk.page.locator("#token-error")).to_contain_text("belongs to no trading account")
    expect(desk.page.locator("#desk")).to_be_hidden()


def test_a_token_that_may_only_read_cannot_trade(desk_of: Callable[..., Desk], web: Running, account: Any) -> None:
    desk = desk_of(web).log_in(account(scopes=("read",)).token)
    expect(desk.message).to_have_text("This token may only read. It cannot trade.")
    expect(desk.page.locator("#submit")).to_be_disabled()
    expect(desk.fund("balance")).to_have_text("10,00,000.00")


def test_a_reload_keeps_the_token_and_continues_after_the_last_event(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader = account()
    desk = desk_of(web).log_in(trader.token)
    assert "since" not in desk.greetings[0]
    place(web, trader.headers)
    expect(desk.orders).to_have_count(1)
    events = requests.get(f"{web.base_url}/api/trading/events", headers=trader.headers, timeout=10).json()
    desk.page.wait_for_function(
        "id => sessionStorage.getItem('tradepost.lastEvent') === id", arg=str(events["lastEventId"])
    )

    desk.page.reload()
    desk.wait_until_live()
    expect(desk.orders).to_have_count(1)
    assert desk.greetings[-1]["since"] == events["lastEventId"]
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Token")).to_be_focused()
    assert desk.page.evaluate("sessionStorage.length") == 0


def test_after_a_network_failure_the_desk_shows_every_missed_event(
    desk_of: Callable[..., Desk], web: Running, account: Any
) -> None:
    trader = account()
    desk = desk_of(web).log_in(trader.token)
    desk.page.context.set_offline(True)
    expect(desk.light).to_have_attribute("data-state", "reconnecting")
    place(web, trader.headers)
    desk.page.context.set_offline(False)
    desk.wait_until_live()
    expect(desk.light).to_contain_text("replayed")
    expect(desk.orders.locator(".state")).to_have_text(["Pending"])


@pytest.mark.faults
def test_after_a_server_failure_the_desk_shows_every_missed_event(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any
) -> None:
    start.worker()
    trader, mortal = account(), start.web()
    desk = desk_of(mortal).log_in(trader.token)
    place(mortal, trader.headers)
    expect(desk.orders.locator(".state")).to_have_text(["Executed"])
    mortal.kill()
    expect(desk.light).to_have_attribute("data-state", "reconnecting")
    for _ in range(5):
        place(web, trader.headers)

    again = Running(
        mortal.command, {**start.environment, "PORT": str(mortal.port)}, start.folder / "again.log", port=mortal.port
    )
    start.started.append(again)
    again.wait_until_ready()
    desk.wait_until_live()
    expect(desk.light).to_have_text(re.compile(r"^Live · [1-9]\d* events replayed$"))
    expect(desk.orders.locator(".state")).to_have_text(["Executed"] * 6)
    expect(desk.positions.first.locator(".quantity")).to_have_text("+6")
    truth = requests.get(f"{web.base_url}/api/trading/account", headers=trader.headers, timeout=10).json()
    expect(desk.fund("blockedMargin")).to_have_text(truth["blockedMargin"])
    assert desk.policy_violations() == []


@pytest.mark.faults
def test_the_desk_is_stale_while_the_server_does_not_answer(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any
) -> None:
    trader, sleeper = account(), start.web()
    desk = desk_of(sleeper)
    desk.page.clock.install()  # time runs as usual, and can be moved forward
    desk.log_in(trader.token)
    sleeper.signal_all(signal.SIGSTOP)
    place(web, trader.headers)
    desk.page.clock.fast_forward(10_000)  # the desk sends a check, which times out after ten real seconds
    expect(desk.light).to_have_attribute("data-state", "reconnecting", timeout=20_000)
    desk.page.clock.fast_forward(11_000)
    expect(desk.light).to_have_attribute("data-state", "stale")
    expect(desk.light).to_contain_text("Stale since")
    expect(desk.orders).to_have_count(0)

    sleeper.signal_all(signal.SIGCONT)
    expect(desk.light).to_have_attribute("data-state", "live", timeout=20_000)
    expect(desk.light).to_have_text(re.compile(r"^Live · [1-9]\d* events replayed$"))
    expect(desk.orders.locator(".state")).to_have_text(["Pending"])
