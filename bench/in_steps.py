"""The product's web process with every placement done in steps: what the one statement is measured against."""

from typing import Any

import api
from trading.orders import placement


def create_app() -> Any:
    """Return the application without the short way of the common order."""
    placement.place_at_once = lambda *_: None
    return api.create_app()
