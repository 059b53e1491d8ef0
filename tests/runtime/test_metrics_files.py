"""The files of the counts: values without space wait for it, and a damaged file hides no other."""

import os
import shutil
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.mmap_dict import mmap_key
from structlog.testing import capture_logs

from runtime import metrics_files
from runtime.metrics_export import SharedCounts
from runtime.metrics_files import FIRST_BYTES, CountsFile
from tests.support.metrics import Metrics

WITHOUT_ROOM = 2**62


def key(number: int = 0) -> str:
    return mmap_key("tradepost_things", "tradepost_things_total", ["number"], [str(number)], "Things.")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a web process below tmp_path; the counts of this process stay out of the test."""
    monkeypatch.setattr(metrics_files, "_files", [])
    monkeypatch.setattr(metrics_files, "PAUSE_S", 0)
    folder = tmp_path / f"web.{os.getpid()}"
    folder.mkdir()
    return folder


@pytest.fixture
def without_room(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Pretend that the disk is full, until the returned function is called."""
    reserve = metrics_files.RESERVE_BYTES
    monkeypatch.setattr(metrics_files, "RESERVE_BYTES", WITHOUT_ROOM)
    return lambda: monkeypatch.setattr(metrics_files, "RESERVE_BYTES", reserve)


class Reader:
    """A reader like /metrics, which also keeps the log lines of its reads."""

    def __init__(self, base: Path) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(SharedCounts(base, ["web"]))
        self.logged: list[Any] = []

    def __call__(self) -> Metrics:
        with capture_logs() as logged:
            metrics = Metrics(generate_latest(self.registry).decode())
        self.logged += logged
        return metrics


@pytest.fixture
def read(tmp_path: Path, folder: Path) -> Reader:
    return Reader(tmp_path)


def count(folder: Path, pid: int, value: float, number: int = 0) -> Path:
    """Write the file of a process with one count of this value."""
    path = folder / f"counter_{pid}.db"
    CountsFile(str(path)).write_value(key(number), value, 0.0)
    return path


def test_a_file_has_disk_space_for_its_whole_length(folder: Path) -> None:
    file = CountsFile(str(folder / "counter_1.db"))
    for number in range(2_000):
        file.write_value(key(number), number, 0.0)
    status = os.stat(folder / "counter_1.db")
    assert status.st_size == 4 * FIRST_BYTES
    assert status.st_blocks * 512 >= status.st_size
    assert [path.name for path in folder.iterdir()] == ["counter_1.db"]


def test_a_count_without_space_is_reported_and_written_later(
    folder: Path, read: Reader, without_room: Callable[[], None]
) -> None:
    with capture_logs() as logged:
        file = CountsFile(str(folder / "counter_1.db"))
        assert file.read_value(key()) == (0.0, 0.0)
        for value in (1, 2, 3):
            file.write_value(key(), value, 0.0)
        assert file.read_value(key()) == (3, 0.0)
        assert read()("tradepost_metrics_incomplete", process="web") == 1
        assert [path.name for path in folder.iterdir()] == [f"uncounted_{os.getpid()}"]
        without_room()
        metrics_files.settle()
    assert [line["event"] for line in logged] == ["metrics_incomplete", "metrics_complete_again"]
    metrics = read()
    assert (metrics("tradepost_things_total"), metrics("tradepost_metrics_incomplete")) == (3, 0)


