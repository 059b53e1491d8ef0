"""The books of the desk: open orders, positions, holdings, all orders and the details of one."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from playwright.sync_api import Route, expect

from tests.browser.desk import Desk
from tests.browser.presses import press_twice
from tests.support.processes import ProcessStarter, Running, wait_until

pytestmark = [pytest.mark.acceptance]

LIMIT = {
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "side": "BUY",
    "quantity": 10,
    "orderType": "LIMIT",
    "price": "2400.00",
}
ORDERS = "/api/trading/orders"


class Api:
    """The HTTP API for one account."""

    def __init__(self, web: Running, headers: dict[str, str]) -> None:
        self.base_url, self.headers = web.base_url, headers

    def send(self, method: str, path: str, **options: Any) -> Any:
        headers = self.headers | options.pop("headers", {})
        answer = requests.request(method, self.base_url + path, headers=headers, timeout=10, **options)
        assert answer.ok, answer.text
        return answer.json()

    def place(self, **changes: Any) -> str:
        return str(self.send("POST", ORDERS, json=LIMIT | changes)["orderId"])


@pytest.fixture
def trader(account: Any, web: Running) -> tuple[Api, str]:
    """Return the API and the token of an account whose orders wait for quotes."""
    made = account("10000000.00", fill_model="QUOTES")
    return Api(web, made.headers), made.token


def test_open_orders_say_their_distance_and_the_thing_they_wait_for_and_are_changed_in_place(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, trader: tuple[Api, str], quote: Any
) -> None:
    api, token = trader
    quote("RELIANCE", "2500.00")
    start.worker()
    order_id = api.place(validity="GTC")
    api.place(orderType="STOP_MARKET", price=None, triggerPrice="2600.00")
    desk = desk_of(web).log_in(token)
    rows = desk.page.locator("#open-orders tr")
    stop, limit = rows.nth(0), rows.nth(1)
    expect(limit.locator(".waits")).to_have_text("Its price")
    expect(limit.locator(".distance")).to_have_text("₹100.00 (4.00 %)")
    expect(limit.locator(".expires")).to_have_text("Never")
    expect(stop.locator(".waits")).to_have_text("Its trigger")
    expect(stop.locator(".trigger")).to_have_text("2,600.00")
    quote("RELIANCE", "2550.00")
    expect(limit.locator(".distance")).to_have_text("₹150.00 (5.88 %)")
    expect(stop.locator(".distance")).to_have_text("₹50.00 (1.96 %)")

    _change_against_another(desk, api, order_id)
    limit.get_by_role("button", name="Modify").press("Enter")
    price = limit.get_by_label("New limit of RELIANCE")
    expect(price).to_have_value("2,420.00")
    price.fill("2600.123")
    price.press("Enter")
    expect(limit.get_by_role("alert")).to_contain_text("Limit: ")
    expect(price).to_have_attribute("aria-invalid", "true")
    price.press("Escape")
    expect(limit.locator("form")).to_have_count(0)
    expect(limit.get_by_role("button", name="Modify")).to_be_focused()


def _change_against_another(desk: Desk, api: Api, order_id: str) -> None:
    """Change an order's price on the desk after another client has changed its quantity."""
    limit = desk.page.locator("#open-orders tr").nth(1)
    limit.get_by_role("button", name="Modify Buy 10 RELIANCE").click()
    price = limit.get_by_label("New limit of RELIANCE")
    expect(price).to_be_focused()
    api.send("PATCH", f"{ORDERS}/{order_id}", json={"quantity": 12}, headers={"If-Match": "*"})
    price.fill("2,420.00")
    price.press("Enter")
    expect(limit.get_by_role("alert")).to_have_text(
        "Not changed. The order has changed in the meantime. It is now: buy 12 RELIANCE at 2,400.00. "
        "Look, and change it again."
    )
    expect(limit.locator(".quantity")).to_have_text("12")
    expect(price).to_have_value("2,400.00")
    price.fill("2420")
    price.press("Enter")
    expect(limit.locator("form")).to_have_count(0)
    expect(limit.locator(".price")).to_have_text("2,420.00")
    order = api.send("GET", f"{ORDERS}/{order_id}")
    assert (order["quantity"], order["price"]) == (12, "2420.00")


