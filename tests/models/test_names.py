"""Names are looked up beside the work, and remembered while the name server says nothing."""

import socket
import threading
import time

import pytest

from models import names
from models.names import LOOKUPS_AT_ONCE, Names
from tests.support.processes import wait_until


class NameServer:
    """Stands for the system's resolver: it answers, refuses, or stays silent."""

    def __init__(self):
        self.answers = {"db": "10.0.0.1"}
        self.errors = {}
        self.speaks = threading.Event()
        self.speaks.set()
        self.asked = 0

    def getaddrinfo(self, host, port, **options):
        self.asked += 1
        answer, error = self.answers.get(host), self.errors.get(host)
        assert self.speaks.wait(30)
        if error or answer is None:
            raise socket.gaierror(error or socket.EAI_NONAME, "no answer")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (answer, 0))] * 2


@pytest.fixture
def server(monkeypatch):
    server = NameServer()
    monkeypatch.setattr(names.socket, "getaddrinfo", server.getaddrinfo)
    monkeypatch.setattr(names, "ANSWER_KNOWN_S", 0.1)
    yield server
    server.speaks.set()


def resolve(known, host="db"):
    return known.resolve([host], timeout_s=0.5)[host]


def test_the_present_answer_wins_over_what_is_known(server):
    known = Names()
    assert resolve(known) == ["10.0.0.1"]
    server.answers["db"] = "10.0.0.2"
    assert resolve(known) == ["10.0.0.2"]


def test_a_name_that_is_gone_is_no_longer_served_from_memory(server):
    known = Names()
    resolve(known)
    del server.answers["db"]
    assert resolve(known) == []


@pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
def test_what_is_known_serves_while_the_name_server_is_ill(server, error):
    known = Names()
    resolve(known)
    server.errors["db"] = error
    assert resolve(known) == ["10.0.0.1"]


def test_what_is_known_serves_while_the_name_server_is_silent(server):
    known = Names()
    resolve(known)
    server.speaks.clear()
    assert resolve(known) == ["10.0.0.1"]


def test_a_name_that_was_never_known_is_waited_for_only_so_long(server):
    server.speaks.clear()
    start = time.monotonic()
    assert Names().resolve(["db", "other"], timeout_s=0.5) == {"db": [], "other": []}
    assert time.monotonic() - start < 5.0  # both together, and this machine's noise


def test_those_who_ask_at_once_share_one_look_up(server):
    server.speaks.clear()
    known = Names()
    found = []
    threads = [threading.Thread(target=lambda: found.append(resolve(known))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.asked)
    server.speaks.set()
    for thread in threads:
        thread.join(10)
    assert found == [["10.0.0.1"]] * 8
    assert server.asked < 8


def test_look_ups_that_are_stuck_stay_few(server, monkeypatch):
    monkeypatch.setattr(names, "STUCK_S", 0.0)
    server.speaks.clear()
    known = Names()
    for number in range(10):
        resolve(known, f"host{number % 2}")
    assert server.asked == LOOKUPS_AT_ONCE


def test_a_name_server_that_is_back_is_heard_though_an_older_look_up_is_stuck(server, monkeypatch):
    monkeypatch.setattr(names, "STUCK_S", 0.0)
    known = Names()
    resolve(known)
    speaking, held = server.speaks, threading.Event()
    server.speaks = held
    assert resolve(known) == ["10.0.0.1"]
    server.speaks = speaking
    server.answers["db"] = "10.0.0.2"
    assert resolve(known) == ["10.0.0.2"]
    held.set()  # the old answer comes last, and is not believed
    wait_until(lambda: all(lookup.is_over.is_set() for lookup in known._under_way))
    server.speaks = threading.Event()
    assert resolve(known) == ["10.0.0.2"]
    server.speaks.set()


def test_a_name_that_is_none_is_not_found():
    assert Names().resolve(["no..such.name"]) == {"no..such.name": []}
