"""The registry of each role: which processes' counts a web process and a worker's port show."""

import os
from pathlib import Path

import pytest
from prometheus_client import generate_latest

import config
from runtime import metrics_files, telemetry
from runtime.metrics_files import CountsFile
from tests.runtime.test_metrics_files import key
from tests.support.metrics import Metrics


@pytest.fixture
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return METRICS_DIR with the counts of one web process (1) and one worker (2)."""
    monkeypatch.setattr(metrics_files, "_files", [])
    for role, value in (("web", 1.0), ("worker", 2.0)):
        folder = tmp_path / f"{role}.{os.getpid()}"
        folder.mkdir()
        CountsFile(str(folder / "counter_1.db")).write_value(key(), value, 0.0)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / f"web.{os.getpid()}"))
    return tmp_path


def shown(base: Path, role: telemetry.Role, **environ: str) -> dict[str, float]:
    """Return the value of the count by the process that counted it."""
    settings = config.load({"METRICS_DIR": str(base), **environ})
    metrics = Metrics(generate_latest(telemetry.registry(settings, role)).decode())
    return {name: metrics("tradepost_things_total", process=name) for name in ("web", "worker")}


def test_web_shows_the_counts_of_all_processes(base: Path) -> None:
    assert shown(base, "web") == {"web": 1, "worker": 2}


def test_web_leaves_the_workers_to_their_own_port(base: Path) -> None:
    assert shown(base, "web", METRICS_PORT="9100") == {"web": 1, "worker": 0}


def test_a_workers_port_shows_the_counts_of_workers_only(base: Path) -> None:
    assert shown(base, "worker", METRICS_PORT="9100") == {"web": 0, "worker": 2}


def test_web_without_a_folder_shows_its_own_counts(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR")
    assert shown(base, "web") == {"web": 0, "worker": 0}