def test_a_position_is_closed_in_part_and_its_figures_are_net(
    desk_of: Callable[..., Desk],
    web: Running,
    start: ProcessStarter,
    trader: tuple[Api, str],
    quote: Any,
    tmp_path: Path,
) -> None:
    api, token = trader
    quote("RELIANCE", "2500.00")
    start.worker()
    desk = desk_of(web).log_in(token)
    desk.place(quantity="10")
    row = desk.positions.first
    part = row.get_by_label("How many RELIANCE Intraday to close")
    expect(part).to_have_value("10")
    part.fill("11")
    row.get_by_role("button", name="Close RELIANCE Intraday").click()
    expect(desk.page.locator("#notice")).to_have_text("Enter a quantity from 1 to 10.")
    part.fill("4")
    quote("RELIANCE", "2510.00")
    expect(row.locator(".last")).to_have_text("2,510.00")
    press_twice(row.get_by_role("button", name="Close RELIANCE Intraday"))
    expect(row.locator(".quantity")).to_have_text("+6")
    expect(part).to_have_value("6")
    expect(row.locator(".realized")).to_have_text("+40.00")
    expect(row.locator(".unrealized")).to_have_text("+60.00")

    trades = api.send("GET", "/api/trading/trades")["data"]
    charges = sum(float(trade["charges"]) for trade in trades)
    assert [trade["quantity"] for trade in trades] == [4, 10]
    expect(row.locator(".charges")).to_have_text(f"{charges:.2f}")
    total = desk.page.locator("#positions-total")
    expect(total.locator(".charges")).to_have_text(f"{charges:.2f}")
    expect(row.locator(".net")).to_have_text(f"+{100 - charges:.2f}")
    expect(total.locator(".net")).to_have_text(f"+{100 - charges:.2f}")

    reserved = api.send("GET", f"{ORDERS}/{api.place()}")["charges"]
    for place in (row, total):
        expect(place.locator(".charges")).to_have_attribute("title", f"{reserved} more are reserved for live orders.")
    [exported] = _export(desk, tmp_path / "positions.csv", "positions")
    assert (exported["quantity"], exported["lastPrice"], exported["unrealizedPnl"]) == ("6", "2510.00", "60.00")
    assert exported["netToday"] == f"{100 - charges:.2f}"
    _look_at_old_prices(desk)


def _look_at_old_prices(desk: Desk) -> None:
    """Let the price of the only position grow old: the figures that it moves lose their colour."""
    row, total = desk.positions.first, desk.page.locator("#positions-total")
    desk.page.evaluate(OLD_PRICES)
    expect(row.locator(".last .age")).to_have_text(re.compile(r"^ ?2 min$"))
    for name in ("last", "unrealized", "net"):
        expect(row.locator(f".{name}")).to_have_class(f"{name} is-old")
        expect(row.locator(f".{name}")).to_have_attribute("title", "The price is 2 min old.")
    for name in ("unrealized", "net"):
        expect(total.locator(f".{name}")).to_have_class(f"{name} is-old")
        expect(total.locator(f".{name}")).to_have_attribute("title", "The prices of 1 of 1 rows are old.")
    expect(row.locator(".realized")).to_have_class("realized gain")


# The page's clock goes on as it did, two minutes ahead.
OLD_PRICES = "() => { const now = Date.now; Date.now = () => now() + 121_000; }"


