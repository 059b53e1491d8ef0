"""A parsed answer of /metrics."""

from collections.abc import Iterable
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

Key = tuple[str, frozenset[tuple[str, str]]]


class Metrics:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.samples = [sample for family in families for sample in family.samples]
        self.types = {family.name: family.type for family in families}

    @property
    def names(self) -> set[str]:
        """Return the names of the samples."""
        return {sample.name for sample in self.samples}

    def __call__(self, name: str, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels; 0 without any."""
        return sum(self._values(name, labels))

    def _values(self, name: str, labels: dict[str, Any]) -> Iterable[float]:
        for sample in self.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                yield sample.value


def is_served(url: str) -> bool:
    """Return True if a process answers requests for metrics there, also with a refusal."""
    try:
        requests.get(f"{url}/metrics", timeout=20)
    except requests.ConnectionError:
        return False
    return True
