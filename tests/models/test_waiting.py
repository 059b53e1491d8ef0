"""Waiting for a socket, in plain threads and in greenlets."""

import select
import socket
import subprocess
import sys
import time

import pytest

from models import waiting

GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, select, socket, time
from models import waiting

ours, theirs = socket.socketpair()
ran = []
gevent.spawn(ran.append, "other")
assert not waiting.is_readable(ours.fileno())
assert not ran, "the look let another greenlet run"

began = time.monotonic()
assert not waiting.wait(ours.fileno(), select.POLLIN, 50)
assert time.monotonic() - began >= 0.05
assert ran, "the wait let no other greenlet run"

gevent.spawn_later(0.05, theirs.sendall, b"x")
assert waiting.wait(ours.fileno(), select.POLLIN, None)
assert waiting.is_readable(ours.fileno())
assert waiting.wait(ours.fileno(), select.POLLOUT, 1000)
"""


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_thread_waits_until_there_is_something_to_read(ends):
    ours, theirs = ends
    assert not waiting.is_readable(ours.fileno())
    began = time.monotonic()
    assert not waiting.wait(ours.fileno(), select.POLLIN, 20)
    assert time.monotonic() - began >= 0.02
    theirs.close()
    assert waiting.is_readable(ours.fileno())
    assert waiting.wait(ours.fileno(), select.POLLIN, None)


def test_a_greenlet_lets_others_run_while_it_waits_but_not_while_it_looks():
    subprocess.run([sys.executable, "-c", GREENLETS], timeout=30, check=True)
