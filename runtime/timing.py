"""A stopwatch for the steps of one piece of work, known to all the code that does the work."""

import contextlib
import time
from collections.abc import Iterator
from contextvars import ContextVar


class Stopwatch:
    """Milliseconds by step name, in the order of the steps."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._mark = time.perf_counter()

    def record(self, name: str, milliseconds: float) -> None:
        """Record the length of a step that was measured elsewhere."""
        self.steps[name] = milliseconds

    def add(self, other: "Stopwatch") -> None:
        """Add the steps of another stopwatch to the steps of this one."""
        for name, milliseconds in other.steps.items():
            self.steps[name] = self.steps.get(name, 0.0) + milliseconds

    def mark(self) -> None:
        """Start the next lap now."""
        self._mark = time.perf_counter()

    def lap(self, name: str) -> None:
        """Record the time since the last mark or lap as a step, and start the next lap."""
        now = time.perf_counter()
        self.steps[name] = (now - self._mark) * 1000
        self._mark = now

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record the duration of the block, also if it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.steps[name] = (time.perf_counter() - start) * 1000


_current: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextlib.contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time the block with a new stopwatch, which `stopwatch()` returns inside the block."""
    watch = Stopwatch()
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)


def stopwatch() -> Stopwatch:
    """Return the stopwatch of the innermost timed block, or a new one that is not read outside such a block."""
    return _current.get() or Stopwatch()
