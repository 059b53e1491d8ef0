"""Presses of buttons that act in two steps."""

from playwright.sync_api import Locator, Page, expect

# The second press of a double click comes sooner, and does not count.
DECISION_MS = 450


def press_twice(button: Locator) -> None:
    """Press a button, and after a moment of thought press it again at the same place."""
    page: Page = button.page
    armed = page.locator(".two-step.is-armed")
    button.scroll_into_view_if_needed()
    place = button.bounding_box()
    assert place is not None
    button.click()
    expect(armed).to_be_visible()
    page.wait_for_timeout(DECISION_MS)
    assert armed.bounding_box() == place
    armed.click()
