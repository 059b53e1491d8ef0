"""Two checkouts are compared in alternating rounds, each with its own code on its own servers."""

import subprocess
import sys

import pytest

from tests.support.processes import ROOT


@pytest.mark.long
def test_a_checkout_can_be_compared_with_itself() -> None:
    command = [sys.executable, "-m", "bench.checkouts", str(ROOT), "--rounds", "1", "--seconds", "0.5"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    measures = [line.partition(":")[0] for line in done.stdout.splitlines() if " ratio " in line]
    assert measures == ["placements", "execution by sweeps", "placed and executed", "last prices"]