def test_a_file_that_cannot_grow_goes_on_with_what_it_has(
    folder: Path, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = CountsFile(str(folder / "counter_1.db"))
    file.write_value(key(0), 1, 0.0)
    monkeypatch.setattr(metrics_files, "RESERVE_BYTES", WITHOUT_ROOM)
    for number in range(1, 1_000):
        file.write_value(key(number), 1, 0.0)
    file.write_value(key(0), 5, 0.0)
    metrics = read()
    assert metrics("tradepost_things_total", number="0") == 5
    assert 300 < metrics("tradepost_things_total") < 1_000
    assert metrics("tradepost_metrics_incomplete") == 1


def test_a_missing_folder_is_reported(folder: Path, read: Reader) -> None:
    shutil.rmtree(folder)
    count(folder, 1, 3)
    assert read()("tradepost_metrics_incomplete") == 1


def test_a_deleted_folder_is_reported(folder: Path, read: Reader) -> None:
    count(folder, 1, 3)
    assert read()("tradepost_metrics_incomplete") == 0
    shutil.rmtree(folder)
    assert read()("tradepost_metrics_incomplete") == 1


def test_the_free_space_is_reported(read: Reader, tmp_path: Path) -> None:
    room = shutil.disk_usage(tmp_path)
    assert read()("tradepost_metrics_room_bytes", state="all") == room.total
    assert 0 < read()("tradepost_metrics_room_bytes", state="free") < room.total


@pytest.mark.parametrize("content", [b"", b"\1", b"\xff" * 100, os.urandom(5_000)])
def test_a_damaged_file_of_a_killed_process_with_the_same_pid_is_replaced(
    folder: Path, read: Reader, content: bytes
) -> None:
    (folder / "counter_1.db").write_bytes(content)
    count(folder, 1, 3)
    assert read()("tradepost_things_total") == 3


def test_a_process_continues_the_counts_of_a_dead_one_with_the_same_pid(folder: Path, read: Reader) -> None:
    count(folder, 1, 3, number=1)
    file = CountsFile(str(folder / "counter_1.db"))
    assert file.read_value(key(1)) == (3.0, 0.0)


def cut(path: Path, to_bytes: int) -> None:
    os.truncate(path, to_bytes)


def make_hole(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[8:40] = bytes(32)
    path.write_bytes(data)


def replace_by(path: Path, make: Callable[[Path], Any]) -> None:
    path.unlink()
    make(path)


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: cut(path, 0),
    "short": lambda path: cut(path, 3),
    "cut": lambda path: cut(path, 60),
    "hole": make_hole,
    "garbage": lambda path: path.write_bytes(b"\xfe\xff" * 5_000),
    "too-long": lambda path: path.write_bytes(struct.pack("i", 2**31 - 1) + path.read_bytes()[4:]),
    "no-json": lambda path: path.write_bytes(path.read_bytes().replace(b'"tradepost_things"', b"_tradepost_things_")),
    "other-json": lambda path: path.write_bytes(path.read_bytes().replace(b'{"number": "0"}', b'["number", "0"]')),
    "folder": lambda path: replace_by(path, Path.mkdir),
    "link": lambda path: replace_by(path, lambda link: link.symlink_to("nowhere")),
    "loop": lambda path: replace_by(path, lambda link: link.symlink_to(link.name)),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_of_a_killed_process_is_left_out_named_once_and_counted(
    folder: Path, read: Reader, damage: str
) -> None:
    count(folder, 1, 3)
    killed = count(folder, 2, 4)
    DAMAGE[damage](killed)
    for _ in range(3):
        metrics = read()
        assert metrics("tradepost_things_total") == 3
        assert metrics("tradepost_metrics_incomplete", process="web") == 1
    assert [(line["event"], line["file"]) for line in read.logged] == [("metrics_file_left_out", str(killed))]
    shutil.rmtree(killed) if killed.is_dir() else killed.unlink()
    metrics_files._files.pop()  # it was another process's
    metrics = read()
    assert (metrics("tradepost_things_total"), metrics("tradepost_metrics_incomplete")) == (3, 0)


def test_files_that_come_and_go_while_they_are_read_disturb_nothing(folder: Path, tmp_path: Path, read: Reader) -> None:
    count(folder, 1, 3)
    whole, done = (folder / "counter_1.db").read_bytes(), threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            other = tmp_path / "web.1"
            other.mkdir()
            for pid in range(5):
                (other / f"counter_{pid}.db").write_bytes(whole)
            shutil.rmtree(other)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(200):
            assert read()("tradepost_things_total") >= 3
    finally:
        done.set()
        thread.join()
