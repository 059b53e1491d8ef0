"""Host names are looked up in threads of their own, and remembered while the name server does not answer."""

import socket
import threading
import time

import pytest

from models import names
from models.names import LOOKUPS_AT_ONCE, Names
from tests.support.processes import wait_until


class NameServer:
    """A stand-in for the system's resolver that answers, fails, or stays silent."""

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


def resolve(known, host="db", timeout_s=0.5):
    return known.resolve([host], timeout_s=timeout_s)[host]


def test_a_new_answer_replaces_the_remembered_addresses(server):
    known = Names()
    assert resolve(known) == ["10.0.0.1"]
    server.answers["db"] = "10.0.0.2"
    assert resolve(known) == ["10.0.0.2"]


def test_a_deleted_name_loses_its_remembered_addresses(server):
    known = Names()
    resolve(known)
    del server.answers["db"]
    assert resolve(known) == []


@pytest.mark.parametrize("error", [socket.EAI_AGAIN, socket.EAI_FAIL, socket.EAI_SYSTEM])
def test_the_remembered_addresses_serve_while_the_name_server_fails(server, error):
    known = Names()
    resolve(known)
    server.errors["db"] = error
    assert resolve(known) == ["10.0.0.1"]


def test_the_remembered_addresses_serve_while_the_name_server_is_silent(server):
    known = Names()
    resolve(known)
    server.speaks.clear()
    assert resolve(known) == ["10.0.0.1"]


def test_the_wait_for_an_unknown_name_is_bounded(server):
    server.speaks.clear()
    start = time.monotonic()
    assert Names().resolve(["db", "other"], timeout_s=0.5) == {"db": [], "other": []}
    assert time.monotonic() - start < 5.0  # for both names together, with the delays of a busy machine


def test_simultaneous_requests_share_one_look_up(server):
    server.speaks.clear()
    known = Names()
    found = []
    threads = [threading.Thread(target=lambda: found.append(resolve(known, timeout_s=20))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: server.asked)
    server.speaks.set()
    for thread in threads:
        thread.join(30)
    assert found == [["10.0.0.1"]] * 8
    assert server.asked < 8


def test_the_number_of_stuck_look_ups_is_bounded(server, monkeypatch):
    monkeypatch.setattr(names, "STUCK_S", 0.0)
    server.speaks.clear()
    known = Names()
    for number in range(10):
        resolve(known, f"host{number % 2}")
    assert server.asked == LOOKUPS_AT_ONCE


def test_a_recovered_name_server_is_asked_although_an_older_look_up_is_stuck(server, monkeypatch):
    monkeypatch.setattr(names, "STUCK_S", 0.0)
    known = Names()
    resolve(known)
    speaking, held = server.speaks, threading.Event()
    server.speaks = held
    assert resolve(known) == ["10.0.0.1"]
    server.speaks = speaking
    server.answers["db"] = "10.0.0.2"
    assert resolve(known) == ["10.0.0.2"]
    held.set()  # the old answer comes last and is ignored
    wait_until(lambda: all(lookup.is_over.is_set() for lookup in known._under_way))
    server.speaks = threading.Event()
    assert resolve(known) == ["10.0.0.2"]
    server.speaks.set()


def test_an_invalid_name_has_no_addresses():
    assert Names().resolve(["no..such.name"]) == {"no..such.name": []}
