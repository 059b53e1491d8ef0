"""Measure the processor that a busy desk uses in Chromium: `python -m bench.desk`, about a minute."""

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from bench.clients.load import Connection, LoadError, exchange, request
from bench.parts.quote_to_fill import ACCOUNT, let_orders_rest
from bench.parts.resting import ABOVE, LIMIT, RESTING_PREFIX, STEP, Feeder, quote_stocks
from bench.reports.figures import Figure, table
from bench.reports.page import DESK
from bench.seeding import EXCHANGE, token_of
from bench.services import Services, run_to_the_end, running
from embedded.interruption import Interruption
from tests.browser.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.browser.desk import Desk
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.upkeep.backlog import count_pending

ORDERS, RESTING, POSITIONS, WATCHED = 500, 100, 60, 50
TICKS_PER_SECOND = 4
CORE_SHARE = 15.0
WARM_UP_S = 5.0
PARTS = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


class Ticker(threading.Thread):
    """Quotes each watched stock several times a second, each time at another price, until it is stopped."""

    def __init__(self, feeder: Feeder) -> None:
        super().__init__(daemon=True)
        self.feeder, self.sent, self.failure = feeder, 0, ""
        self.done = threading.Event()

    def run(self) -> None:
        began, numbers = time.monotonic(), range(1, WATCHED + 1)
        while not self.done.is_set():
            price = ABOVE + STEP * random.randint(-200, 200)
            try:
                self.feeder.send(self.feeder.request(numbers, price), accepted=WATCHED)
            except (LoadError, AssertionError) as error:
                self.failure = str(error)
                return
            self.sent += 1
            time.sleep(max(0.0, began + self.sent / TICKS_PER_SECOND - time.monotonic()))


def place_orders(services: Services) -> None:
    """Give the account its positions by executed orders, and let others rest far from the market."""
    link = Connection(services.port)
    for number in range(ORDERS):
        order: dict[str, Any] = {"symbol": f"{RESTING_PREFIX}{number % POSITIONS + 1}", "side": "BUY", "quantity": 1}
        order |= {"orderType": "LIMIT", "price": str(LIMIT)} if number < RESTING else {"orderType": "MARKET"}
        body = json.dumps({"exchange": EXCHANGE, **order}).encode()
        exchange(link, request(services.port, "POST", "/api/trading/orders", ACCOUNT, body))
    while count_pending():
        sweep_once(limit=MAX_BATCH)


def open_desk(page: Page, services: Services) -> None:
    """Open the desk with its watch list, and show all orders."""
    keys = json.dumps([f"{EXCHANGE}:{RESTING_PREFIX}{number}" for number in range(1, WATCHED + 1)])
    page.add_init_script(f"localStorage.setItem('tradepost.watch', {json.dumps(keys)})")
    Desk(page, services.web.base_url).log_in(token_of(ACCOUNT))
    expect(page.locator("#watch-list li")).to_have_count(WATCHED)
    expect(page.locator("#positions tr")).to_have_count(POSITIONS)
    expect(page.locator("#open-orders tr")).to_have_count(RESTING)
    for shown in range(100, ORDERS + 1, 50):
        page.locator("#orders-older").click()
        expect(page.locator("#orders tr")).to_have_count(shown)


def core_share(session: CDPSession, seconds: float) -> dict[str, float]:
    """Return the percentage of a core that the page's tasks use, and that of their parts."""
    before, began = metrics(session), time.monotonic()
    time.sleep(seconds)
    after, took = metrics(session), time.monotonic() - began
    return {name: 100 * (after[name] - before[name]) / took for name in ("TaskDuration", *PARTS)}


def metrics(session: CDPSession) -> dict[str, float]:
    """Return the page's counters by name."""
    return {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}


def measure(services: Services, *, rounds: int, seconds: float) -> Figure:
    """Measure the desk while its stocks move, and as the reference while they stand still."""
    services.use()
    quote_stocks()
    let_orders_rest()
    feeder = Feeder(services)
    feeder.send(feeder.request(range(1, POSITIONS + 1), ABOVE), accepted=POSITIONS)
    place_orders(services)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        open_desk(page, services)
        session = page.context.new_cdp_session(page)
        # The thread's own time, so that other processes on the machine do not count.
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        time.sleep(WARM_UP_S)
        still = [core_share(session, seconds / 2) for _ in range(rounds)]
        ticker = Ticker(feeder)
        ticker.start()
        time.sleep(WARM_UP_S)
        busy = [core_share(session, seconds) for _ in range(rounds)]
        ticker.done.set()
        ticker.join()
        browser.close()
    assert not ticker.failure, ticker.failure
    return _figure(busy, still)


def _figure(busy: Sequence[dict[str, float]], still: Sequence[dict[str, float]]) -> Figure:
    title = (
        f"a desk with {ORDERS} orders, {POSITIONS} positions and {WATCHED} watched stocks at {TICKS_PER_SECOND} ticks a"
        " second each, in Chromium"
    )
    shares = [[each["TaskDuration"] for each in rounds] for rounds in (busy, still)]
    figure = Figure("desk", title, "% of a core", shares[0], "the same desk without ticks", shares[1])
    last = busy[-1]
    figure.remarks = ", ".join(f"{name.removesuffix('Duration').lower()} {last[name]:.1f} %" for name in PARTS)
    return figure.at_most("of a core", figure.value, CORE_SHARE, unit="%")


def main() -> int:
    """Measure, print and store the figure."""
    parser = argparse.ArgumentParser(prog="python -m bench.desk", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()

    def run(interruption: Interruption) -> int:
        with running(interruption, web_concurrency=1) as services:
            figure = measure(services, rounds=options.rounds, seconds=options.seconds)
        figures = [figure.as_dict()]
        facts = {"measured_at": datetime.now(UTC).isoformat(timespec="minutes"), "rounds": options.rounds}
        DESK.write_text(json.dumps(facts | {"figures": figures}, indent=1) + "\n")
        print(table(figures), figure.remarks, sep="\n")
        return 0

    return run_to_the_end(run, LoadError)


if __name__ == "__main__":
    sys.exit(main())
