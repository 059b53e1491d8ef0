"""Identifiers."""

import time
import uuid

from models.identifiers import new_id


def test_an_id_is_of_version_7_and_carries_its_time():
    before = time.time_ns() // 1_000_000
    made = new_id()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_never_repeat():
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_a_later_id_sorts_after_an_earlier_one():
    first = new_id()
    while time.time_ns() // 1_000_000 == first.int >> 80:
        pass
    assert first < new_id()
