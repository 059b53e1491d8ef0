"""The reference page in a browser that reaches only the service itself."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.desk import Desk
from tests.browser.test_page import grave_violations
from tests.support.processes import Running


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
    expect(operation.locator("pre").first).to_contain_text('curl -sS -X POST "$URL/api/trading/orders"')
    operation.get_by_role("link", name="OrderRequest").click()
    expect(desk.page.locator("#schema-OrderRequest")).to_be_in_viewport()


def test_the_reference_needs_no_script_and_is_revalidated(client: Any) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.content_type) == (200, "text/html; charset=utf-8")
    assert b"<script" not in answer.data
    assert b" style=" not in answer.data
    assert "'unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers.getlist("Cache-Control") == ["no-cache"]
    again = client.get("/docs", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