def test_rows_fill_the_ticket_and_a_position_without_a_price_is_closed_by_a_limit(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any
) -> None:
    start.worker()
    made = account()
    api = Api(web, made.headers)
    api.place(product="DELIVERY")
    desk = desk_of(web).log_in(made.token)
    row, ticket = desk.positions.first, desk.page.locator("#ticket")
    row.get_by_label("How many RELIANCE Delivery to close").fill("4")
    row.get_by_role("button", name="Close RELIANCE Delivery by a limit order").click()
    expect(ticket.get_by_label("Symbol")).to_have_value("RELIANCE")
    for name, value in (("quantity", "4"), ("orderType", "LIMIT"), ("side", "SELL")):
        assert ticket.evaluate("(form, name) => form[name].value", name) == value
    row.locator(".average").click()
    expect(ticket.get_by_label("Quantity")).to_have_value("10")
    desk.orders.first.locator(".price").click()
    expect(ticket.get_by_label("Price", exact=True)).to_have_value("2400.00")
    assert ticket.evaluate("form => form.side.value") == "BUY"
    assert len(api.send("GET", ORDERS)["data"]) == 1


def test_orders_are_filtered_sorted_and_exported(
    desk_of: Callable[..., Desk], web: Running, trader: tuple[Api, str], quote: Any, tmp_path: Any
) -> None:
    api, token = trader
    quote("RELIANCE", "2500.00")
    for number in range(52):
        api.place(symbol="INFY", quantity=1, price=f"{100 + number}.00", tag="=1+1")
    api.send("DELETE", f"{ORDERS}/{api.place(side='SELL', price='2600.00')}")
    desk = desk_of(web).log_in(token)
    count = desk.page.locator("#orders-count")
    expect(count).to_have_text("53+")
    desk.page.get_by_label("Buy or sell").select_option("Sell")
    expect(desk.orders).to_have_count(1)
    expect(count).to_have_text("1 of 53+")
    expect(desk.orders.first.locator(".state")).to_have_text("Cancelled")
    desk.page.get_by_label("Status").select_option("Live")
    expect(desk.orders).to_have_count(0)
    expect(desk.page.locator("#orders-empty")).to_have_text("None of the orders that are loaded passes these filters.")
    desk.page.get_by_label("Buy or sell").select_option("Both sides")
    desk.page.get_by_label("Stock contains").fill("nfy")
    expect(count).to_have_text("52 of 53+")

    sort = desk.page.locator("#orders-head .price button")
    sort.focus()
    sort.press("Enter")
    expect(desk.page.locator("#orders-head .price")).to_have_attribute("aria-sort", "ascending")
    expect(desk.orders.first.locator(".price")).to_have_text("100.00")
    sort.press("Enter")
    expect(desk.page.locator("#orders-head .price")).to_have_attribute("aria-sort", "descending")
    expect(desk.orders.first.locator(".price")).to_have_text("151.00")

    rows = _export(desk, tmp_path / "orders.csv")
    assert [row["price"] for row in rows] == [f"{100 + number}.00" for number in reversed(range(52))]
    assert {row["tag"] for row in rows} == {"'=1+1"}
    desk.page.get_by_label("Stock contains").press("Escape")
    desk.page.get_by_label("Status").select_option("Any status")
    assert len(_export(desk, tmp_path / "all.csv")) == 53
    desk.page.get_by_label("Find in open orders").fill("INF")
    live = _export(desk, tmp_path / "live.csv", "open-orders")
    assert {(row["symbol"], row["status"], row["tag"]) for row in live} == {("INFY", "PENDING", "'=1+1")}


def _export(desk: Desk, path: Path, book: str = "orders") -> list[dict[str, str]]:
    """Press the button of a book that exports it, and return the rows of the file."""
    with desk.page.expect_download() as download:
        desk.page.locator(f"#{book}-export").press("Enter")
    download.value.save_as(path)
    return list(csv.DictReader(path.read_text().splitlines()))


