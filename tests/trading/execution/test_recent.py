"""The last identifiers are remembered, and no more of them than asked for."""

import uuid

from trading.execution.recent import RecentIds


def test_the_oldest_are_forgotten_beyond_the_size() -> None:
    ids = [uuid.uuid4() for _ in range(7)]
    recent = RecentIds(5)
    recent.add(ids[:4])
    recent.add(ids[4:])
    assert [each in recent for each in ids] == [False, False, True, True, True, True, True]


def test_an_identifier_that_is_told_twice_counts_once() -> None:
    ids = [uuid.uuid4() for _ in range(5)]
    recent = RecentIds(5)
    recent.add(ids)
    recent.add(ids)
    assert all(each in recent for each in ids)
