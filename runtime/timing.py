"""A stopwatch for the steps of one piece of work, known to all the code that does the work."""

import time
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

    def step(self, name: str) -> "Step":
        """Record the duration of the block, also if it raises."""
        return Step(self, name)


class Step:
    """A block whose duration is recorded; a generator of contextlib takes three times as long."""

    __slots__ = ("_name", "_start", "_watch")

    def __init__(self, watch: Stopwatch, name: str) -> None:
        self._watch, self._name = watch, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._watch.steps[self._name] = (time.perf_counter() - self._start) * 1000


_current: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


class timed:  # noqa: N801  it is used as a function
    """Time the block with a new stopwatch, which `stopwatch()` returns inside the block."""

    def __enter__(self) -> Stopwatch:
        watch = Stopwatch()
        self._token = _current.set(watch)
        return watch

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


def stopwatch() -> Stopwatch:
    """Return the stopwatch of the innermost timed block, or a new one that is not read outside such a block."""
    return _current.get() or Stopwatch()
