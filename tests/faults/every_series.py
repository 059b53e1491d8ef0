"""All the series that `make faults` measures after the soak."""

from collections.abc import Iterator
from pathlib import Path

from tests.faults.machine import Machine
from tests.faults.measured import Measured, measured_series
from tests.faults.sentinel_series import sentinel_series


def every_series(machine: Machine, folder: Path, seed: int, backlog: int, stops: int) -> Iterator[Measured]:
    """Measure each series after the other."""
    yield from measured_series(machine, folder, seed, backlog, stops)
    yield from sentinel_series(machine, folder / "watched", seed)
