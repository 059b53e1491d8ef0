"""The programs of the client's README run as they stand there."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.conftest import TestAccount
from tests.support.processes import ROOT, Running
from tests.support.trading import one
from tradepost_client import Client, Problem, problems
from trading.execution.sweeping import sweep_once

README = (ROOT / "clients" / "python" / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
SWEEP_PAUSE_S = 0.02


@contextlib.contextmanager
def sweeping() -> Iterator[None]:
    """Execute the orders that a program places, as a worker does."""
    is_over = threading.Event()

    def sweep() -> None:
        while not is_over.wait(SWEEP_PAUSE_S):
            sweep_once(limit=10)

    thread = threading.Thread(target=sweep)
    thread.start()
    yield
    is_over.set()
    thread.join()


@pytest.fixture
def names(
    web: Running,
    account: Callable[..., TestAccount],
    quote: Callable[..., None],
    connect_to: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, Any]:
    """Return the one name that later programs of the README take from the first: the client."""
    quote("RELIANCE", "2500.00")
    trader = account()
    monkeypatch.setenv("TRADEPOST_URL", web.base_url)
    monkeypatch.setenv("TRADEPOST_TOKEN", trader.token)
    client = connect_to(web.base_url, trader.token)
    return {"client": client}


def printed_by(program: str, names: dict[str, Any]) -> list[str]:
    """Run a program, and return the lines that it prints."""
    lines: list[str] = []
    with sweeping():
        exec(program, {**names, "print": lambda *parts: lines.append(" ".join(map(str, parts)))})
    return lines


def test_the_first_bot_trades(names: dict[str, Any]) -> None:
    client = names.pop("client")
    bought, sold, balance = printed_by(PROGRAMS[0], {})
    assert (bought, sold) == ("BUY EXECUTED at 2500.00", "SELL EXECUTED at 2500.00")
    assert balance == f"balance {client.account().balance}"
    assert len(PROGRAMS[0].splitlines()) <= 10
    assert one("SELECT sum(quantity) FROM position") == 0


def test_the_other_programs_run(names: dict[str, Any]) -> None:
    refused, streamed = (printed_by(program, names) for program in PROGRAMS[1:])
    assert re.fullmatch(r"needs [0-9.]+ and has 1000000\.00", refused[0])
    assert set(streamed) == {"4 PENDING", "6 EXECUTED", "NSE:RELIANCE 2500.00"}


def test_every_exception_of_the_readme_exists() -> None:
    for name in re.findall(r"`problems\.(\w+)`", README):
        assert issubclass(getattr(problems, name), Problem)
    assert Client.__doc__
