"""The web process with every placement in steps, for the comparison in bench.one_statement."""

from typing import Any

import api
from trading.orders import placement


def create_app() -> Any:
    """Return the application with placement by one statement turned off."""
    placement.place_at_once = lambda *_: None  # type: ignore[attr-defined]
    return api.create_app()
