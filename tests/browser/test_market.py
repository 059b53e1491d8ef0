"""The watch list, the plots and the announcement of fills."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests
from playwright.sync_api import WebSocketRoute, expect

from tests.browser.desk import Desk
from tests.browser.quotes import Feed
from tests.browser.test_page import grave_violations
from tests.support.processes import ProcessStarter, Running
from trading.matching.stock_changes import ImportedFacts, set_facts

pytestmark = [pytest.mark.acceptance]

READS = re.compile(r"/api/market/stocks\?symbols=")
STREAM = re.compile(r"/api/trading/stream")
DAY = {"previousClose": "2400.00", "low": "2380.00", "high": "2520.00", "open": "2410.00"}
# The room between the asked price of a row and the change beside it.
GAP = """
  (row) => {
    const range = document.createRange();
    range.selectNodeContents(row.querySelector(".watch-change"));
    return range.getBoundingClientRect().left - row.querySelector(".watch-ask").getBoundingClientRect().right;
  }
"""
# The page can be scrolled until its last panel stands above the bar of the fills.
ROOM_AT_THE_FOOT = """() => {
  scrollTo(0, document.documentElement.scrollHeight);
  const ends = [...document.querySelectorAll(".panel")].map((panel) => panel.getBoundingClientRect().bottom);
  return document.querySelector(".fill-bar").getBoundingClientRect().top - Math.max(...ends);
}"""
KEPT = "sessionStorage.getItem('tradepost.record')"
COLOUR = "element => getComputedStyle(element).color"
# The label of an axis has no more digits than its step needs, and no fewer.
LABELS = """
  const { rupees } = await import("/static/desk/market/axes.js");
  return [[999_900, 20], [999_920, 20], [9_999.5, 0.5]].map(([value, step]) => rupees(value, step));
"""
LATENCIES = """
  const { latenciesOf } = await import("/static/desk/market/latency.js");
  const at = (second) => `2026-11-27T10:00:${second}Z`;
  const order = (more) => ({ placedAt: at("00.000000"), executedAt: at("12.000000"), fill: null, ...more });
  return latenciesOf([
    order({ executedAt: at("00.015000") }),
    order({ executedAt: at("00.025000"), fill: { rule: "market" } }),
    order({ matchedAt: at("11.980000"), fill: { rule: "book" } }),
    order({ fill: { rule: "close_price" } }),
    order({ executedAt: null }),
  ]);
"""
# A headless browser has no loudspeaker: count the tones that the page starts.
COUNT_TONES = """
  window.tones = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (at) {
    window.tones.push(this.frequency.value);
    return start.call(this, at);
  };
