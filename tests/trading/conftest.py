"""Fixtures of the tests of trading."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest

from tests.support import trading
from tests.support.logs import logged

__all__ = ["logged", "trader", "trigger"]


@pytest.fixture
def trader(account: Callable[..., Any]) -> UUID:
    """Return the id of an account with a balance of one million rupees."""
    return account().id


@pytest.fixture
def trigger(clean: None) -> Iterator[Callable[[str, str], None]]:
    """Return a function that runs PL/pgSQL when matching orders become EXECUTED: trigger("NEW.id = ...", body)."""

    def make(condition: str, body: str) -> None:
        trading.run(
            "CREATE OR REPLACE FUNCTION test_trap() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN {body}; RETURN NEW; END $$"
        )
        trading.run(
            "CREATE OR REPLACE TRIGGER test_trap BEFORE UPDATE ON trading_order FOR EACH ROW"
            f" WHEN (NEW.status = 'EXECUTED' AND {condition}) EXECUTE FUNCTION test_trap()"
        )

    yield make
    trading.run("DROP FUNCTION IF EXISTS test_trap() CASCADE")
