"""A bounded memory of identifiers."""

import threading
from collections.abc import Iterable
from uuid import UUID


class RecentIds:
    """Remembers the last identifiers that it was told, up to a number."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._ids: dict[UUID, None] = {}
        self._lock = threading.Lock()

    def __contains__(self, identifier: UUID) -> bool:
        return identifier in self._ids

    def add(self, identifiers: Iterable[UUID]) -> None:
        """Remember identifiers, and forget the oldest beyond the size."""
        with self._lock:
            self._ids.update(dict.fromkeys(identifiers))
            while len(self._ids) > self._size:
                del self._ids[next(iter(self._ids))]
