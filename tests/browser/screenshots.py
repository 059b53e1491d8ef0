"""Take the pictures in docs/screenshots: python -m tests.browser.screenshots URL TOKEN [ADMIN_TOKEN].

With an administrator's token they are those of the operator's page, else those of the desk.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.browser.desk import Desk, log_in_to_operations

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PICTURES = (
    ("desk-1280-light", 1280, 1000, "light"),
    ("desk-1280-dark", 1280, 1000, "dark"),
    ("desk-1920-dark", 1920, 1080, "dark"),
    ("desk-390", 390, 1500, "light"),
)
# The price is plotted since the page was opened.
RECORDING_MS = 30_000
OPERATORS_PICTURES = (
    ("ops-1280-light", 1280, 990, "light"),
    ("ops-1280-dark", 1280, 990, "dark"),
    ("ops-390", 390, 1400, "light"),
)


def take(browser: Browser, url: str, picture: tuple[str, int, int, str], prepare: Callable[[Desk], None]) -> Path:
    """Take one picture of the window, after the element to show has appeared."""
    name, width, height, scheme = picture
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=2 if width < 500 else 1.25
    )
    desk = Desk(context.new_page(), url)
    prepare(desk)
    path = FOLDER / f"{name}.png"
    desk.page.screenshot(path=path)
    context.close()
    return path


def show_ticket(desk: Desk, token: str) -> None:
    """Log in to the desk, choose a stock, wait until its price has a history, and fill in the ticket."""
    desk.log_in(token)
    desk.page.locator("#watch-list button").first.click()
    expect(desk.page.locator("#price-plot canvas")).to_be_visible()
    desk.page.wait_for_timeout(RECORDING_MS)
    symbol = desk.page.get_by_label("Symbol", exact=True).input_value()
    last = float(desk.page.locator("#chart-last").inner_text().replace(",", ""))
    desk.fill(symbol=symbol, quantity="40", price=f"{last * 0.995:.1f}0")
    expect(desk.page.locator("#outlook")).to_contain_text("Rests until")
    expect(desk.page.locator("#verdict")).to_contain_text("40 long")


def show_operations(desk: Desk, token: str) -> None:
    """Log in to the operator's page, and wait until its plots of a minute are full."""
    log_in_to_operations(desk, token)
    expect(desk.page.locator("#throughput canvas")).to_be_visible()
    desk.page.wait_for_timeout(60_000)


def main() -> None:
    """Take the pictures, and compress them if pngquant is installed."""
    url, token, *admin = sys.argv[1:]
    pictures = OPERATORS_PICTURES if admin else PICTURES
    prepare = partial(show_operations, token=admin[0]) if admin else partial(show_ticket, token=token)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        for picture in pictures:
            path = take(browser, url, picture, prepare)
            if shutil.which("pngquant"):
                subprocess.run(["pngquant", "--force", "--skip-if-larger", "--output", path, "128", path], check=False)
            print(path, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
