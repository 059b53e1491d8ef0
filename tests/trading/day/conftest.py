"""Fixtures of the tests of a trading day: the market's clock, and a square-off at 15:12."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support import market_clock
from trading.accounts import administration
from trading.day import square_off


@pytest.fixture
def clock(clean: None) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the market's clock to an Indian time: clock("2026-11-02 15:12")."""
    with market_clock.replaced():
        yield market_clock.set_to


@pytest.fixture
def set_up(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes the settings of the square-off: set_up(square_off_fee=Decimal("50.00"))."""
    plain = {"market_calendar": None, "square_off_time": time(15, 12), "square_off_fee": Decimal("0.00")}

    def change(**changes: Any) -> None:
        changed = dataclasses.replace(settings, **(plain | changes))
        monkeypatch.setattr(square_off, "settings", lambda: changed)

    change()
    square_off._found_at.clear()
    return change


@pytest.fixture
def trader(clean: None) -> Any:
    """Return an account with 100,000.00 that trades on quotes."""
    return administration.create_account("Quotes", Decimal("100000.00"), fill_model="QUOTES")["id"]
