"""A stopwatch for the steps of one piece of work."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Milliseconds by step name, in the order in which the steps were taken."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._mark = time.perf_counter()

    def record(self, name: str, milliseconds: float) -> None:
        """Note the length of a step that was measured elsewhere."""
        self.steps[name] = milliseconds

    def add(self, other: "Stopwatch") -> None:
        """Add the steps of another stopwatch to those of this one."""
        for name, milliseconds in other.steps.items():
            self.steps[name] = self.steps.get(name, 0.0) + milliseconds

    def mark(self) -> None:
        """Start measuring the next lap here."""
        self._mark = time.perf_counter()

    def lap(self, name: str) -> None:
        """Record the time since the last mark or lap as a step, and mark again."""
        now = time.perf_counter()
        self.steps[name] = (now - self._mark) * 1000
        self._mark = now

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the time that the block takes, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps[name] = (time.perf_counter() - start) * 1000
