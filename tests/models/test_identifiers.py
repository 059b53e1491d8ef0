"""Identifiers."""

import subprocess
import sys
import time
import uuid

from models.identifiers import new_id, random_id

FORKS = """
import os
from models.identifiers import random_id
random_id()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, random_id().bytes)
    os._exit(0)
assert os.read(read, 16) != random_id().bytes
"""


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


def test_a_random_id_is_of_version_4():
    made = random_id()
    assert (made.version, made.variant) == (4, uuid.RFC_4122)
    assert len({random_id() for _ in range(10_000)}) == 10_000


def test_a_process_and_its_child_draw_other_ids():
    subprocess.run([sys.executable, "-c", FORKS], timeout=30, check=True)
