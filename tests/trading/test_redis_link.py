"""The link to Redis, with Redis there, away and silent."""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import redis

from tests.processes import wait_until
from trading import redis_link


@pytest.fixture(autouse=True)
def link(servers):
    redis_link.configure(servers.redis_url)
    yield
    redis_link.configure(servers.redis_url)


@pytest.fixture
def silent_port():
    """Listen, accept into the backlog, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ping():
    return redis_link.client.ping()


def timed(action):
    start = time.monotonic()
    return action(), time.monotonic() - start


def test_work_is_done_and_said_to_be(clean, redis_client):
    assert redis_link.attempt(lambda: redis_link.client.set("a", "b")) is True
    assert redis_client.get("a") == b"b"


def test_a_process_without_redis_attempts_nothing():
    redis_link.configure(None)
    assert redis_link.is_enabled() is False
    assert redis_link.attempt(pytest.fail) is False


def test_a_redis_that_refuses_is_left_at_once_and_alone_for_a_second(logged):
    redis_link.configure("redis://127.0.0.1:1")
    done, took = timed(lambda: redis_link.attempt(ping))
    assert (done, took < 0.2) == (False, True)
    assert redis_link.attempt(pytest.fail) is False  # not even tried
    assert [entry["event"] for entry in logged] == ["redis_failed"]


def test_after_the_pause_redis_is_tried_again(monkeypatch):
    redis_link.configure("redis://127.0.0.1:1")
    redis_link.attempt(ping)
    tried = []
    wait_until(lambda: redis_link.attempt(lambda: tried.append(1)), timeout_seconds=1)
    assert tried == [1]


def fail():
    raise redis.TimeoutError


def time_to_next_failure(clock):
    """Fail until an attempt is made again, which fails as well, and return how long that took."""
    began_at, tried = clock[0], []
    while not tried:
        clock[0] += 0.125
        redis_link.attempt(lambda: (tried.append(1), fail()))
    return clock[0] - began_at


def test_the_pause_doubles_with_every_failure_up_to_a_second_and_a_success_ends_that(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(redis_link, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(redis_link, "FIRST_PAUSE_S", 0.25)
    redis_link.configure(redis_link._url)
    redis_link.attempt(fail)
    assert [time_to_next_failure(clock) for _ in range(4)] == [0.25, 0.5, 1.0, 1.0]
    clock[0] += 1
    assert redis_link.attempt(ping)
    redis_link.attempt(fail)
    assert time_to_next_failure(clock) == 0.25


def test_the_longest_pause_is_a_second():
    assert redis_link.LONGEST_PAUSE_S == 1.0


def test_a_silent_redis_costs_less_than_half_a_second(silent_port):
    redis_link.configure(f"redis://127.0.0.1:{silent_port}")
    done, took = timed(lambda: redis_link.attempt(ping))
    assert done is False
    assert took < 0.5
    again, took = timed(lambda: redis_link.attempt(ping))
    assert (again, took < 0.01) == (False, True)


def test_two_steps_of_one_request_cost_less_than_a_second_together(silent_port):
    redis_link.configure(f"redis://127.0.0.1:{silent_port}")
    _, took = timed(lambda: [redis_link.attempt(ping) for _ in range(5)])
    assert took < 1.0


def test_a_slow_redis_is_left_alone_too(monkeypatch):
    monkeypatch.setattr(redis_link, "SLOW_S", 0.0)
    assert redis_link.attempt(ping) is True
    assert redis_link.attempt(pytest.fail) is False


def test_a_connection_that_was_cut_is_replaced_within_two_attempts(monkeypatch, redis_client):
    monkeypatch.setattr(redis_link, "_pause", lambda: None)
    assert redis_link.attempt(ping)
    redis_client.client_kill_filter(_type="normal", skipme=True)
    assert any([redis_link.attempt(ping), redis_link.attempt(ping)])


def test_a_redis_that_comes_back_is_used_again(servers, monkeypatch):
    monkeypatch.setattr(redis_link, "_pause", lambda: None)
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    redis_link.configure(f"redis://127.0.0.1:{port}")
    assert redis_link.attempt(ping) is False
    with answering(port):
        assert wait_until(lambda: redis_link.attempt(ping), timeout_seconds=3)


@contextlib.contextmanager
def answering(port):
    """Answer every command on a port with +OK, one connection."""
    server = socket.create_server(("127.0.0.1", port))

    def serve():
        with contextlib.suppress(OSError):
            connection, _ = server.accept()
            while connection.recv(4096):
                connection.sendall(b"+OK\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield
    redis_link.client.connection_pool.disconnect()
    server.close()


def test_any_error_is_only_a_no():
    def fail():
        raise redis.ResponseError("READONLY")

    assert redis_link.attempt(fail) is False


def test_an_encrypted_link_takes_a_self_signed_certificate_unless_told_otherwise():
    pool = redis_link.make_pool("rediss://localhost:6380", timeout_s=0.1)
    assert pool.connection_kwargs["ssl_cert_reqs"] == "none"
    strict = redis_link.make_pool("rediss://localhost:6380?ssl_cert_reqs=required", timeout_s=0.1)
    assert strict.connection_kwargs["ssl_cert_reqs"] == "required"
