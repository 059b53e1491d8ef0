"""Fixtures that run the programs of examples/ as a user runs them, who has no other file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.processes import ROOT, ProcessStarter, Running

CLIENT = ROOT / "clients" / "python"
PROGRAMS = {
    "bot.py": sys.executable,
    "bot.mjs": "node",
    "stop_bot.py": sys.executable,
    "stop_bot.mjs": "node",
    "feeder.py": sys.executable,
    "ticks.py": sys.executable,
}


@pytest.fixture
def run(clean: None) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a function that starts an example: run("bot.py", web, token, "NSE", "TCS") -> Popen with pipes.

    In place of the web process there may be an address. An empty address or token is not given.
    """
    started: list[subprocess.Popen[str]] = []

    def make(name: str, web: Running | str, token: str, *arguments: str) -> subprocess.Popen[str]:
        program = shutil.which(PROGRAMS[name])
        if program is None:
            pytest.skip(f"no {PROGRAMS[name]} on PATH: apt-get install nodejs, to run examples/{name}")
        url = web if isinstance(web, str) else web.base_url
        given = {"TRADEPOST_URL": url, "TRADEPOST_TOKEN": token}
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CLIENT)} | {
            name: value for name, value in given.items() if value
        }
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [program, str(ROOT / "examples" / name), *arguments]
        started.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        return started[-1]

    yield make
    for process in started:
        with process:  # which closes its pipes and waits
            process.kill()


@pytest.fixture
def restart(start: ProcessStarter) -> Callable[[Running], Running]:
    """Return a function that kills a web process and starts it again at the same address."""

    def make(web: Running) -> Running:
        web.kill()
        environment = {**start.environment, "PORT": str(web.port)}
        again = Running(web.command, environment, start.folder / "again.log", port=web.port)
        start.started.append(again)
        return again.wait_until_ready()

    return make
