"""A log that cannot be written, because its disk is full or its reader gone: no request fails, /metrics says so."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from honcho.environ import parse_procfile

from tests.faults.checks import heal_drain_check
from tests.faults.system import BOOT_S, System
from tests.faults.workload import Workload
from tests.support.metrics import Metrics
from tests.support.processes import ROOT, Running, wait_until

pytestmark = pytest.mark.faults

# A write fails as on a full disk; there is nobody who reads.
LOGS = {"full-disk": "2> /dev/full", "nobody-reads": "2> >(true)"}


@pytest.fixture(params=LOGS)
def run(request: pytest.FixtureRequest, system: System) -> Callable[[str], Running]:
    """Return a function that starts a command of the Procfile with such a log."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")

    def make(name: str) -> Running:
        command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)[name]
        script = system.starter.folder / f"{name}.sh"
        script.write_text(f"exec {command} {LOGS[request.param]}\n")
        port = system.web_port if name == "web" else None
        environment = {**system.starter.environment, "PORT": str(system.web_port)}
        running = Running(f"bash {script}", environment, system.starter.folder / f"{name}.log", port)
        system.starter.started.append(running)
        (system.webs if name == "web" else system.workers).append(running)
        return running

    return make


def test_a_log_that_cannot_be_written_fails_no_request_and_is_told(
    system: System, run: Callable[[str], Running]
) -> None:
    web = run("web").wait_until_ready(BOOT_S)
    worker, children = run("worker"), web.children()
    workload = Workload(system, clients=1)
    for _ in range(5):
        assert workload.clients[0].place(side="BUY").answers == [202]
    assert requests.get(f"{web.base_url}/api/nothing", timeout=20).status_code == 404
    wait_until(lambda: lost(web) >= 5)
    heal_drain_check(system, workload)
    assert web.children() == children
    assert [running.terminate() for running in (web, worker)] == [0, 0]


def lost(web: Running) -> float:
    """Return how many lines of the log the web processes have lost; Dramatiq's main process writes its children's."""
    return Metrics(requests.get(f"{web.base_url}/metrics", timeout=20).text)("tradepost_log_lines_lost_total")
