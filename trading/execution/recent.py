"""A bounded set of the identifiers that were added last."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID


class RecentIds:
    """A thread-safe set of identifiers that drops the oldest ones beyond its size."""

    def __init__(self, size: int) -> None:
        self._size = size
        # Not a dict: finding its first key walks over all keys that were deleted before it.
        self._ids: OrderedDict[UUID, None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, identifier: UUID) -> bool:
        return identifier in self._ids

    def add(self, identifiers: Iterable[UUID]) -> None:
        """Add identifiers, and drop the oldest ones beyond the size."""
        with self._lock:
            self._ids.update(dict.fromkeys(identifiers))
            while len(self._ids) > self._size:
                self._ids.popitem(last=False)

    def discard(self, identifiers: Iterable[UUID]) -> None:
        """Remove identifiers."""
        with self._lock:
            for identifier in identifiers:
                self._ids.pop(identifier, None)
