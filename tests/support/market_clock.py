"""The market's clock of a test's database, which runs on from the time that it is set to, and a square-off at 15:12."""

import dataclasses
from collections.abc import Callable, Iterator
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from tests.support.trading import one, run

READ = "SELECT pg_get_functiondef('market_now'::regproc)"
REPLACE = """
CREATE OR REPLACE FUNCTION market_now() RETURNS timestamptz LANGUAGE sql
AS 'SELECT clock_timestamp() + interval ''{}'''
"""


@pytest.fixture
def clock(clean: None) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the market's clock to an Indian time: clock("2026-11-02 15:12")."""
    definition = one(READ)
    yield set_to
    run(definition)


def set_to(moment: str) -> None:
    """Set the market's clock to an Indian time."""
    run(REPLACE.format(one("SELECT %s::timestamp AT TIME ZONE 'Asia/Kolkata' - clock_timestamp()", moment)))


@pytest.fixture
def set_up(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that changes the settings of the square-off: set_up(square_off_fee=Decimal("50.00"))."""
    from trading.day import square_off

    plain = {"market_calendar": None, "square_off_time": time(15, 12), "square_off_fee": Decimal("0.00")}

    def change(**changes: Any) -> None:
        changed = dataclasses.replace(settings, **(plain | changes))
        monkeypatch.setattr(square_off, "settings", lambda: changed)

    change()
    square_off._found_at.clear()
    return change
