"""Servers of this machine are reached although the environment names a proxy that does not exist."""

import os
import shlex
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from embedded import local_http
from tests.embedded.conftest import Runs
from tests.embedded.test_run import exports, is_executed, last_prices, printed_commands
from tests.examples.conftest import CLIENT, PROGRAMS
from tests.support.processes import ROOT, dead_proxies, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def behind(proxies: dict[str, str], command: str) -> str:
    """Return a command as typed into a shell with these proxies."""
    return shlex.join(["env", *(f"{name}={value}" for name, value in proxies.items()), *shlex.split(command)])


def test_make_run_behind_a_proxy_starts_and_its_printed_commands_work(runs: Runs) -> None:
    proxies = dead_proxies()
    log = runs.launch(**proxies).wait_for_log("Ctrl-C stops", 60).log
    place, read = (behind(proxies, command) for command in printed_commands(log))
    subprocess.run(shlex.split(place), check=True, capture_output=True)
    wait_until(lambda: is_executed(read), what="the order is executed")
    before = last_prices(read)
    wait_until(lambda: last_prices(read) != before, what="a price moves")
    _the_examples_work(log, runs.port, proxies)


def _the_examples_work(log: str, port: int, proxies: dict[str, str]) -> None:
    settings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CLIENT)}
    settings |= {"TRADEPOST_URL": f"http://127.0.0.1:{port}", **proxies}
    token = exports(log)["TRADEPOST_TOKEN"]
    for name in ("bot.py", "bot.mjs"):
        if shutil.which(PROGRAMS[name]):
            command = [PROGRAMS[name], str(ROOT / "examples" / name), "NSE", "RELIANCE"]
            bot = subprocess.run(command, env=settings | {"TRADEPOST_TOKEN": token}, capture_output=True, timeout=30)
            assert (bot.returncode, bot.stderr) == (0, b"")
    feeder = [PROGRAMS["feeder.py"], str(ROOT / "examples" / "feeder.py")]
    refused = subprocess.run(
        feeder, env=settings | {"TRADEPOST_TOKEN": token}, input=b"NSE,TCS,4000.00\n", capture_output=True, timeout=30
    )
    assert b"forbidden" in refused.stderr  # it is the service that answers: the token may not feed


def test_a_proxy_for_a_remote_service_is_used() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        do_CONNECT = do_GET  # noqa: N815  (a name that http.server looks for)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {"TRADEPOST_URL": "http://tradepost.example", "TRADEPOST_TOKEN": "tp_x", "PATH": os.environ["PATH"]}
        settings["PYTHONPATH"] = str(CLIENT)
        settings["http_proxy"] = f"http://127.0.0.1:{server.server_port}"
        command = [PROGRAMS["bot.py"], str(ROOT / "examples" / "bot.py"), "NSE", "RELIANCE"]
        with subprocess.Popen(command, env=settings, stderr=subprocess.DEVNULL) as bot:
            wait_until(lambda: asked, what="the proxy is asked for a way to the stream")
            bot.kill()
        server.shutdown()
    assert set(asked) == {"tradepost.example:80"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"http_proxy": "http://p"}, True),
        ({"ALL_PROXY": "http://p"}, True),
        ({"https_proxy": "http://p"}, False),
        ({"http_proxy": "http://p", "no_proxy": "example.com,127.0.0.1"}, False),
        ({"http_proxy": "http://p", "no_proxy": "*"}, False),
    ],
)
def test_the_printed_commands_avoid_a_proxy_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], expected: bool
) -> None:
    for name in dead_proxies():
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert local_http.is_behind_proxy() is expected
