"""F3, F14 to F16 and F21: PostgreSQL loses an answer, restarts, kills sessions, stands still, or has no room."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.checks import answered, drain, heal_drain_check
from tests.faults.kinds_of_servers import COMMITTED
from tests.faults.machine import Machine
from tests.faults.system import System
from tests.faults.workload import Workload
from tests.support.processes import Running, wait_until

pytestmark = pytest.mark.faults

DISK_BYTES = 160 * 2**20
# The log events of a worker whose session was ended: after a message, or in a sweep.
LATE = ("execution_left_to_sweeping", "sweep_failed")


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        pytest.param({}, rb"ledger_ms", id="in-one-statement"),
        pytest.param({"orderType": "MARKET", "price": None}, COMMITTED, id="in-steps"),
    ],
)
def test_f3_a_placement_whose_commits_answer_is_lost_is_settled_by_its_key(
    system: System, begin: Any, order: dict[str, Any], answer: bytes
) -> None:
    workload = begin(clients=1)
    system.workers[0].terminate()  # so that the next commit is the placement's
    rule = system.database_proxy.add_rule("to_client", answer, "cut")
    request = workload.clients[0].place(side="BUY", **order)
    assert rule.fired == 1
    assert request.answers == [503, 202]
    assert system.sql("SELECT count(*) FROM trading_order") == [(1,)]
    heal_drain_check(system, workload)


def test_f3_commits_whose_answers_are_lost_under_load_fill_and_place_once(system: System, begin: Any) -> None:
    workload = begin(clients=4)
    with workload.running(pause_s=0.02):
        rule = system.database_proxy.add_rule("to_client", COMMITTED, "cut", times=10)
        wait_until(lambda: rule.fired == 10, timeout_s=60)
    heal_drain_check(system, workload)


@pytest.mark.parametrize("mode", [pytest.param("fast", marks=pytest.mark.long), "immediate"])
def test_f14_a_restart_of_postgresql_under_load_costs_503s_but_no_accepted_order(
    system: System, begin: Any, mode: str
) -> None:
    workload = begin(clients=4)
    with workload.running(pause_s=0.02):
        for _ in range(2):
            time.sleep(1)
            system.postgres.stop(mode=mode)
            time.sleep(1)
            system.postgres.start()
        wait_until(lambda: workload.clients[0].requests[-1].status, timeout_s=30)
    assert 503 in answered(workload.requests)
    heal_drain_check(system, workload)


def test_f15_sessions_terminated_in_mid_transaction_are_rolled_back_and_replaced(system: System, begin: Any) -> None:
    workload = begin(clients=4)
    ended: list[bool] = []  # of each session, whether it was in a transaction

    def terminate(share: float) -> int:
        statement = (
            "SELECT xact_start IS NOT NULL FROM pg_stat_activity WHERE datname = %s AND application_name <> 'harness'"
            " AND (xact_start IS NOT NULL OR random() < %s) AND pg_terminate_backend(pid)"
        )
        ended.extend(row[0] for row in system.sql(statement, system.name, share))
        time.sleep(0.1)
        return sum(ended)

    with workload.running():
        wait_until(lambda: terminate(0.2) > 10, timeout_s=60, what="sessions are terminated in mid transaction")
    system.workers[0].terminate()  # it would open new ones, and healing starts it again
    workload.clients[0].place(side="BUY", quantity=1)  # now there is a session, which becomes idle
    idle = len(ended)
    terminate(1)
    assert len(ended) > idle
    # Web may have opened a new one by itself since.
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = %s AND application_name <> 'harness'"
    wait_until(
        lambda: system.database_proxy.link_count == system.sql(sessions, system.name)[0][0],
        what="the end of the sessions is known to all",
    )
    after = [workload.clients[0].place(side="BUY", quantity=1) for _ in range(20)]
    # A pooled connection that was ended while idle is noticed before it is used.
    assert answered(after) == {202: 20}
    heal_drain_check(system, workload)


def test_f16_a_postgresql_that_stands_still_is_answered_with_503_in_bounded_time(system: System, begin: Any) -> None:
    workload = begin(clients=4)
    with workload.running(pause_s=0.05):
        time.sleep(1)
        system.stop_clockwork()
        # A statement may take 5 s, and is waited for 6 s: this long it stands still, and longer.
        wait_until(
            lambda: all(503 in answered(client.requests) for client in workload.clients),
            timeout_s=20,
            what="each client has its 503",
        )
        system.continue_clockwork()
        before = len(workload.requests)
        wait_until(lambda: len(workload.requests) > before + 20, timeout_s=30, what="trading goes on")
    assert None not in answered(workload.requests)
    heal_drain_check(system, workload)


def test_f16_a_worker_that_stands_still_inside_a_fill_is_fenced_off(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    system.start_worker()
    armed = system.arm("worker_sleeps_before_commit", "3")
    order_id = workload.clients[0].place(side="BUY").document["orderId"]
    system.wait_for_hit(armed)
    stopped = _sleeper(system)
    stopped.signal_all(signal.SIGSTOP)
    # The session that sits in its transaction is ended after 10 s; then a sweep gets the row.
    wait_until(lambda: _status(system, order_id) == "EXECUTED", timeout_s=40)
    stopped.signal_all(signal.SIGCONT)
    wait_until(lambda: any(word in stopped.log for word in LATE), timeout_s=20, what="the late worker goes on")
    assert heal_drain_check(system, workload).longest < 20


def _sleeper(system: System) -> Running:
    """Return the worker command with the process that sleeps at a fault point."""
    note = system.points / "sleeping"
    pid = wait_until(lambda: note.exists() and note.read_text(), what="somebody sleeps")
    return next(worker for worker in system.workers if int(pid) in [child.pid for child in worker.children()])


@pytest.mark.long
def test_f16_a_worker_that_stood_still_before_its_claim_finds_the_order_done(system: System, begin: Any) -> None:
    workload = begin(clients=1)
    armed = system.arm("worker_sleeps_before_claim", "3")
    order_id = workload.clients[0].place(side="BUY").document["orderId"]
    system.wait_for_hit(armed)
    wait_until(lambda: _status(system, order_id) == "EXECUTED", timeout_s=20)  # by a sweep
    heal_drain_check(system, workload)  # waits for the late one, whose message is not acked yet


def _status(system: System, order_id: str) -> str:
    return str(system.sql("SELECT status FROM trading_order WHERE id = %s", order_id)[0][0])


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a small tmpfs of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0755", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here (needs root): {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.fixture
def system_on_small_disk(small_disk: Path, tmp_path: Path) -> Iterator[System]:
    """Return a system whose PostgreSQL may run out of room."""
    machine = Machine(small_disk)
    try:
        machine.start()
        machine.make_template()
        folder = tmp_path / "system"
        folder.mkdir()
        system = System(machine, folder)
        yield system
        system.close()
    finally:
        machine.close()


class Filler:
    """A thread that keeps a small disk full, also when room becomes free, and writes to no other disk."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._device = place.stat().st_dev
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Filler":
        assert shutil.disk_usage(self._place).total < 2**28, "this is not the small disk"
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        (self._place / "filler").unlink(missing_ok=True)

    def _run(self) -> None:
        with open(self._place / "filler", "wb", buffering=0) as file:
            # The file belongs to the disk on which it was opened, even when that is unmounted.
            assert os.fstat(file.fileno()).st_dev == self._device
            while not self._stopping.wait(0.05):
                with contextlib.suppress(OSError):
                    while file.tell() < DISK_BYTES:
                        file.write(b"x" * 65_536)


def test_f21_a_full_disk_is_a_503_that_leaves_nothing_half_done(system_on_small_disk: System, small_disk: Path) -> None:
    system = system_on_small_disk.start()
    workload = Workload(system, clients=4)
    with workload.running():
        time.sleep(1)
        with Filler(small_disk):
            wait_until(lambda: 503 in answered(workload.requests), timeout_s=40, what="no room is a 503")
            time.sleep(2)
        system.heal()  # a server that could not even write its log has ended, and is started by hand
    drain(system, timeout_s=60)
    heal_drain_check(system, workload)
