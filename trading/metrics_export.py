"""Read what the processes of this machine have counted."""

import struct
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import REGISTRY, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from trading import metrics

# A file may be deleted, or be new and still empty, while it is being read.
READS = 3


class OwnCounts(Collector):
    """The counts of this process, where it keeps them to itself."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        metrics.sample()
        return [metric for metric in REGISTRY.collect() if metric.name.startswith("tradepost_")]


class SharedCounts(Collector):
    """The counts of all processes of some kinds on this machine, each with a label that names the kind.

    Summed over all kinds, a count would fall when the processes of one of them start anew.
    """

    def __init__(self, base: Path, processes: Iterable[str]) -> None:
        self._base = base
        self._processes = tuple(processes)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics, each name once."""
        found: dict[str, Metric] = {}
        for process in self._processes:
            for metric in _read(self._base, process):
                whole = found.setdefault(metric.name, Metric(metric.name, metric.documentation, metric.type))
                whole.samples += [
                    sample._replace(labels={**sample.labels, "process": process}) for sample in metric.samples
                ]
        return found.values()


def _read(base: Path, process: str) -> Iterable[Metric]:
    for _ in range(READS):
        try:
            files = map(str, base.glob(f"{process}.*/*.db"))
            return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]
        except (FileNotFoundError, struct.error):
            continue
    return []
