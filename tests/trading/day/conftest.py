"""Fixtures of the tests of a trading day."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.market_clock import clock, set_up
from trading.accounts import administration

__all__ = ["clock", "set_up"]


@pytest.fixture
def trader(clean: None) -> Any:
    """Return an account with 100,000.00 that trades on quotes."""
    return administration.create_account("Quotes", Decimal("100000.00"), fill_model="QUOTES")["id"]
