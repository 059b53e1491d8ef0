"""A run as a newcomer finds it: every command of the README works as printed and in its order."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.embedded.conftest import UNSET, Runs
from tests.embedded.test_run import curl, exports, is_executed, last_prices, printed_commands, status_of
from tests.support.processes import ROOT, Running, as_deployed, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

# Fenced blocks of this language are commands; of a `console` block the lines after a `$ ` and those that continue them.
COMMANDS = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Commands of these sections deploy, and need a host.
DEPLOYING = ("Deploy",)
# The test is a clone, and has a service of its own in place of `make run`.
DONE_ALREADY = ("git clone ", "make run")
ADDRESS = "http://127.0.0.1:8000"  # of which the test uses another port
# For a checkout without `make install`, which installs the client too.
CLIENT = ROOT / "clients" / "python"
INSTALLED = {".venv/bin/tradepost": f"{sys.executable} -m api.commands", ".venv/bin/python": sys.executable}
UNTIL_STOPPED = "Ctrl-C"  # in the comment of a command that goes on by itself


@pytest.fixture(scope="module")
def usual_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Start `make run` once, for the tests of this file in their order."""
    runs = Runs(tmp_path_factory.mktemp("run"))
    yield runs.launch().wait_for_log("Ctrl-C stops", 60)
    runs.stop()


def printed(page: str) -> Iterator[str]:
    """Yield the commands of a page with their comments, in their order."""
    for section in re.split(r"^## ", page, flags=re.MULTILINE):
        if section.partition("\n")[0] in DEPLOYING:
            continue
        for language, block in COMMANDS.findall(section):
            joined = re.sub(r"\\\n\s*", "", block)
            lines = joined.splitlines()
            yield from lines if language == "sh" else (line[2:] for line in lines if line.startswith("$ "))


def commands() -> list[str]:
    return [
        one for one in printed((ROOT / "README.md").read_text()) if one.strip() and not one.startswith(DONE_ALREADY)
    ]


def here(command: str, address: str) -> str:
    """Return a command with the address of this run's service, and programs that this machine has."""
    missing = {name: other for name, other in INSTALLED.items() if not (ROOT / name).exists()}
    for printed, other in {ADDRESS: address, **missing}.items():
        command = command.replace(printed, other)
    return command


def can_run(command: str) -> bool:
    """Return False for a command whose program this machine lacks; the README names it as needed for that only."""
    return not command.startswith("node ") or shutil.which("node") is not None


def environment(log: str, folder: Path) -> dict[str, str]:
    """Return the environment of a second shell into which the printed exports were copied."""
    inherited = {name: value for name, value in os.environ.items() if name not in UNSET}
    found = {**inherited, **exports(log), "PYTHONUNBUFFERED": "1", "TMPDIR": str(folder)}
    return as_deployed({**found, "PYTHONPATH": str(CLIENT)})


def run(command: str, environment: dict[str, str], folder: Path) -> tuple[int, str]:
    """Run a command as typed into a shell, and return its status and output; Ctrl-C ends it if it goes on by itself."""
    with open(folder / "output", "w+") as output:
        options = {"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
        process = subprocess.Popen(["bash", "-c", command], start_new_session=True, **options)
        try:
            if UNTIL_STOPPED in command:
                wait_until(lambda: (folder / "output").stat().st_size or process.poll() is not None, what=command)
                said = (folder / "output").read_text()
                os.killpg(process.pid, signal.SIGINT)
                return 0, said
            return process.wait(60), (folder / "output").read_text()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_a_resting_order_fills_at_its_limit_while_prices_move_by_themselves(usual_run: Running) -> None:
    place, read = printed_commands(usual_run.log)
    assert status_of(place) == 202
    wait_until(lambda: is_executed(read), what="the order is executed")
    wait_until(lambda: last_prices(read)["RELIANCE"] != "2500.00", what="the stock that was bought moves")
    limit = f"{int(float(last_prices(read)['RELIANCE'])) - 1}.00"
    assert (
        status_of(place.replace('"quantity": 10', f'"quantity": 10, "orderType": "LIMIT", "price": "{limit}"')) == 202
    )
    wait_until(lambda: is_executed(read, at=None), timeout_s=120, what="the market reaches the limit")
    order = curl(read)["data"][0]
    assert float(order["averagePrice"]) <= float(limit)
    assert order["fill"]["ask"] is not None


def test_every_command_of_the_readme_works_as_printed(usual_run: Running, tmp_path: Path) -> None:
    shell = environment(usual_run.log, tmp_path)
    assert len(commands()) > 15
    for command in filter(can_run, commands()):
        status, output = run(here(command, usual_run.base_url), shell, tmp_path)
        assert status == 0, f"{command}\n{output}"
        assert not re.search(r"Traceback|HTTP/1.1 [45]|\"status\":[45]\d\d", output), f"{command}\n{output}"


def test_the_readme_names_no_variable_that_nobody_sets() -> None:
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"\$([A-Z_]+)", text)) <= {"TRADEPOST_TOKEN", "ADMIN_TOKEN"}


def test_the_commands_name_no_file_that_is_not_shipped() -> None:
    named = {name for one in commands() for name in re.findall(r"(?<![\w.])(?:data|examples)/[\w./-]+", one)}
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
