"""`make run` starts everything, keeps the data, and leaves nothing behind."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from embedded.seed import read_stocks
from tests.embedded.conftest import UNSET, Runs
from tests.support.processes import ROOT, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def printed_commands(log: str) -> list[str]:
    return [command.replace("\\\n", " ") for command in re.findall(r"^  (curl (?:.*\\\n)*.*)$", log, re.MULTILINE)]


def exports(log: str) -> dict[str, str]:
    """Return the variables that the banner exports."""
    return dict(re.findall(r"^  export (\w+)=(.+)$", log, re.MULTILINE))


def curl(command: str) -> Any:
    done = subprocess.run(shlex.split(command.replace(" -i ", " ")), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def status_of(command: str) -> int:
    """Return the status that a printed command shows."""
    done = subprocess.run(shlex.split(command), capture_output=True, text=True, check=True)
    return int(done.stdout.split(" ", 2)[1])


def is_executed(read: str, *, at: str | None = "2500.00") -> bool:
    """Return True if the newest order is executed: at the price of the README, if it is the account's first."""
    order = curl(read)["data"][0]
    assert at is None or order["averagePrice"] in (None, at)
    return bool(order["status"] == "EXECUTED")


def last_prices(read: str) -> dict[str, str]:
    stocks = curl(read.replace("/api/trading/orders?limit=1", "/api/market/stocks?limit=200"))
    return {stock["symbol"]: stock["lastPrice"] for stock in stocks["data"]}


def first_event(log: str, environment: dict[str, str]) -> Any:
    """Return the first output of the printed `stream` in another shell, which finds the run's port by itself."""
    (arguments,) = re.findall(r"^  \.venv/bin/tradepost (stream .+)$", log, re.MULTILINE)
    command = [sys.executable, "-m", "api.commands", *shlex.split(arguments)]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as stream:
        assert stream.stdout is not None
        line = stream.stdout.readline()
        stream.terminate()
    return json.loads(line)


def misspelt(place: str) -> str:
    """Return the command that places an order for a symbol that nobody knows."""
    return place.replace("RELIANCE", "RELAINCE")


