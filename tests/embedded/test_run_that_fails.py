"""A failure of `make run` is one line; a stop works at every moment; no process is left running."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from embedded.programs import cause
from tests.embedded.conftest import Runs
from tests.support.processes import Running, wait_until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

STEPS = {
    "creating the PostgreSQL files": signal.SIGINT,
    "starting PostgreSQL": signal.SIGTERM,
    "starting Valkey": signal.SIGINT,
    "migrating the database": signal.SIGTERM,
    "seeding the demo": signal.SIGINT,
    "web started": signal.SIGTERM,
}


@pytest.fixture
def mount(runs: Runs) -> Iterator[Callable[..., Path]]:
    """Return a function that mounts a tmpfs on a folder below the data folder: mount("valkey", "ro")."""
    mounted: list[Path] = []

    def make(name: str, options: str) -> Path:
        place = runs.data_dir / name
        place.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"mode=0755,{options}", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"a tmpfs cannot be mounted here (needs root): {done.stderr.strip()}")
        mounted.append(place)
        return place

    yield make
    for running in runs.started:
        running.kill()
    for place in mounted:
        subprocess.run(["umount", "-l", str(place)], check=False)


def ends_with_one_line(runs: Runs, run: Running, line: str) -> None:
    """Wait for the end, and check that one line with the cause follows the lines of the steps."""
    assert run.wait(60) == 1, run.log
    told = [text for text in run.log.splitlines() if not re.search(r" \.\.\. (failed|[0-9.]+ s)$", text)]
    assert len(told) == 1, run.log
    assert re.fullmatch(f"tradepost: {line}", told[0]), run.log
    assert runs.processes() == []


@pytest.mark.parametrize("room", ["8m", "38m"])
def test_too_little_room_for_a_first_start_is_one_line(runs: Runs, mount: Callable[..., Path], room: str) -> None:
    """Too little for initdb, and for the database, as PostgreSQL 18 takes it."""
    mount("", f"size={room}")
    ends_with_one_line(runs, runs.launch(), ".*: No space left on device")


def test_a_disk_that_has_filled_up_since_the_last_run_is_one_line(runs: Runs, mount: Callable[..., Path]) -> None:
    place = mount("", "size=200m")
    first = runs.launch().wait_for_log("Ctrl-C stops", 60)
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    assert shutil.disk_usage(place).total < 2**28, "this is not the small disk"
    subprocess.run(["dd", "if=/dev/zero", f"of={place / 'filler'}", "bs=4k"], capture_output=True, check=False)
    ends_with_one_line(runs, runs.launch(), "PostgreSQL does not start: .*: No space left on device .see .*server.log.")


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_folder_that_cannot_be_written_is_one_line(runs: Runs, mount: Callable[..., Path], name: str) -> None:
    if os.geteuid() == 0:  # root may write although the mode forbids it
        mount(name, "ro")
    else:
        (runs.data_dir / name).mkdir(parents=True)
        (runs.data_dir / name).chmod(0o555)
    ends_with_one_line(runs, runs.launch(), f".*(Read-only file system|Permission denied).*|.*/{name}.*")


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_file_in_place_of_a_folder_is_one_line(runs: Runs, name: str) -> None:
    runs.data_dir.mkdir()
    (runs.data_dir / name).touch()
    ends_with_one_line(runs, runs.launch(), f".*{name}.*")


def test_a_server_that_cannot_be_recorded_is_stopped(runs: Runs) -> None:
    (runs.data_dir / "valkey" / "server.new").mkdir(parents=True)  # where its number would be written
    ends_with_one_line(runs, runs.launch(), f"Valkey cannot use {runs.data_dir}/valkey: Is a directory")


@pytest.mark.parametrize("step", STEPS)
def test_a_stop_is_obeyed_at_every_step(runs: Runs, step: str) -> None:
    run = runs.launch().wait_for_log(step, 60)
    run.signal(STEPS[step])
    assert run.wait(60) == 0, run.log
    wait_until(lambda: not runs.processes(), what="nothing is left")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_step_that_hangs_obeys_too(runs: Runs, number: int) -> None:
    run = runs.launch()
    hanging = wait_until(lambda: [child for child in run.children() if is_initdb(child)], timeout_s=60)
    for process in hanging:
        process.suspend()
    run.signal(number)
    assert run.wait(30) == 0, run.log
    wait_until(lambda: not runs.processes(), what="nothing is left")


def is_initdb(process: psutil.Process) -> bool:
    try:
        return process.name() == "initdb"
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("creating x ... ok\n2026 UTC [7] FATAL:  no room\nPANIC:  later\nremoving x", "no room"),
        ("initdb: error: could not access directory", "could not access directory"),
        ("could not extend file: No space left\nHINT:  Check free disk space.", "could not extend file: No space left"),
        ("one\nlast", "last"),
        ("", ""),
    ],
)
def test_the_cause_is_the_first_complaint(text: str, line: str) -> None:
    assert cause(text) == line
