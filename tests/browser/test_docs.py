"""The reference page in a browser that reaches only the service itself."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.browser.test_loading import LONGEST_MS, TRIES, slow_load
from tests.browser.test_page import grave_violations
from tests.support.processes import Running

FIRST_PAINT = "() => performance.getEntriesByType('paint')[0]?.startTime"


@pytest.mark.acceptance
def test_the_reference_shows_every_endpoint_and_loads_nothing_from_other_hosts(
    desk_of: Callable[..., Desk], web: Running, client: Any
) -> None:
    document = client.get("/openapi.json").get_json()
    # The page is long and repetitive: in dark mode one part of each kind is enough.
    for scheme, width, within in (
        ("light", 1280, None),
        ("dark", 390, "header, nav, .intro, #ordersPlace, #schema-Order"),
    ):
        desk = desk_of(web, scheme=scheme, width=width)
        asked: list[str] = []
        desk.page.on("request", lambda request, asked=asked: asked.append(request.url))
        desk.page.goto(f"{web.base_url}/docs")
        shown = desk.page.locator("article.operation h3").all_inner_texts()
        for path, item in document["paths"].items():
            for method in set(item) - {"parameters"}:
                assert f"{method.upper()} {path}" in shown
        assert {urlsplit(url).netloc for url in asked} == {urlsplit(web.base_url).netloc}
        assert grave_violations(desk, within) == []
        assert desk.overflow() <= 0
        assert (desk.complaints, desk.policy_violations()) == ([], [])


@pytest.mark.acceptance
def test_the_contents_link_to_an_operation_and_the_operation_to_its_schema(
    desk_of: Callable[..., Desk], web: Running
) -> None:
    desk = desk_of(web)
    desk.page.goto(f"{web.base_url}/docs")
    desk.page.get_by_role("link", name="POST Place an order", exact=True).click()
    operation = desk.page.locator("#ordersPlace")
    expect(operation).to_be_in_viewport()
    expect(operation.locator("pre").first).to_contain_text('curl -sS -X POST "$TRADEPOST_URL/api/trading/orders"')
    operation.get_by_role("link", name="OrderRequest").click()
    expect(desk.page.locator("#schema-OrderRequest")).to_be_in_viewport()


@pytest.mark.acceptance
def test_a_reader_searches_chooses_a_language_and_copies_a_call(desk_of: Callable[..., Desk], web: Running) -> None:
    desk = desk_of(web)
    page = desk.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{web.base_url}/docs")
    page.keyboard.press("/")
    page.keyboard.type("margin convert")
    expect(page.locator("#found")).to_have_text(re.compile(r"\d+ found"))
    expect(page.locator("#results a").first).to_have_text(
        re.compile("^POST /api/trading/positions/{position_id}/convert")
    )
    expect(page.get_by_role("link", name="POST Place an order", exact=True)).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#positionsConvert")).to_be_in_viewport()
    page.locator("#query").fill("zebra")
    expect(page.locator("#found")).to_have_text("Nothing found.")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="POST Place an order", exact=True)).to_be_visible()

    figure = page.locator("#ordersPlace figure.request")
    figure.get_by_role("button", name="JavaScript").click()
    figure.get_by_role("button", name="Copy").click()
    expect(figure.get_by_role("button", name="Copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()").startswith("const answer = await fetch(")
    page.reload()  # the language that was chosen stays
    expect(page.locator("#accountRead figure.request pre:visible")).to_contain_text("await fetch(")
    assert grave_violations(desk, "header, nav, #ordersPlace") == []
    assert (desk.complaints, desk.policy_violations()) == ([], [])


@pytest.mark.acceptance
def test_the_reference_is_painted_on_a_slow_link_and_can_be_read_without_its_script(
    desk_of: Callable[..., Desk], web: Running
) -> None:
    tries: list[float] = []
    while len(tries) < TRIES and not (tries and tries[-1] <= LONGEST_MS):
        desk = desk_of(web)
        slow_load(desk, "/docs")
        tries.append(desk.page.wait_for_function(FIRST_PAINT).json_value())
    assert tries[-1] <= LONGEST_MS, tries

    desk.page.context.route("**/*.js", lambda route: route.abort())
    desk.page.goto(f"{web.base_url}/docs")
    expect(desk.page.locator("#search")).to_be_hidden()
    expect(desk.page.locator("#ordersPlace figure.request pre:visible")).to_contain_text("curl")


def test_the_reference_is_revalidated_and_has_no_inline_script_or_style(client: Any) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert re.findall(rb"<script(?![^>]* src=)", answer.data) == []
    assert b" style=" not in answer.data
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers.getlist("Cache-Control") == ["no-cache"]
    again = client.get("/docs", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
