"""An example that lacks an argument, a token, its package or the service says so in one line, and soon."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.examples import conftest
from tests.support.processes import ROOT, free_port

GIVEN = {
    "bot.py": ["NSE", "RELIANCE"],
    "bot.mjs": ["NSE", "RELIANCE"],
    "stop_bot.py": ["NSE", "RELIANCE"],
    "stop_bot.mjs": ["NSE", "RELIANCE"],
    "ticks.py": ["NSE:RELIANCE"],
    "feeder.py": ["/dev/null"],
    "kite_bot.py": ["NSE", "RELIANCE"],
    "kite_bot.mjs": ["NSE", "RELIANCE"],
    "kite_basket.py": ["RELIANCE:1"],
    "kite_opening_range.py": ["RELIANCE"],
}
EXAMPLES = pytest.mark.parametrize("name", GIVEN)


def complaint_of(process: Any) -> str:
    """Return the only line of a program that has ended by itself with an error."""
    output, complaint = process.communicate(timeout=30)
    assert (process.returncode, output, complaint.count("\n")) == (1, "", 1), complaint
    return complaint


@EXAMPLES
def test_an_example_says_how_it_is_called(name: str, run: Any) -> None:
    arguments = ["one", "two", "three", "four"] if name == "feeder.py" else []
    complaint = complaint_of(run(name, "", "tp_x", *arguments))
    assert complaint.startswith("usage: TRADEPOST_TOKEN=")
    assert f"examples/{name} " in complaint


@EXAMPLES
def test_an_example_without_a_token_names_it(name: str, run: Any) -> None:
    assert "TRADEPOST_TOKEN" in complaint_of(run(name, "", "", *GIVEN[name]))


def test_every_example_gives_up_an_address_without_a_service(run: Any) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    names = [name for name in GIVEN if shutil.which(conftest.PROGRAMS[name])]
    started = [run(name, url, "tp_x", *GIVEN[name]) for name in names]  # together, because each tries for some seconds
    for process in started:
        assert f"no answer from {url}: " in complaint_of(process)


@pytest.mark.parametrize("name", [name for name in GIVEN if name.endswith(".py") and name not in conftest.KITE_BOTS])
def test_an_example_names_the_package_that_it_lacks(
    name: str, run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tradepost_client.py").write_text("raise ModuleNotFoundError\n")  # though the package may be installed
    monkeypatch.setattr(conftest, "CLIENT", tmp_path)
    assert "`make run`" in complaint_of(run(name, "", "tp_x", *GIVEN[name]))


@pytest.mark.parametrize("name", conftest.KITE_BOTS)
def test_an_example_names_the_official_client_that_it_lacks(name: str, tmp_path: Path) -> None:
    if not shutil.which(conftest.PROGRAMS[name]):
        pytest.skip(f"no {conftest.PROGRAMS[name]} on PATH: apt-get install nodejs, to run examples/{name}")
    shutil.copy(ROOT / "examples" / name, tmp_path)  # where no packages are
    options = ["-S"] if name.endswith(".py") else []
    command = [conftest.PROGRAMS[name], *options, str(tmp_path / name), *GIVEN[name]]
    done = subprocess.run(
        command, env={"PATH": os.environ["PATH"], "TRADEPOST_TOKEN": "x"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "the package kiteconnect is missing: " in done.stderr
    assert "install kiteconnect" in done.stderr
