"""F38: /dev/shm is full, which happens in a container, where it has 64 MB. Metrics are incomplete, nothing fails."""

import contextlib
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from honcho.environ import parse_procfile

from tests.faults.checks import drain, heal_drain_check
from tests.faults.system import BOOT_S, System, is_booted
from tests.faults.workload import Workload
from tests.support.metrics import Metrics, is_served
from tests.support.processes import ROOT, Running, free_port, wait_until

pytestmark = pytest.mark.faults

ROOM_BYTES = 16 * 2**20
PLACEMENTS = 30


class SharedMemory:
    """The /dev/shm of one command, in a mount namespace of its own."""

    def __init__(self, running: Running) -> None:
        self.filler = Path(f"/proc/{running.pid}/root/dev/shm/filler")

    def fill(self) -> None:
        """Fill it to the last byte."""
        with open(self.filler, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.tell() < 2 * ROOM_BYTES:
                file.write(bytes(65_536)[: max(1, ROOM_BYTES - file.tell())])
        assert self.filler.stat().st_size < ROOM_BYTES, "this is not the small one"

    def free(self) -> None:
        """Make room again."""
        self.filler.unlink()


@pytest.fixture
def run(system: System) -> Callable[..., Running]:
    """Return a function that starts a command of the Procfile on a small /dev/shm: run("web", "first a command;")."""
    allowed = subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/dev/shm"], capture_output=True, text=True
    )
    if allowed.returncode != 0:
        pytest.skip(f"a mount namespace cannot be made here (needs root): {allowed.stderr.strip()}")

    def make(name: str, first: str = "", **settings: str) -> Running:
        command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)[name]
        script = f"mount -t tmpfs -o size={ROOM_BYTES} tmpfs /dev/shm; {first} exec {command}"
        port = system.web_port if name == "web" else None
        environment = {**system.starter.environment, "PORT": str(system.web_port), **settings}
        log_path = system.starter.folder / f"{name}.log"
        running = Running(f"unshare --mount sh -ec {shlex.quote(script)}", environment, log_path, port)
        system.starter.started.append(running)
        (system.webs if name == "web" else system.workers).append(running)
        return running

    return make


def metrics_at(url: str) -> Metrics:
    answer = requests.get(f"{url}/metrics", timeout=20)
    assert answer.status_code == 200, answer.text
    return Metrics(answer.text)


def place(workload: Workload) -> None:
    """Place orders, each of which is accepted at once."""
    for number in range(PLACEMENTS):
        request = workload.clients[number % len(workload.clients)].place(side="BUY")
        assert request.answers == [202]


def test_f38_web_processes_serve_without_room_and_report_all_counts_once_there_is(
    system: System, run: Callable[..., Running]
) -> None:
    fill = f"head -c {ROOM_BYTES} /dev/zero > /dev/shm/filler;"
    web = run("web", fill, WEB_CONCURRENCY="2").wait_until_ready(BOOT_S)
    workload = Workload(system, clients=2)
    place(workload)
    wait_until(lambda: metrics_at(web.base_url)("tradepost_metrics_incomplete", process="web") == 2)
    metrics = metrics_at(web.base_url)
    assert metrics("tradepost_metrics_room_bytes", state="free") == 0
    assert metrics("tradepost_metrics_room_bytes", state="all") == ROOM_BYTES
    assert metrics("tradepost_placements_total") == 0
    assert "was sent SIG" not in web.log
    assert web.log.count("metrics_incomplete") == 2  # once for each process

    SharedMemory(web).free()
    wait_until(
        lambda: metrics_at(web.base_url)("tradepost_placements_total", outcome="accepted") == PLACEMENTS,
        what="the counts of the meantime are reported",
    )
    assert web.log.count("Booting worker") == 2
    system.start_worker()
    heal_drain_check(system, workload)


def test_f38_a_worker_whose_shared_memory_fills_up_goes_on_executing(
    system: System, run: Callable[..., Running]
) -> None:
    system.start_web()
    url = f"http://127.0.0.1:{(port := free_port())}"
    worker = run("worker", METRICS_PORT=str(port))
    wait_until(lambda: is_booted(worker), timeout_s=BOOT_S)
    SharedMemory(worker).fill()
    workload: Any = Workload(system, clients=2)
    place(workload)
    drain(system)
    assert worker.is_running
    wait_until(lambda: is_served(url), timeout_s=BOOT_S, what="the process beside the worker serves its counts")
    wait_until(lambda: metrics_at(url)("tradepost_metrics_incomplete", process="worker") == 1)
    SharedMemory(worker).free()
    wait_until(
        lambda: metrics_at(url)("tradepost_executions_total", outcome="executed") == PLACEMENTS,
        what="the counts of the meantime are reported",
    )
    wait_until(lambda: metrics_at(url)("tradepost_metrics_incomplete") == 0)
    heal_drain_check(system, workload)


def test_f38_a_full_disk_under_counts_and_log_stops_neither_web_nor_worker(
    system: System, run: Callable[..., Running]
) -> None:
    """The counts' folder cannot even be made; /dev/full refuses every write of the log, as a full disk does."""
    full = "mount -t tmpfs -o size=64k,nr_inodes=1 tmpfs /media; exec 2>/dev/full;"
    web = run("web", full, METRICS_DIR="/media/counts").wait_until_ready(BOOT_S)
    workload = Workload(system, clients=2)
    place(workload)
    assert requests.get(f"{web.base_url}/api/nothing", timeout=20).status_code == 404
    assert metrics_at(web.base_url)("tradepost_metrics_incomplete", process="web") == 1
    assert len(web.children()) == 1
    run("worker", full, METRICS_DIR="/media/counts")
    heal_drain_check(system, workload)
