"""The thread that sends to Redis for others."""

import subprocess
import sys
import threading

import pytest

from runtime import redis_link
from runtime.sender import Parcel, Sender
from tests.support.processes import free_port, wait_until

HOLD = """
import sys
from runtime import redis_link
from runtime.sender import Parcel, sender
redis_link.configure(sys.argv[1])
sender._run = lambda: None  # the thread comes too late
def hold():
    sender.add({"a": Parcel(lambda pipeline: pipeline.add("RPUSH", "left", "a"))})
"""
LEAVES_AT_ONCE = f"""{HOLD}
hold()
sys.exit(3)
"""
WEB_LEAVES = f"""
from gevent import monkey
monkey.patch_all()
{LEAVES_AT_ONCE}
"""
WORKER_STOPS = f"""{HOLD}
import multiprocessing
import dramatiq
from actors.broker import broker
def work():
    hold()
    dramatiq.Worker(broker).stop()
    sys.exit(3)
child = multiprocessing.get_context("fork").Process(target=work)  # as Dramatiq's main process starts it
child.start()
child.join()
sys.exit(child.exitcode)
"""


@pytest.fixture
def linked(servers, redis_client):
    redis_link.configure(servers.redis_url)
    redis_client.delete("sent", "left")
    yield redis_client
    redis_client.delete("sent", "left")
    redis_link.configure(servers.redis_url)


def parcels(*names, ended=lambda _: None):
    return {name: Parcel(lambda pipeline, name=name: pipeline.add("RPUSH", "sent", name), ended) for name in names}


def test_parcels_are_sent_in_their_order_and_each_key_once(linked):
    sender, told = Sender(), []
    with sender._sending:
        sender.add(parcels("a", "b", ended=told.append))
        sender.add(parcels("c", "a", ended=told.append))
        assert linked.lrange("sent", 0, -1) == []
    sender.send_all()
    assert linked.lrange("sent", 0, -1) == [b"a", b"b", b"c"]
    assert told == [True] * 3


def test_a_redis_that_is_away_is_told_to_each_parcel_and_nothing_is_kept(linked, servers):
    sender, told = Sender(), []
    redis_link.configure(f"redis://127.0.0.1:{free_port()}")
    sender.add(parcels("a", "b", ended=told.append))
    sender.send_all()
    assert told == [False, False]
    redis_link.configure(servers.redis_url)
    sender.send_all()
    assert linked.exists("sent") == 0


def test_the_thread_outlives_a_parcel_whose_end_raises(linked):
    def refuse(_):
        raise RuntimeError("refused")

    sender = Sender()
    sender.add(parcels("a", ended=refuse))
    wait_until(lambda: linked.lrange("sent", 0, -1) == [b"a"])
    sender.add(parcels("b"))
    wait_until(lambda: linked.lrange("sent", 0, -1) == [b"a", b"b"])


def test_a_thread_that_cannot_start_fails_nobody_and_starts_with_the_next_parcel(linked, monkeypatch):
    sender = Sender()
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        sender.add(parcels("a"))
    sender.add(parcels("b"))
    wait_until(lambda: linked.lrange("sent", 0, -1) == [b"a", b"b"])


def refuse(_):
    raise RuntimeError("can't start new thread")


def test_what_comes_soon_after_a_round_trip_shares_the_next_one(linked, monkeypatch):
    monkeypatch.setattr("runtime.sender.PAUSE_S", 0.3)
    sender, sent = Sender(), []
    monkeypatch.setattr(sender, "_send", lambda parcels: sent.append(len(parcels)))
    sender.add(parcels("a"))
    wait_until(lambda: sent == [1])
    for name in ("b", "c", "d"):
        sender.add(parcels(name))
    wait_until(lambda: sum(sent) == 4)
    assert sent == [1, 3]


@pytest.mark.parametrize("script", [LEAVES_AT_ONCE, WEB_LEAVES, WORKER_STOPS], ids=["command", "web", "worker"])
def test_a_process_that_ends_sends_what_it_holds(linked, servers, script):
    done = subprocess.run([sys.executable, "-c", script, servers.redis_url], timeout=30, check=False)
    assert done.returncode == 3
    assert linked.lrange("left", 0, -1) == [b"a"]
