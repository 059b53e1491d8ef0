"""The folder of the counts: each living main process has its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config import ConfigurationError
from runtime import metrics_folder


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_folders_of_dead_processes_are_deleted(tmp_path: Path) -> None:
    base = tmp_path / "counts"
    left = metrics_folder.make(base, "worker", dead_process())
    living = metrics_folder.make(base, "web", os.getpid())
    (living / "counter_1.db").touch()
    (base / "of.somebody").mkdir()
    assert metrics_folder.make(base, "worker", os.getpid()) == base / f"worker.{os.getpid()}"
    assert not left.exists()
    assert (living / "counter_1.db").exists()
    assert (base / "of.somebody").exists()
    assert base.stat().st_mode & 0o077 == 0


def test_a_dead_process_keeps_its_counters_and_loses_its_gauges(tmp_path: Path) -> None:
    for name in ("counter_7.db", "gauge_liveall_7.db", "gauge_liveall_77.db"):
        (tmp_path / name).touch()
    metrics_folder.forget_dead(str(tmp_path), 7)
    assert {file.name for file in tmp_path.iterdir()} == {"counter_7.db", "gauge_liveall_77.db"}


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match=r"^METRICS_DIR: .* belongs to another user"):
        metrics_folder.make(tmp_path, "web", os.getpid())


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(ConfigurationError, match="is a link"):
        metrics_folder.make(tmp_path / "link", "web", os.getpid())


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"^METRICS_DIR: .*file"):
        metrics_folder.make(tmp_path / "file", "web", os.getpid())
