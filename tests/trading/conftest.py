"""Fixtures of the tests of trading."""

from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import pytest

from models import buckets
from tests.support import trading
from tests.support.logs import logged

__all__ = ["logged", "trader", "trigger"]


@pytest.fixture(autouse=True)
def in_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where accounts are in several buckets, run a test in the first one: callers of the package are in one already."""
    if buckets.are_several():
        monkeypatch.setattr(buckets, "shard_of", lambda _: 0)
        monkeypatch.setattr(buckets, "_current", ContextVar("bucket", default=0))  # of every thread


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
