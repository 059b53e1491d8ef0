"""Fixtures of the tests of models."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg2
import pytest

from models.identifiers import new_id
from tests.trading.helpers import run


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


@pytest.fixture
def connect(clean: None, database_url: str) -> Iterator[Callable[[], Any]]:
    """Return a function that opens a connection of its own."""
    opened = []

    def make() -> Any:
        opened.append(psycopg2.connect(database_url))
        return opened[-1]

    yield make
    for connection in opened:
        connection.close()
