"""The sample of live quotes, and the command `stream --watch`."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TestAccount
from tests.support.processes import ROOT, ProcessStarter, Running

pytestmark = [pytest.mark.acceptance]

MakeAccount = Callable[..., TestAccount]


def line_with(stream: Any, text: str) -> str:
    """Return the next line with a text."""
    while text not in (line := stream.readline()):
        assert line, "the output has ended"
    return str(line)


def test_the_sample_prints_quotes_and_goes_on_after_a_restart(
    run: Any,
    start: ProcessStarter,
    restart: Callable[[Running], Running],
    account: MakeAccount,
    quote: Callable[..., None],
) -> None:
    quote("RELIANCE", "2500.00")
    web = start.web()
    ticks = run("ticks.py", web, account().token, "NSE:RELIANCE", "NSE:RELAINCE")
    assert "NSE:RELIANCE" in line_with(ticks.stdout, "2500.00")
    assert "unknown: NSE:RELAINCE" in ticks.stderr.readline()
    quote("RELIANCE", "2501.00")
    line_with(ticks.stdout, "2501.00")
    restart(web)
    assert "reconnecting" in ticks.stderr.readline()
    quote("RELIANCE", "2502.00")
    line_with(ticks.stdout, "2502.00")


def test_a_bad_token_ends_the_sample(run: Any, web: Running) -> None:
    ticks = run("ticks.py", web, "tp_nobody", "NSE:RELIANCE")
    _, complaint = ticks.communicate(timeout=30)
    assert ticks.returncode == 1
    assert complaint == "unauthenticated: The token is unknown, expired or revoked.\n"


def test_a_sample_that_watches_only_unknown_stocks_ends(run: Any, web: Running, account: MakeAccount) -> None:
    ticks = run("ticks.py", web, account().token, "NSE:RELAINCE", "NSE:NIFY")
    assert ticks.communicate(timeout=30) == ("", "unknown: NSE:RELAINCE, NSE:NIFY\n")
    assert ticks.returncode == 1


@pytest.fixture
def follow(web: Running, account: MakeAccount) -> Any:
    """Return a function that starts `stream` with these options, for an account."""
    started = []

    def begin(*options: str) -> subprocess.Popen[str]:
        trader = account()
        flask = str(Path(sys.executable).with_name("flask"))
        command = [flask, "--app", "api", "stream", "--token", trader.token, "--url", web.base_url, *options]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, cwd=ROOT, env=os.environ, **pipes))
        return started[-1]

    yield begin
    for process in started:
        with process:
            process.send_signal(signal.SIGINT)


def test_the_command_prints_quotes_beside_events(follow: Any, quote: Callable[..., None]) -> None:
    quote("RELIANCE", "2500.00")
    stream = follow("--since", "0", "--watch", "NSE:RELIANCE", "--watch", "nse:relaince")
    seen: dict[str, Any] = {}
    while not {"account.updated", "quote"} <= seen.keys():
        message = json.loads(stream.stdout.readline())
        seen[message["type"]] = message
    assert seen["quote"]["data"]["lastPrice"] == "2500.00"
    assert set(seen) == {"account.updated", "quote"}
    assert "unknown stocks: NSE:RELAINCE" in line_with(stream.stderr, "unknown")
    quote("RELIANCE", "2501.00")
    assert json.loads(line_with(stream.stdout, "2501.00"))["type"] == "quote"


def test_a_stock_without_its_exchange_ends_the_command(follow: Any) -> None:
    stream = follow("--watch", "RELIANCE")
    assert "NSE:RELIANCE" in line_with(stream.stderr, "cannot be watched")
    assert stream.wait(20) == 1
