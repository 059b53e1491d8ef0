"""The metrics that Prometheus reads: the counts of this process, or of all processes of this machine."""

import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import REGISTRY, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from runtime import metrics, metrics_files
from runtime.logs import get_logger
from runtime.metrics_folder import uncounted_notes

# A file may be deleted while it is being read, which asks for another read; each takes a millisecond.
MAX_READS = 50
# The errors that the library raises for a damaged file, depending on the damage.
UNREADABLE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, struct.error)

logger = get_logger(__name__)


class OwnCounts(Collector):
    """The counts of this process, if it does not share them in files."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        metrics.sample()
        metrics.placement_steps.settle()
        return [metric for metric in REGISTRY.collect() if metric.name.startswith("tradepost_")]


class SharedCounts(Collector):
    """The counts of all processes of some kinds on this machine, each with a label that names the kind.

    A sum over all kinds would fall when the processes of one kind restart. A file that cannot be read is left out,
    counted, and named in the log once.
    """

    def __init__(self, base: Path, processes: Iterable[str]) -> None:
        self._base = base
        self._processes = tuple(processes)
        self._named: set[str] = set()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, each name once."""
        metrics.placement_steps.settle()
        found: dict[str, Metric] = {}
        incomplete = GaugeMetricFamily("tradepost_metrics_incomplete", "Counts left out.", labels=["process"])
        all_damaged: dict[str, str] = {}
        for process in self._processes:
            counted, damaged = _read(self._base, process)
            for metric in counted:
                whole = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                whole.samples += [
                    sample._replace(labels={**sample.labels, "process": process}) for sample in metric.samples
                ]
            incomplete.add_metric([process], len(damaged) + uncounted_notes(self._base, process))
            all_damaged |= damaged
        self._name(all_damaged)
        if metrics_files.is_incomplete():  # its note may be missing: perhaps there is no folder
            sample = incomplete.samples[0]
            incomplete.samples[0] = sample._replace(value=max(1.0, sample.value))
        return [*found.values(), incomplete, *_room(self._base)]

    def _name(self, damaged: dict[str, str]) -> None:
        for file in damaged.keys() - self._named:
            logger.warning("metrics_file_left_out", file=file, error=damaged[file])
        self._named = set(damaged)


def _read(base: Path, process: str) -> tuple[list[Metric], dict[str, str]]:
    """Return the metrics of one kind of process, and the error of each damaged file by its path."""
    unread: dict[str, str] = {}
    counted: list[Metric] = []
    for _ in range(MAX_READS):
        files = _files(base, process)
        try:
            counted = _merge(file for file in files if file not in unread)
            break
        except UNREADABLE:
            unread |= _find_unreadable(files)
    return counted, {file: error for file, error in unread.items() if os.path.lexists(file)}


def _files(base: Path, process: str) -> list[str]:
    try:
        return [str(file) for file in base.glob(f"{process}.*/*.db")]
    except FileNotFoundError:  # the folder of a dead process has just been deleted
        return _files(base, process)


def _find_unreadable(files: Iterable[str]) -> dict[str, str]:
    found = {}
    for file in files:
        try:
            _merge([file])
        except UNREADABLE as error:
            found[file] = f"{type(error).__name__}: {error}"
    return found


def _merge(files: Iterable[str]) -> list[Metric]:
    files = list(files)
    for file in files:  # the library takes a negative length for an empty file
        with open(file, "rb") as opened:
            if struct.unpack("i", opened.read(4))[0] < 0:
                raise ValueError("its length is negative")
    return list(MultiProcessCollector.merge(files))


def _room(base: Path) -> Iterator[Metric]:
    try:
        room = os.statvfs(base)
    except OSError:
        return
    family = GaugeMetricFamily("tradepost_metrics_room_bytes", "Room of METRICS_DIR's file system.", labels=["state"])
    family.add_metric(["free"], room.f_bavail * room.f_frsize)
    family.add_metric(["all"], room.f_blocks * room.f_frsize)
    yield family
