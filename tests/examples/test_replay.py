"""The example of a replay runs as its page says, on a server that it starts itself, and twice alike."""

import csv
import re
import subprocess

import pytest

from tests.support.processes import ROOT, command_environment

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "replay.md").read_text()
(COMMAND,) = re.findall(r"^\.venv/bin/(tradepost replay .*?)\n```", PAGE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def run(tmp_path):
    """Return a function that runs the page's command without DATABASE_URL, and returns the files that it writes."""

    def make(name):
        scratch = tmp_path / "scratch"
        scratch.mkdir(mode=0o755, exist_ok=True)
        own = {"DATA_DIR": str(tmp_path / "data"), "DATABASE_URL": "", "REDIS_URL": "", "TMPDIR": str(scratch)}
        environment = command_environment(own)
        command = COMMAND.replace("\\\n", " ").replace("/tmp/week", str(tmp_path / name))
        done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert list(scratch.iterdir()) == [], "the server is deleted"
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    return make


def test_the_example_of_a_week_gives_the_same_bytes_twice(run):
    first, second = run("first"), run("second")
    assert first == second
    assert set(first) == {
        *(f"{name}.csv" for name in ("orders", "trades", "ledger", "positions", "holdings", "accounts", "equity")),
        "equity.svg",
    }


def test_the_example_tells_a_week_of_two_accounts(run):
    files = run("week")
    orders = {row["clientOrderId"]: row for row in csv.DictReader(files["orders.csv"].decode().splitlines())}
    assert orders["target"]["averagePrice"] == "1008.00"
    assert orders["stop"]["fillRule"] == "stop"
    assert [orders[name]["charges"] for name in ("first", "second", "sale")] == ["11.88", "12.00", "16.34"]
    (holding,) = csv.DictReader(files["holdings.csv"].decode().splitlines())
    assert holding["account"] == "saver"
