"""Fixtures that run the programs of examples/ as a user runs them, who has no other file."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.kite_clients import JAVASCRIPT, PYTHON, NoClientError, javascript_folder, python_path
from tests.support.processes import ROOT, ProcessStarter, Running

CLIENT = ROOT / "clients" / "python"
PROGRAMS = {
    "bot.py": sys.executable,
    "bot.mjs": "node",
    "stop_bot.py": sys.executable,
    "stop_bot.mjs": "node",
    "feeder.py": sys.executable,
    "ticks.py": sys.executable,
    "kite_bot.py": sys.executable,
    "kite_bot.mjs": "node",
    "kite_basket.py": sys.executable,
    "kite_opening_range.py": sys.executable,
}
KITE_BOTS = tuple(name for name in PROGRAMS if name.startswith("kite_"))


@pytest.fixture
def run(clean: None, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
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
        if name in KITE_BOTS:
            command, environment = _with_its_client(name, command, environment, tmp_path)
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


def _with_its_client(
    name: str, command: list[str], environment: dict[str, str], folder: Path
) -> tuple[list[str], dict[str, str]]:
    """Let an example find the newest official client of Kite Connect, as if its user had installed it beside it."""
    try:
        if name.endswith(".py"):
            program, path, *arguments = command
            return [program, "-S", path, *arguments], environment | {"PYTHONPATH": python_path(PYTHON[0])}
        modules = folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(javascript_folder(JAVASCRIPT[0]) / "node_modules")
            shutil.copy(ROOT / "examples" / name, folder)
        return [command[0], str(folder / name), *command[2:]], environment
    except NoClientError as error:
        pytest.skip(str(error))