def test_the_printed_commands_work_and_nothing_is_left(runs: Runs) -> None:
    run = runs.launch(ORDER_DISPTACH="none").wait_for_log("Ctrl-C stops", 60)
    warning = "ORDER_DISPTACH is not a setting and has no effect: is ORDER_DISPATCH meant?"
    assert re.findall("ORDER_DISPTACH.*", run.log) == [warning]  # once, though each process reads the settings
    assert f"Listening at: http://127.0.0.1:{runs.port}" in run.log
    place, read = printed_commands(run.log)
    assert curl(place)["executionScheduled"] is True
    wait_until(lambda: is_executed(read), what="the order is executed")
    cron = read.replace("trading/orders?limit=1", "cron/order-worker")
    token, secret = exports(run.log)["TRADEPOST_TOKEN"], (runs.data_dir / "cron_secret").read_text().strip()
    assert curl(cron.replace(token, secret))["remaining"] == 0
    assert curl(misspelt(place))["nearest"][0]["symbol"] == "RELIANCE"

    saved = dict(line.split("=", 1) for line in (runs.data_dir / "env").read_text().splitlines())
    assert saved["EMBEDDED_SERVERS"] == "DATABASE_URL,REDIS_URL"
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    verify = [str(Path(sys.executable).with_name("flask")), "--app", "api", "ledger", "verify"]
    environment = inherited | {"DATA_DIR": str(runs.data_dir)}
    assert subprocess.run(verify, cwd=ROOT, env=environment, capture_output=True).returncode == 0
    assert first_event(run.log, environment)["id"] == 1

    run.signal(signal.SIGINT)
    assert run.wait() == 0
    wait_until(lambda: not runs.processes(), what="nothing is left")
    assert "| web stopped\n" in run.log
    assert "(rc=" not in run.log  # nothing failed
    # One time a line, that of the manager.
    assert re.search(
        r"^\d\d:\d\d:\d\d web +\| placed BUY 10 NSE:RELIANCE MARKET acct \S+ order \S+ ", run.log, re.MULTILINE
    )
    assert re.findall(r"^.*\d\d:\d\d:\d\d .*\d\d:\d\d:\d\d.*$", run.log, re.MULTILINE) == []

    done = subprocess.run(verify, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "DATABASE_URL is not set" in done.stderr

    again = runs.launch().wait_for_log("Ctrl-C stops", 60)
    assert printed_commands(again.log) == [place, read]
    assert exports(again.log) == exports(run.log)
    assert "initdb" not in again.log
    assert is_executed(read)
    number = curl(place)["order"]["orderId"]  # whose quote of the first run may be too old by now
    wait_until(lambda: is_executed(read, at=None), what="the order is executed")
    assert curl(read)["data"][0]["orderId"] == number
    assert curl(read)["data"][0]["fill"]["rule"] == "market"
    assert curl(read.replace("orders?limit=1", "account"))["fillModel"] == "QUOTES"
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    wait_until(lambda: not runs.processes(), what="nothing is left")


def test_outside_the_session_the_printed_order_waits_for_it_and_without_the_simulator_prices_stand_still(
    runs: Runs,
) -> None:
    run = runs.launch(MARKET_CALENDAR="NSE", SIMULATOR="off", UNKNOWN_SYMBOLS="create")
    run.wait_for_log("Ctrl-C stops", 60)
    place, read = printed_commands(run.log)
    clock = curl(read.replace("/api/trading/orders?limit=1", "/api/market/clock"))
    is_open = clock["sessions"][0]["open"]
    assert f"market        NSE, {'open' if is_open else 'closed'} until" in run.log
    assert ("afterMarket" in place) is not is_open
    assert curl(misspelt(place))["code"] == "no_price"
    assert status_of(place) == 202
    order = curl(read)["data"][0]
    assert is_open or (order["status"], order["waitingFor"]) == ("PENDING", "session")
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    shown = [str(Path(sys.executable).with_name("flask")), "--app", "api", "sessions", "show", "--from", "2026-12-24"]
    done = subprocess.run(
        [*shown, "--to", "2026-12-28", "--json"],
        cwd=ROOT,
        env=environment | {"DATA_DIR": str(runs.data_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert {one["day"] for one in json.loads(done.stdout)} == {"2026-12-24", "2026-12-28"}  # 25 is a holiday
    assert "quotes started" not in run.log
    assert set(last_prices(read).values()) <= {f"{price:.2f}" for *_, price in read_stocks()}


def test_a_command_in_another_shell_finds_all_buckets_of_the_run(runs: Runs) -> None:
    runs.launch(SHARDS="2", SIMULATOR="off").wait_for_log("Ctrl-C stops", 60)
    environment = {name: value for name, value in os.environ.items() if name not in UNSET}
    listed = subprocess.run(
        [str(Path(sys.executable).with_name("flask")), "--app", "api", "accounts", "list", "--json"],
        cwd=ROOT,
        env=environment | {"DATA_DIR": str(runs.data_dir)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(json.loads(listed.stdout)) == 1


def test_a_killed_run_does_not_block_the_next(runs: Runs) -> None:
    runs.launch().wait_for_log("Ctrl-C stops", 60).kill()
    assert runs.processes() != []
    again = runs.launch().wait_for_log("Ctrl-C stops", 60)
    place, read = printed_commands(again.log)
    assert curl(place)["executionScheduled"] is True
    wait_until(lambda: is_executed(read), what="the order is executed")
    again.signal(signal.SIGTERM)
    assert again.wait() == 0
    wait_until(lambda: not runs.processes(), what="nothing is left")


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"PORT": "http"}, "tradepost: PORT must be a whole number from 1 to 65535, not 'http'\n"),
        ({"TRADEPOST_ENV": "production"}, "tradepost: DATABASE_URL is not set: .*\n"),
        ({"DATABASE_URL": "mysql://x/y"}, "tradepost: DATABASE_URL must be a URL .*\n"),
    ],
)
def test_a_bad_setting_is_one_line(runs: Runs, settings: dict[str, str], line: str) -> None:
    run = runs.launch(**settings)
    assert run.wait() == 1
    assert re.fullmatch(line, run.log)
    assert runs.processes() == []


def test_a_busy_port_is_one_line(runs: Runs, tmp_path: Path) -> None:
    listener = subprocess.Popen(
        [sys.executable, "-c", f"import socket; s = socket.create_server(('127.0.0.1', {runs.port})); input()"],
        stdin=subprocess.PIPE,
    )
    try:
        wait_until(lambda: psutil.Process(listener.pid).net_connections(), what="the listener listens")
        run = runs.launch()
        assert run.wait() == 1
        assert re.fullmatch(rf"tradepost: PORT {runs.port} cannot be used .*\n", run.log)
        assert not runs.data_dir.exists()
    finally:
        listener.kill()
        listener.wait()
