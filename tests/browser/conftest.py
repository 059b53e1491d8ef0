"""A real Chromium in front of the real processes; without Chromium these tests are skipped."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.desk import Desk
from tests.browser.quotes import Feed
from tests.support.processes import Running

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)

# expect() ignores the time-out of a context.
PATIENCE_MS = float(os.environ.get("BROWSER_TIMEOUT_MS", "20000"))
expect.set_options(timeout=PATIENCE_MS)


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


# Scope "package" and not "session": while Playwright runs, no other test can run an event loop.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Start a browser for the tests of this folder."""
    path = find_chromium()
    if path is None:
        pytest.skip("no chromium on PATH: apt-get install chromium, to test the desk in a browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def desk_of(browser: Browser, clean: None) -> Iterator[Callable[..., Desk]]:
    """Return a function that opens the desk of a web process in a browser of its own: desk_of(web, width=390)."""
    desks: list[Desk] = []

    def make(
        web: Running, *, width: int = 1280, height: int = 900, scheme: Any = "light", timezone: str | None = None
    ) -> Desk:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            timezone_id=timezone,
        )
        context.set_default_timeout(PATIENCE_MS)
        desks.append(Desk(context.new_page(), web.base_url))
        return desks[-1]

    yield make
    for desk in desks:
        desk.page.context.close()


@pytest.fixture
def feed(web: Running, headers_for: Any) -> Feed:
    """Return a feed of the web process."""
    return Feed(web.base_url, headers_for("feed"))