def test_the_details_of_an_order_say_everything_with_the_evidence_of_its_fill(
    desk_of: Callable[..., Desk],
    web: Running,
    start: ProcessStarter,
    trader: tuple[Api, str],
    quote: Any,
    tmp_path: Any,
) -> None:
    api, token = trader
    quote("RELIANCE", "2500.00")
    start.worker()
    api.place(validity="GTC", tag="scalper-1")
    desk = desk_of(web).log_in(token)
    details = desk.page.locator("#detail-body")
    row = desk.page.locator("#open-orders tr").first
    expect(row.locator(".waits")).to_have_text("Its price")
    row.get_by_role("button", name="RELIANCE: details of this open order").press("Enter")
    expect(details).to_contain_text("It fills when the ask is at or below 2,400.00, or when a trade is below it.")
    expect(details).to_contain_text("Margin blocked4,800.00")
    expect(details).to_contain_text("ValidityUntil cancelled")

    quote("RELIANCE", "2390.00")
    expect(desk.orders.first.locator(".state")).to_have_text("Executed")
    expect(details.locator(".evidence")).to_have_text(
        re.compile(
            r"^Filled at 2,400\.00 because last 2,390\.00 \(the quote has no book\) ≤ limit 2,400\.00, "
            r"at which it rested, at \d\d:\d\d:\d\d\.\d{3} IST, quote 2\.$"
        )
    )
    expect(details).not_to_contain_text("Margin blocked")
    for text in ("TypeLimit, Intraday", "Tagscalper-1", "OriginYou", "10 at 2,400.00, charges", "Margin block"):
        expect(details).to_contain_text(text)
    expect(details.locator(".history b")).to_have_text(["Accepted", "Opened in the market", "Executed"])
    expect(details).to_contain_text(re.compile(r"Matched.* IST \(rested [\d.]+ m?s\)Executed.* m?s after its match\)"))
    expect(desk.orders.first.locator(".timeline .rested")).to_have_text(re.compile(r"^rested [\d.]+ m?s$"))
    desk.page.keyboard.press("Escape")
    rows = _export(desk, tmp_path / "ledger.csv", "ledger")
    assert [row["kind"] for row in rows] == [
        row["kind"] for row in api.send("GET", "/api/trading/transactions", params={"limit": 200})["data"]
    ]


EVIDENCE: list[tuple[dict[str, Any], str]] = [
    (
        {"rule": "first_look"},
        "ask 1,498.50 ≤ limit 1,500.00 at 10:02:11.120 IST, quote 48,213.",
    ),
    (
        {"rule": "first_look", "side": "SELL", "price": "1490.00"},
        "bid 1,497.00 ≥ limit 1,490.00 at 10:02:11.120 IST, quote 48,213.",
    ),
    (
        {"rule": "first_look", "orderType": "STOP_LIMIT", "triggerPrice": "1495.00"},
        "last 1,498.00 ≥ trigger 1,495.00 and ask 1,498.50 ≤ limit 1,500.00 at",
    ),
    ({"rule": "book"}, "ask 1,498.50 ≤ limit 1,500.00, at which it rested, at"),
    ({"rule": "trade_through"}, "a trade at 1,498.00 < limit 1,500.00, at which it rested, at"),
    ({"rule": "touch"}, "a trade at 1,498.00 touched limit 1,500.00, at which it rested, at"),
    ({"rule": "market", "orderType": "MARKET", "price": None}, "a market order takes ask 1,498.50 at"),
    (
        {"rule": "stop", "orderType": "STOP_MARKET", "price": None, "triggerPrice": "1495.00"},
        "last 1,498.00 ≥ trigger 1,495.00, and a stop takes ask 1,498.50 at",
    ),
    ({"rule": "close_price"}, "no usable quote came before the close, and this is the day's closing price at"),
    ({"rule": None}, "the account fills orders at once, at its own price; no quote decides."),
]


def test_each_fill_rule_has_a_sentence(desk_of: Callable[..., Desk], web: Running) -> None:
    desk = desk_of(web).open()
    for changes, expected in EVIDENCE:
        sentence = desk.page.evaluate(
            "async order => (await import('/static/desk/books/evidence.js')).evidenceSentence(order)",
            _filled(**changes),
        )
        assert sentence.startswith(f"Filled at 1,498.50 because {expected}"), sentence


