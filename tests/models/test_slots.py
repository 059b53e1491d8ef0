"""Slots."""

import threading

from models.slots import Slots
from tests.support.processes import wait_until


def test_slots_count_their_uses_and_waits():
    slots = Slots(2)
    assert (slots.in_use, slots.waiting, slots.take_waits()) == (0, 0, 0)
    assert slots.acquire(1)
    assert slots.acquire(1)
    waiter = threading.Thread(target=slots.acquire, args=(10,))
    waiter.start()
    wait_until(lambda: slots.waiting == 1)
    assert not slots.acquire(0.01)
    assert slots.in_use == 2
    slots.release()  # the waiting thread gets it
    waiter.join()
    assert (slots.in_use, slots.waiting) == (2, 0)
    assert (slots.take_waits(), slots.take_waits()) == (2, 0)
    slots.release()
    assert slots.in_use == 1
