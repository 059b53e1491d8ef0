"""A bounded memory of identifiers."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from uuid import UUID


class RecentIds:
    """Remembers the last identifiers that it was told, up to a number."""

    def __init__(self, size: int) -> None:
        self._size = size
        # Not a dict, whose first key is found by walking over all that were deleted before it.
        self._ids: OrderedDict[UUID, None] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, identifier: UUID) -> bool:
        return identifier in self._ids

    def add(self, identifiers: Iterable[UUID]) -> None:
        """Remember identifiers, and forget the oldest beyond the size."""
        with self._lock:
            self._ids.update(dict.fromkeys(identifiers))
            while len(self._ids) > self._size:
                self._ids.popitem(last=False)

    def discard(self, identifiers: Iterable[UUID]) -> None:
        """Forget identifiers."""
        with self._lock:
            for identifier in identifiers:
                self._ids.pop(identifier, None)