TIMES = """async () => {
  const { clock, dayAndClock, ownTime } = await import("/static/common/time.js");
  const at = "2026-11-20T20:40:41.504741Z";
  return [clock(at), dayAndClock(at), ownTime(at)];
}"""


def test_times_are_in_indias_zone_with_the_persons_own_in_the_title(desk_of: Callable[..., Desk], web: Running) -> None:
    desk = desk_of(web, timezone="Europe/Berlin").open()
    assert desk.page.evaluate(TIMES) == ["02:10:41.504", "21 Nov 02:10", "Your time: 20 Nov 21:40:41 CET"]
    for head in (".expires", ".timeline", ".time"):
        assert "(IST)" in (desk.page.locator(f"th{head}").text_content() or "")


def _filled(*, rule: str | None, **changes: Any) -> dict[str, Any]:
    prices = {"bid": "1497.00", "ask": "1498.50", "last": "1498.00"}
    fill = {**prices, "rule": rule, "quoteNumber": 48213, "quotedAt": "2026-11-27T04:32:11.120456Z"}
    order = {"status": "EXECUTED", "side": "BUY", "orderType": "LIMIT", "price": "1500.00", "averagePrice": "1498.50"}
    absent = {"triggerPrice": None, "protectionPrice": None}
    return {**absent, **order, **changes, "fill": fill if rule else None}


HOLDING = {
    "positionId": "01a21d12-0000-7000-8000-000000000001",
    "exchange": "NSE",
    "symbol": "TCS",
    "quantity": 15,
    "settledQuantity": 10,
    "t1Quantity": 5,
    "soldToday": 3,
    "averagePrice": "4000.00",
    "lastPrice": "4020.00",
    "previousClose": "4010.00",
    "dayChange": "10.00",
    "unrealizedPnl": "300.00",
}


def test_holdings_show_their_profit_and_books_are_sorted_filtered_and_exported(
    desk_of: Callable[..., Desk], web: Running, trader: tuple[Api, str], quote: Any, tmp_path: Path
) -> None:
    api, token = trader
    quote("RELIANCE", "2500.00")
    quote("INFY", "3000.00")
    api.place()
    api.place(symbol="INFY", price="2900.00")
    desk = desk_of(web)
    desk.page.route("**/api/trading/holdings*", _answer_with_holding)
    desk.page.route("**/api/trading/orders?*", _call_it_a_square_off)
    desk.log_in(token)
    row = desk.page.locator("#holdings tr")
    for name, text in (
        ("settled", "10"),
        ("t1", "5"),
        ("sold", "3"),
        ("change", "+10.00 (+0.25 %)"),
        ("value", "60,300.00"),
    ):
        expect(row.locator(f".{name}")).to_have_text(text)
    total = desk.page.locator("#holdings-total")
    expect(total.locator(".unrealized")).to_have_text("+300.00")
    expect(total.locator(".change")).to_have_text("+150.00")
    [exported] = _export(desk, tmp_path / "holdings.csv", "holdings")
    assert (exported["symbol"], exported["value"], exported["unrealizedPnl"]) == ("TCS", "60300.00", "300.00")
    desk.page.get_by_label("Find in holdings").fill("inf")
    expect(row).to_have_count(0)
    expect(desk.page.locator("#holdings-count")).to_have_text("0 of 1")

    waits = desk.page.locator("#open-orders tr")
    expect(waits.get_by_role("button", name="Modify")).to_have_count(1)
    expect(waits.filter(has_text="INFY").get_by_role("button", name="Modify")).to_have_count(0)
    symbols = waits.locator(".symbol .link")
    desk.page.locator("#open-orders-head .price button").press("Enter")
    expect(symbols).to_have_text(["RELIANCE", "INFY"])
    desk.page.locator("#open-orders-head .price button").press("Enter")
    expect(symbols).to_have_text(["INFY", "RELIANCE"])
    desk.page.get_by_label("Find in open orders").fill("rel")
    expect(symbols).to_have_text(["RELIANCE"])
    expect(desk.page.locator("#open-orders-count")).to_have_text("1 of 2")


