"""Steps that are gathered and recorded together."""

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, Histogram, generate_latest

from runtime.metrics_export import SharedCounts
from runtime.metrics_gathering import MAX_GATHERED, GatheredSteps
from tests.support.metrics import Metrics

LENGTHS_MS = (0.1, 1.0, 1.5, 10.0, 99_000.0)
ENDS = """
from runtime import metrics
metrics.begin()
metrics.placement_steps.note({"place": 2.0, "commit": 1.0})
"""


def observed() -> tuple[CollectorRegistry, Histogram]:
    registry = CollectorRegistry()
    return registry, Histogram("steps", "Steps.", ["step"], buckets=(0.001, 0.01), registry=registry)


def test_gathered_steps_are_recorded_as_each_by_itself_would_be() -> None:
    (gathered_in, gathered), (observed_in, expected) = observed(), observed()
    steps = GatheredSteps(gathered.labels)
    for length in LENGTHS_MS:
        steps.note({"place": length, "commit": length / 2})
        expected.labels("place").observe(length / 1000)
        expected.labels("commit").observe(length / 2000)
    steps.settle()
    steps.settle()
    without_times = [
        [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
        for registry in (gathered_in, observed_in)
    ]
    assert without_times[0] == without_times[1]


def test_many_steps_do_not_wait_for_the_next_second() -> None:
    registry, histogram = observed()
    steps = GatheredSteps(histogram.labels)
    for _ in range(MAX_GATHERED):
        steps.note({"place": 1.0})
    assert registry.get_sample_value("steps_count", {"step": "place"}) == MAX_GATHERED


def test_a_process_that_ends_records_what_it_has_gathered(tmp_path: Path) -> None:
    folder = tmp_path / "web.1"
    folder.mkdir()
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
    subprocess.run([sys.executable, "-c", ENDS], env=environment, timeout=30, check=True)
    registry = CollectorRegistry()
    registry.register(SharedCounts(tmp_path, ["web"]))
    metrics = Metrics(generate_latest(registry).decode())
    assert metrics("tradepost_placement_step_seconds_count") == 2
    assert metrics("tradepost_placement_step_seconds_sum", step="place") == 0.002
