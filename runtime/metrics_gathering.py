"""Lengths of steps that are gathered, and recorded together: each by itself takes a placement 40 µs."""

import threading
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from prometheus_client import Histogram

# So many pieces of work do not wait for the next second.
MAX_GATHERED = 200


class GatheredSteps:
    """Steps of pieces of work, for the histogram of each step that `histogram_of` returns."""

    def __init__(self, histogram_of: Callable[[str], Histogram]) -> None:
        self._histogram_of = histogram_of
        self._gathered: deque[dict[str, float]] = deque()
        self._settling = threading.Lock()

    def note(self, steps: dict[str, float]) -> None:
        """Gather the steps of a piece of work, in milliseconds."""
        self._gathered.append(dict(steps))
        if len(self._gathered) >= MAX_GATHERED:
            self.settle()

    def settle(self) -> None:
        """Record the gathered steps."""
        with self._settling:
            lengths_s = defaultdict[str, list[float]](list)
            while self._gathered:
                for name, milliseconds in self._gathered.popleft().items():
                    lengths_s[name].append(milliseconds / 1000)
            for name, lengths in lengths_s.items():
                _observe_all(self._histogram_of(name), lengths)


def _observe_all(histogram: Histogram, amounts: list[float]) -> None:
    """Record amounts as the library's observe() does, with one addition for each of its values."""
    histogram._sum.inc(sum(amounts))
    for bucket, number in Counter(bisect_left(histogram._upper_bounds, amount) for amount in amounts).items():
        histogram._buckets[bucket].inc(number)