def _call_it_a_square_off(route: Route) -> None:
    """Let the order of INFY be one of the server's square-off."""
    answer = route.fetch()
    page = answer.json()
    for order in page["data"]:
        order["origin"] = "SQUARE_OFF" if order["symbol"] == "INFY" else order["origin"]
    route.fulfill(response=answer, json=page)


def _answer_with_holding(route: Route) -> None:
    body = json.dumps({"data": [HOLDING], "nextCursor": None})
    route.fulfill(status=200, content_type="application/json", body=body)


def test_on_a_day_without_trading_the_charges_are_those_of_the_day_before(
    desk_of: Callable[..., Desk], web: Running, start: ProcessStarter, account: Any, quote: Any
) -> None:
    start.worker()
    quote("RELIANCE", "2500.00")
    made = account()
    api = Api(web, made.headers)
    api.place(orderType="MARKET", price=None)
    trade = wait_until(lambda: api.send("GET", "/api/trading/trades")["data"])[0]
    desk = desk_of(web)
    days: list[str] = []

    def answer(route: Route) -> None:
        first = parse_qs(urlsplit(route.request.url).query).get("from", ["newest"])[0]
        days.append(first)
        body = [] if days.index(first) == 0 else [trade | {"tradedAt": "2026-11-20T10:00:00.000000Z"}]
        route.fulfill(status=200, content_type="application/json", body=json.dumps({"data": body, "nextCursor": None}))

    desk.page.route("**/api/trading/trades*", answer)
    desk.page.route("**/api/trading/orders?*", _answer_with_nothing)
    desk.log_in(made.token)
    expect(desk.page.locator("#positions-total .charges")).to_have_text(trade["charges"])
    assert "2026-11-19T18:30:00.000Z" in days


def _answer_with_nothing(route: Route) -> None:
    route.fulfill(status=200, content_type="application/json", body='{"data": [], "nextCursor": null}')


COUNT_CHANGES = """async () => {
  const { Table } = await import("/static/common/table.js");
  const scroller = document.createElement("div");
  scroller.innerHTML = '<div class="scroller open-orders"><table class="grid"><tbody></tbody></table></div>';
  document.body.append(scroller);
  const body = scroller.querySelector("tbody");
  const columns = ["price", "last"].map((name) => ({ name, value: (item) => item[name] }));
  const table = new Table(body, columns, { keyOf: (item) => item.key });
  const items = [...Array(500).keys()].map((key) => ({ key: String(key), price: "1.00", last: "1.00" }));
  table.show(items);
  await new Promise((resolve) => setTimeout(resolve, 200));
  let changes = 0;
  const observer = new MutationObserver((list) => { changes += list.length; });
  observer.observe(body, { subtree: true, childList: true, characterData: true, attributes: true });
  const counted = async () => {
    await new Promise((resolve) => setTimeout(resolve, 0));
    const seen = changes;
    changes = 0;
    return seen;
  };
  table.update(items.map((item) => ({ ...item })));
  const same = await counted();
  table.update(items.map((item) => ({ ...item, last: "2.00" })));
  const ticked = await counted();
  body.closest(".scroller").scrollTop = 1e6;
  await new Promise((resolve) => setTimeout(resolve, 300));
  return { same, ticked, late: body.lastElementChild.textContent };
}"""


def test_a_tick_changes_only_the_cells_that_read_differently_and_are_in_sight(
    desk_of: Callable[..., Desk], web: Running
) -> None:
    desk = desk_of(web).open()
    changes = desk.page.evaluate(COUNT_CHANGES)
    assert changes["same"] == 0
    assert 0 < changes["ticked"] < 60
    assert changes["late"] == "1.002.00"
