"""The desk in a browser, used as a person does."""

import json
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import ConsoleMessage, Locator, Page, Route, WebSocket, expect

PLACEMENT_PATH = "/api/trading/orders"
WATCH_POLICY = """
  window.policyViolations = [];
  addEventListener("securitypolicyviolation", (event) => window.policyViolations.push(event.violatedDirective));
"""


class Held:
    """Requests of a page that are held until they are released; later ones pass."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.routes: list[Route] = []
        self._is_holding = True
        page.route(pattern, self._take)

    def release(self) -> None:
        """Send the held requests."""
        self._is_holding = False
        for route in self.routes:
            route.continue_()

    def _take(self, route: Route) -> None:
        if self._is_holding:
            self.routes.append(route)
        else:
            route.continue_()


class Desk:
    """One browser window with the desk; it keeps the messages of the console and the requests."""

    def __init__(self, page: Page, base_url: str) -> None:
        self.page = page
        self.base_url = base_url
        self.complaints: list[str] = []
        self.greetings: list[dict[str, Any]] = []
        self.placement_keys: list[str] = []
        page.add_init_script(WATCH_POLICY)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("websocket", self._watch_socket)
        page.on("request", self._watch_request)

    def open(self) -> "Desk":
        """Load the page."""
        self.page.goto(self.base_url)
        return self

    def looks(self) -> Iterator[None]:
        """Show the page in light and dark colours, wide and narrow, one look after the other."""
        for scheme in ("light", "dark"):
            for width in (1280, 390):
                self.page.emulate_media(color_scheme=scheme)
                self.page.set_viewport_size({"width": width, "height": 900})
                yield

    def log_in(self, token: str) -> "Desk":
        """Load the page, enter the token, and wait until the stream is live."""
        return self.open().log_in_by_form(token)

    def log_in_by_form(self, token: str) -> "Desk":
        """Enter the token in the form of the loaded page, and wait until the stream is live."""
        self.page.get_by_label("Token").fill(token)
        self.page.get_by_label("Token").press("Enter")
        self.wait_until_live()
        return self

    def wait_until_live(self) -> None:
        """Wait until the connection light shows "live"."""
        expect(self.light).to_have_attribute("data-state", "live")

    @property
    def light(self) -> Locator:
        """The connection light."""
        return self.page.locator("#light")

    @property
    def message(self) -> Locator:
        """The ticket's message about the last placement."""
        return self.page.locator("#ticket-message")

    @property
    def orders(self) -> Locator:
        """The rows of the orders."""
        return self.page.locator("#orders tr")

    @property
    def positions(self) -> Locator:
        """The rows of the positions."""
        return self.page.locator("#positions tr")

    def fund(self, name: str) -> Locator:
        """One of the account's figures, by the API's name."""
        return self.page.locator(f"[data-field={name}]")

    def estimate(self, name: str) -> Locator:
        """One of the estimate's figures, by the API's name."""
        return self.page.locator(f"[data-estimate={name}]")

    def error_at(self, field: str) -> Locator:
        """The message at a field of the ticket."""
        return self.page.locator(f"#{field}-error")

    def fill(
        self, *, symbol: str = "RELIANCE", quantity: str = "10", price: str | None = None, side: str = "Buy"
    ) -> None:
        """Fill in the ticket; with a price it is a LIMIT order."""
        ticket = self.page.locator("#ticket")
        ticket.get_by_role("radio", name=side).check()
        ticket.get_by_label("Symbol").fill(symbol)
        ticket.get_by_label("Quantity").fill(quantity)
        ticket.get_by_role("radio", name="Market" if price is None else "Limit").check()
        if price is not None:
            ticket.get_by_label("Price").fill(price)

    def place(self, **order: Any) -> None:
        """Fill in the ticket and press its button; say yes if the ticket asks about a symbol that nobody has quoted."""
        self.fill(**order)
        self.page.locator("#submit").click()
        expect(self.message).not_to_be_empty()
        if self.message.get_attribute("data-kind") == "question":
            expect(self.page.locator("#submit[data-step=confirm]")).to_be_enabled()
            self.page.locator("#submit").click()
            expect(self.message).not_to_have_attribute("data-kind", "question")

    def policy_violations(self) -> list[str]:
        """Return the directives of the Content-Security-Policy that the page has violated."""
        return list(self.page.evaluate("window.policyViolations"))

    def overflow(self) -> int:
        """Return the pixels by which the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text} ({message.location.get('url')})")

    def _watch_socket(self, socket: WebSocket) -> None:
        socket.on("framesent", lambda payload: self._hear_frame(json.loads(payload)))

    def _hear_frame(self, message: dict[str, Any]) -> None:
        if message["action"] == "auth":
            self.greetings.append(message)

    def _watch_request(self, request: Any) -> None:
        if request.method == "POST" and request.url.endswith(PLACEMENT_PATH):
            self.placement_keys.append(request.headers.get("idempotency-key", ""))


def log_in_to_operations(desk: Desk, token: str) -> Desk:
    """Load the operator's page, enter the token, and wait until it shows figures."""
    desk.page.goto(f"{desk.base_url}/ops")
    desk.page.get_by_label("Token").fill(token)
    desk.page.get_by_label("Token").press("Enter")
    desk.wait_until_live()
    return desk
