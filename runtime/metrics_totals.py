"""Sums of the counts that a registry shows, for pages that people read."""

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.samples import Sample

# The library adds these to the name of a metric, by its kind.
SUFFIXES = {Counter: "_total", Gauge: "", Histogram: "_count"}


class Totals:
    """The counts of a registry at one moment, summed up over processes and labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._samples = {metric.name: metric.samples for metric in registry.collect()}

    def sum_of(self, metric: Counter | Gauge | Histogram, **labels: str) -> int:
        """Return the sum over all samples with these labels; of a histogram the number of observations."""
        return int(sum(sample.value for sample in self._found(metric) if labels.items() <= sample.labels.items()))

    def by(self, metric: Counter | Gauge | Histogram, label: str, **labels: str) -> dict[str, int]:
        """Return the sums over the samples with these labels, by the value of another label."""
        found: Tally[str] = Tally()
        for sample in self._found(metric):
            if labels.items() <= sample.labels.items():
                found[sample.labels.get(label, "")] += int(sample.value)
        return dict(found)

    def _found(self, metric: Counter | Gauge | Histogram) -> Iterable[Sample]:
        (name,) = {described.name for described in metric.describe()}
        wanted = name + SUFFIXES[type(metric)]
        return (sample for sample in self._samples.get(name, ()) if sample.name == wanted)
