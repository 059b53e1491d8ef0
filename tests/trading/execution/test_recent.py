"""RecentIds keeps the identifiers that were added last, up to its size."""

import uuid

from trading.execution.recent import RecentIds


def test_the_oldest_identifiers_beyond_the_size_are_dropped() -> None:
    ids = [uuid.uuid4() for _ in range(7)]
    recent = RecentIds(5)
    recent.add(ids[:4])
    recent.add(ids[4:])
    assert [each in recent for each in ids] == [False, False, True, True, True, True, True]


def test_an_identifier_that_is_added_twice_counts_once() -> None:
    ids = [uuid.uuid4() for _ in range(5)]
    recent = RecentIds(5)
    recent.add(ids)
    recent.add(ids)
    assert all(each in recent for each in ids)
