"""The market's clock of a test's database, which runs on from the time that it is set to, and a square-off at 15:12.

A clock that real processes follow through a day is a sequence: setting it takes no statement's plan away, and all
sessions see it at once.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from runtime import market_clock
from tests.support.trading import one, run

READ = "SELECT pg_get_functiondef('public.market_now'::regproc)"
REPLACE = """
CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql
AS 'SELECT clock_timestamp() + interval ''{}'''
"""
# The time that the clock is ahead of the machine's, or its time since 1970, in microseconds.
INSTALL = """
CREATE SEQUENCE market_clock MINVALUE -9223372036854775808;
CREATE OR REPLACE FUNCTION public.market_now() RETURNS timestamptz LANGUAGE sql
AS 'SELECT {begin} + last_value * interval ''1 microsecond'' FROM market_clock';
"""
MOVE = "SELECT setval('market_clock', (extract(epoch FROM %s::timestamptz - {begin}) * 1000000)::bigint)"


@pytest.fixture
def clock(clean: None) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the market's clock to an Indian time: clock("2026-11-02 15:12")."""
    definition = one(READ)
    yield set_to
    run(definition)


@pytest.fixture
def moving_clock(clean: None) -> Iterator[Callable[[datetime], None]]:
    """Return a function that sets the market's clock of all processes to a time, from which it runs on."""
    with _installed("clock_timestamp()") as move:
        yield move


@pytest.fixture
def standing_clock(clean: None) -> Iterator[Callable[[datetime], None]]:
    """Return a function that sets the market's clock of the database and of this process to a time, where it stands."""
    times = [datetime.now(UTC)]
    with _installed("timestamptz ''epoch''") as move, market_clock.set_to(lambda: times[-1]):

        def set_both(moment: datetime) -> None:
            move(moment)
            times.append(moment)

        set_both(times[0])
        yield set_both


@contextlib.contextmanager
def _installed(begin: str) -> Iterator[Callable[[datetime], None]]:
    definition = one(READ)
    run(INSTALL.format(begin=begin))
    move = MOVE.format(begin=begin.replace("''", "'"))
    try:
        yield lambda moment: one(move, moment)
    finally:
        run(definition)
        run("DROP SEQUENCE market_clock")


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
