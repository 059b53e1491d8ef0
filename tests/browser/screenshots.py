"""Take the pictures in docs/screenshots of a desk that runs: python -m tests.browser.screenshots URL TOKEN."""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGUMENTS, find_chromium
from tests.browser.desk import Desk

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
PICTURES = (
    ("desk-1280-light", 1280, 1120, "light"),
    ("desk-1280-dark", 1280, 1120, "dark"),
    ("desk-390", 390, 1500, "light"),
)


def take(browser: Browser, url: str, token: str, name: str, width: int, height: int, scheme: str) -> Path:
    """Take one picture of the window, with a filled-in ticket."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=2 if width < 500 else 1.5
    )
    desk = Desk(context.new_page(), url).log_in(token)
    desk.fill(symbol="INFY", quantity="40", price="1860.00")
    expect(desk.page.locator("#estimate")).to_have_attribute("data-state", "known")
    expect(desk.page.locator("#margin-plot canvas")).to_be_visible()
    expect(desk.page.locator("#verdict")).not_to_be_empty()
    path = FOLDER / f"{name}.png"
    desk.page.screenshot(path=path)
    context.close()
    return path


def main() -> None:
    """Take all pictures, and make them small where pngquant is installed."""
    url, token = sys.argv[1:]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(CHROMIUM_ARGUMENTS))
        for name, width, height, scheme in PICTURES:
            path = take(browser, url, token, name, width, height, scheme)
            if shutil.which("pngquant"):
                subprocess.run(["pngquant", "--force", "--skip-if-larger", "--output", path, "128", path], check=False)
            print(path, path.stat().st_size)
        browser.close()


if __name__ == "__main__":
    main()
