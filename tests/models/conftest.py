"""Fixtures of the tests of models."""

from uuid import UUID

import pytest

from models.identifiers import new_id
from tests.support.trading import run


@pytest.fixture
def account_id(clean: None) -> UUID:
    """Return the id of an account made with plain SQL."""
    made = new_id()
    run("INSERT INTO account (id, name, balance) VALUES (%s, 'Plain', 1000)", made)
    return made


@pytest.fixture
def stock_id(clean: None) -> UUID:
    """Return the id of a stock made with plain SQL."""
    made = new_id()
    run("INSERT INTO stock (id, exchange, symbol) VALUES (%s, 'NSE', 'TCS')", made)
    return made
