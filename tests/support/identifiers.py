"""Identifiers for tests: one whose name is the same in every process of a run, and new ones in a certain order."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from uuid import UUID

from models.identifiers import drawn_from, version_7

NOT_THERE = UUID("8f14e45f-ceea-4672-9c3a-6b1f0d2a7e55")  # the id of no row, since every row's id is a new version 7


@contextlib.contextmanager
def ids_in_order() -> Iterator[None]:
    """Give each new id of this process a millisecond of its own, because ids of the same one have no order."""
    milliseconds = itertools.count(time.time_ns() // 1_000_000 + 1)
    with drawn_from(lambda: version_7(next(milliseconds), 0)):
        yield
