"""Fixtures of the tests of matching."""

from uuid import UUID

import pytest

from tests.support.trading import one
from tests.trading.matching.market import SYMBOL, put


@pytest.fixture
def stock_id(clean: None) -> UUID:
    """Return the id of a stock whose last price is 100.00, by its first quote."""
    put(last_price="100.00")
    return one("SELECT id FROM stock WHERE symbol = %s", SYMBOL)