"""


def watched(desk: Desk) -> list[str]:
    return [str(symbol) for symbol in desk.page.locator("#watch-list .watch-symbol b").all_text_contents()]


def row_of(desk: Desk, symbol: str) -> Any:
    return desk.page.locator(f"#watch-list li[data-key='NSE:{symbol}']")


def test_a_watch_list_is_searched_for_followed_ordered_and_kept(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    desk = desk_of(web)
    with desk.page.expect_response("**/api/market/stocks?limit=*"):  # a new list begins with a server's stocks, if any
        desk.log_in(account().token)
    expect(desk.page.locator("#watch-empty")).to_be_visible()
    for symbol in ("RELIANCE", "INFY", "TCS"):
        feed(symbol, lastPrice="2412.50", bidPrice="2412.00", askPrice="2413.00", **DAY)
    set_facts(
        [
            ImportedFacts("NSE", "INFY", name="Infosys"),
            ImportedFacts("NSE", "TCS", name="Tata Consultancy Services"),
            ImportedFacts("NSE", "QUIET", name="Quiet"),
        ]
    )
    search, found = desk.page.locator("#watch-search"), desk.page.locator("#watch-search-list [role=option]")
    search.fill("quiet")
    expect(found.first).to_contain_text("QUIET")
    search.press("Enter")
    expect(desk.page.locator("#chart-stock")).to_have_text("QUIET NSE")
    expect(desk.page.locator("#chart-note")).to_have_text("Waiting for the first tick.")
    assert desk.page.locator("#price-plot").evaluate("plot => getComputedStyle(plot, '::after').content") == (
        '"Waiting for the first tick."'
    )
    row_of(desk, "QUIET").get_by_role("button", name="Remove").click()
    for text, symbol in (("consul", "TCS"), ("rel", "RELIANCE"), ("infosys", "INFY")):
        search.fill(text)
        expect(found.first).to_contain_text(symbol)
        search.press("Enter")
        expect(row_of(desk, symbol)).to_be_visible()
        expect(search).to_have_value("")
    assert watched(desk) == ["TCS", "RELIANCE", "INFY"]
    row = row_of(desk, "RELIANCE")
    expect(row.locator(".watch-last")).to_have_text("2,412.50")
    low = row.bounding_box()
    feed("RELIANCE", lastPrice="123456.50", bidPrice="123456.00", askPrice="123457.00", **DAY)
    expect(row.locator(".watch-last")).to_have_text("1,23,456.50")
    assert row.bounding_box() == low
    assert row.evaluate(GAP) > 0
    feed("RELIANCE", lastPrice="2412.50", bidPrice="2412.00", askPrice="2413.00", **DAY)
    expect(row.locator(".watch-last")).to_have_text("2,412.50")
    expect(row.locator(".watch-change")).to_have_text("+12.50 +0.52%")
    expect(row.locator(".watch-book")).to_have_text("Bid 2,412.00Ask 2,413.00")
    assert row.locator(".watch-range i").evaluate("mark => mark.style.left") == "23%"
    feed("RELIANCE", lastPrice="2376.00", bidPrice="2375.00", askPrice="2377.00", **DAY | {"low": "2376.00"})
    expect(row.locator(".watch-last")).to_have_text("2,376.00")
    expect(row.locator(".watch-change")).to_have_text("−24.00 −1.00%")
    expect(row.locator(".watch-change")).to_have_class("watch-change loss")

    row.locator(".watch-row").click()
    expect(desk.page.get_by_label("Symbol", exact=True)).to_have_value("RELIANCE")
    expect(row.locator(".watch-facts")).to_contain_text(
        "Low 2,376.00 · High 2,520.00 · Open 2,410.00 · Prev. close 2,400.00"
    )
    desk.page.get_by_role("button", name="Move RELIANCE up").click()
    expect(desk.page.locator("#watch-list li").first).to_contain_text("RELIANCE")
    row.locator(".watch-row").focus()
    desk.page.keyboard.press("Alt+ArrowDown")
    desk.page.keyboard.press("Alt+ArrowDown")
    expect(row.locator(".watch-row")).to_be_focused()
    assert watched(desk) == ["TCS", "INFY", "RELIANCE"]
    desk.page.keyboard.press("ArrowUp")
    desk.page.keyboard.press("s")
    expect(desk.page.locator("#submit")).to_have_text("Sell 1 INFY")
    expect(desk.page.get_by_label("Quantity")).to_be_focused()
    row_of(desk, "TCS").locator(".watch-row").focus()
    desk.page.keyboard.press("b")
    expect(desk.page.locator("#submit")).to_have_text("Buy 1 TCS")
    row_of(desk, "TCS").locator(".watch-row").focus()
    desk.page.keyboard.press("Delete")
    expect(row_of(desk, "TCS")).to_have_count(0)
    desk.page.reload()
    desk.wait_until_live()
    expect(row.locator(".watch-last")).to_have_text("2,376.00")
    assert watched(desk) == ["INFY", "RELIANCE"]
    assert desk.placement_keys == []


def test_a_new_watch_list_begins_with_the_stocks_of_a_small_server_and_an_old_price_is_grey(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    old = (datetime.now(UTC) - timedelta(minutes=5)).isoformat().replace("+00:00", "Z")
    feed("OLD", lastPrice="100.00", bidPrice="99.00", askPrice="101.00", quotedAt=old)
    feed("FRESH", lastPrice="200.00", bidPrice="199.00", askPrice="201.00")
    desk = desk_of(web)
    desk.page.clock.install()  # time runs as usual, and can be moved forward
    desk.log_in(account().token)
    expect(row_of(desk, "OLD").locator(".watch-age")).to_have_text("5 min old")
    assert watched(desk) == ["FRESH", "OLD"]
    desk.page.locator("#watch-list li[data-key='NSE:OLD'] .watch-row").click()
    old_height = row_of(desk, "FRESH").evaluate("row => row.offsetHeight")
    fresh, last = row_of(desk, "FRESH"), row_of(desk, "FRESH").locator(".watch-last")
    expect(fresh.locator(".watch-age")).to_be_empty()
    desk.fill(symbol="FRESH")
    expect(desk.page.locator("#chart-stock")).to_have_text("FRESH NSE")
    prices = [last, *(desk.page.locator(f"#{name}") for name in ("chart-last", "bid", "ask"))]
    feed("FRESH", lastPrice="200.00", bidPrice="199.00", askPrice="201.05")  # fresh, however long it took until here
    expect(desk.page.locator("#ask")).to_have_text("Ask 201.05")
    vivid = [price.evaluate(COLOUR) for price in prices]
    desk.page.clock.run_for(16_000)
    expect(fresh.locator(".watch-age")).to_contain_text("s old")
    expect(desk.page.locator("#symbol-hint")).to_contain_text("Last 200.00 · ")
    assert row_of(desk, "OLD").evaluate("row => row.offsetHeight") == old_height
    grey = fresh.locator(".watch-age").evaluate(COLOUR)
    for price, before in zip(prices, vivid, strict=True):
        assert before != grey == price.evaluate(COLOUR)


def test_prices_come_by_the_stream_and_by_http_while_it_gives_none(
    desk_of: Callable[..., Desk], web: Running, account: Any, feed: Feed
) -> None:
    feed("RELIANCE", lastPrice="2500.00")
    token = account().token
    desk = desk_of(web)
    desk.page.route(READS, lambda route: route.abort())
    desk.log_in(token)
    last = row_of(desk, "RELIANCE").locator(".watch-last")
    expect(last).to_have_text("2,500.00")
    feed("RELIANCE", lastPrice="2501.00")
    expect(last).to_have_text("2,501.00")

    desk = desk_of(web)
    desk.page.route_web_socket(STREAM, _drop_quotes)
    desk.log_in(token)
    last = row_of(desk, "RELIANCE").locator(".watch-last")
    expect(last).to_have_text("2,501.00")
    feed("RELIANCE", lastPrice="2502.00")
    expect(last).to_have_text("2,502.00")


def _drop_quotes(socket: WebSocketRoute) -> None:
    """Connect the page with the server, and let no quote through."""
    server = socket.connect_to_server()
    server.on_message(lambda message: None if '"type":"quote"' in message else socket.send(message))


def _minutes(*ago: int) -> dict[str, Any]:
    """Return the equity of an account as the server tells it, at these minutes before now."""
    worth = {"balance": "1000000.00", "unrealizedPnl": "50.00", "equity": "1000050.00"}
    times = [datetime.now(UTC) - timedelta(minutes=minutes) for minutes in ago]
    return {"interval": "1m", "data": [worth | {"at": f"{at:%Y-%m-%dT%H:%M:00.000000Z}"} for at in times]}


def test_a_fill_is_announced_with_its_price_and_profit_marked_in_the_plot_and_heard_if_wanted(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, feed: Feed
) -> None:
    start.worker()
    feed("RELIANCE", lastPrice="2500.00", bidPrice="2499.00", askPrice="2501.00")
    feed("INFY", lastPrice="1500.00")
    trader = account(fill_model="QUOTES")
    desk = desk_of(web)
    desk.page.add_init_script(COUNT_TONES)
    desk.log_in(trader.token)
    fills, plot = desk.page.locator("#fills p"), desk.page.locator("#price-plot")
    row_of(desk, "RELIANCE").locator(".watch-row").click()
    expect(plot.locator("canvas")).to_be_visible()
    desk.place(quantity="10")
    expect(fills).to_have_text(["Bought 10 RELIANCE at 2,501.00"])
    expect(plot).to_have_attribute("aria-label", "Price of RELIANCE: 1 price recorded, 1 fill is marked")
    expect(desk.page.locator("#latency-summary")).to_contain_text("p50")
    assert desk.page.evaluate("window.tones") == []

    desk.page.get_by_label("A tone when an order is filled").check()
    assert desk.page.evaluate("window.tones") == [660, 880]
    feed("RELIANCE", lastPrice="2511.00", bidPrice="2511.00", askPrice="2512.00")
    expect(plot).to_have_attribute("aria-label", "Price of RELIANCE: 2 prices recorded, 1 fill is marked")
    desk.place(quantity="4", side="Sell")
    expect(fills.last).to_have_text(re.compile(r"^Sold 4 RELIANCE at 2,511\.00 · \+\d\d\.\d\d net of charges$"))
    newest = requests.get(f"{web.base_url}/api/trading/orders", headers=trader.headers, timeout=10).json()["data"][0]
    net = Decimal("40.00") - Decimal(newest["charges"])
    expect(fills.last).to_have_text(f"Sold 4 RELIANCE at 2,511.00 · +{net} net of charges")
    fills.last.get_by_role("button").click()
    expect(desk.page.locator("#detail-title")).to_have_text("Sell 4 RELIANCE")
    desk.page.keyboard.press("Escape")
    assert desk.page.evaluate("window.tones.slice(2)") == [880, 660]
    dismiss = desk.page.get_by_role("button", name="Dismiss the fills")
    dismiss.click()
    expect(fills).to_have_count(0)
    expect(dismiss).to_be_hidden()

    row_of(desk, "INFY").locator(".watch-row").click()
    expect(plot).to_have_attribute("aria-label", "Price of INFY: 1 price recorded, 0 fills are marked")
    row_of(desk, "RELIANCE").locator(".watch-row").click()
    expect(plot).to_have_attribute("aria-label", "Price of RELIANCE: 2 prices recorded, 2 fills are marked")
    desk.page.get_by_label("Span of time").select_option("1 day")
    desk.page.route("**/account/equity?interval=1m", lambda route: route.fulfill(json=_minutes(6, 5, 4)))
    desk.page.get_by_role("tab", name="Price").press("ArrowRight")
    expect(desk.page.get_by_role("tab", name="Equity")).to_be_focused()
    equity = desk.page.locator("#equity-plot")
    expect(equity).to_have_attribute("aria-label", re.compile(": 3 minutes from the server$"))
    expect(desk.page.locator("#equity-plot canvas")).to_be_visible()
    expect(plot).to_be_hidden()
    expect(desk.page.locator("#chart-note")).to_contain_text("times in IST")
    assert desk.page.evaluate(f"async () => {{{LABELS}}}") == ["9,99,900", "9,99,920", "9,999.50"]
    assert desk.page.evaluate(f"async () => {{{LATENCIES}}}") == [15, 25, 20]
    desk.page.locator("#more summary").click()
    desk.page.locator("#watch-search").fill("in")
    expect(desk.page.locator("#watch-search-list")).to_be_visible()
    for _ in desk.looks():
        assert grave_violations(desk) == []
        assert desk.overflow() <= 0
        assert desk.page.evaluate(ROOM_AT_THE_FOOT) >= 0

    desk.page.reload()
    desk.wait_until_live()
    expect(desk.page.get_by_label("A tone when an order is filled")).to_be_checked()
    expect(fills).to_have_count(0)
    row_of(desk, "RELIANCE").locator(".watch-row").click()
    expect(plot).to_have_attribute("aria-label", "Price of RELIANCE: 2 prices recorded, 2 fills are marked")
    orders = requests.get(f"{web.base_url}/api/trading/orders", headers=trader.headers, timeout=10).json()["data"]
    assert [order["status"] for order in orders] == ["EXECUTED", "EXECUTED"]
    assert desk.policy_violations() == []
    assert desk.page.evaluate(KEPT) is not None
    desk.page.get_by_role("button", name="Sign out").click()
    expect(desk.page.get_by_label("Token")).to_be_visible()
    assert desk.page.evaluate(KEPT) is None
