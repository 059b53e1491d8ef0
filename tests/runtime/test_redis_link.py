"""The link to Redis, with a Redis that answers, refuses or is silent."""

import contextlib
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import redis

from config import urls
from runtime import redis_link
from runtime.redis_pool import make_pool
from tests.support.processes import wait_until


@pytest.fixture(autouse=True)
def link(servers, monkeypatch):
    monkeypatch.setattr(redis_link, "SLOW_S", redis_link.REQUEST_S - 2 * redis_link.TIMEOUT_S)
    redis_link.configure(servers.redis_url)
    yield
    redis_link.configure(servers.redis_url)


@pytest.fixture
def silent_port():
    """Listen on a port, and never accept or answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def ping():
    return redis_link.client.ping()


def timed(action):
    start = time.monotonic()
    return action(), time.monotonic() - start


VALUES = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true", "socket_keepalive": "yes"}


@pytest.mark.parametrize("name", urls.REDIS_PARAMETERS)
def test_every_parameter_that_a_url_may_have_is_known_to_the_library(name):
    given = VALUES.get(name, __file__ if name in urls.REDIS_FILES else "1")
    url = f"rediss://redis.example.com?{name}={given}"
    urls.check(urls.REDIS_URL, url)
    pool = redis_link.make_pool(url, timeout_s=1)
    assert name in pool.connection_kwargs or pool.max_connections == 1
    pool.make_connection()


def test_an_attempt_that_works_returns_true(clean, redis_client):
    assert redis_link.attempt(lambda: redis_link.client.set("a", "b")) is True
    assert redis_client.get("a") == b"b"


def test_a_process_without_redis_attempts_nothing():
    redis_link.configure(None)
    assert redis_link.is_enabled() is False
    assert redis_link.attempt(pytest.fail) is False


@pytest.fixture
def clock(monkeypatch):
    """Return the link's clock as a list with one time, which stands still."""
    moment = [100.0]
    monkeypatch.setattr(redis_link, "time", SimpleNamespace(monotonic=lambda: moment[0]))
    return moment


def failing_with(error):
    def fail():
        raise error

    return fail


def test_a_redis_that_refuses_is_left_alone_for_a_moment(clock, logged):
    redis_link.configure("redis://127.0.0.1:1")
    assert redis_link.attempt(ping) is False
    assert redis_link.attempt(pytest.fail) is False  # not even tried
    assert [entry["event"] for entry in logged] == ["redis_failed"]
    clock[0] += redis_link.FIRST_PAUSE_S
    assert redis_link.attempt(lambda: None) is True


def time_to_next_attempt(clock, error):
    """Return the time between a failure and the next attempt, which fails as well."""
    began_at, tried = clock[0], []
    while not tried:
        clock[0] += 0.125
        redis_link.attempt(lambda: (tried.append(1), failing_with(error)()))
    return clock[0] - began_at


def test_the_pause_doubles_up_to_a_second_and_ends_with_a_success(clock, monkeypatch):
    monkeypatch.setattr(redis_link, "FIRST_PAUSE_S", 0.25)
    redis_link.configure(redis_link._url)
    refused = redis.ConnectionError()
    redis_link.attempt(failing_with(refused))
    assert [time_to_next_attempt(clock, refused) for _ in range(4)] == [0.25, 0.5, 1.0, 1.0]
    clock[0] += 1
    assert redis_link.attempt(ping)
    redis_link.attempt(failing_with(refused))
    assert time_to_next_attempt(clock, refused) == 0.25


@pytest.mark.parametrize("error", [redis.TimeoutError(), redis.ConnectionError("no address"), ValueError()])
def test_after_a_slow_failure_of_any_kind_redis_is_left_alone_for_a_second(clock, error):
    def fail_late():
        clock[0] += 0.15
        raise error

    assert redis_link.attempt(fail_late) is False
    clock[0] += 0.99
    assert redis_link.attempt(pytest.fail) is False
    clock[0] += 0.02
    assert redis_link.attempt(fail_late) is False
    clock[0] += 0.99
    assert redis_link.attempt(pytest.fail) is False


def test_after_a_failure_one_caller_tries_again_and_no_other_waits(clock):
    redis_link.attempt(failing_with(redis.ConnectionError()))
    clock[0] += 1

    def find_out():
        assert redis_link.attempt(pytest.fail) is False
        clock[0] += 0.05

    assert redis_link.attempt(find_out)
    assert redis_link.attempt(lambda: None)


def test_all_that_one_request_does_shares_a_second(clock):
    def take(seconds):
        clock[0] += seconds

    def work():
        return [redis_link.attempt(lambda: take(0.15)) for _ in range(20)]

    redis_link.allow(redis_link.REQUEST_S)
    try:
        # The third leaves 0.55 s, and a use may take two time-outs of 0.3 s.
        assert work() == [True] * 3 + [False] * 17
    finally:
        redis_link.allow(None)
    assert work() == [True] * 20


def test_every_request_has_a_second_of_its_own(client, account, monkeypatch):
    allowed = []
    monkeypatch.setattr(redis_link, "allow", allowed.append)
    for _ in range(2):
        client.get("/api/trading/account", headers=account().headers)
    assert allowed == [1.0, None] * 2


def test_a_silent_redis_costs_less_than_a_second_and_then_nothing(silent_port, logged):
    redis_link.configure(f"redis://127.0.0.1:{silent_port}")
    done, took = timed(lambda: redis_link.attempt(ping))
    assert done is False
    assert took < 10.0  # a time-out of 0.3 s; without one it would never end
    assert redis_link.attempt(pytest.fail) is False
    assert [entry["error"] for entry in logged] == ["TimeoutError"]


def test_a_slow_redis_is_left_alone_too(monkeypatch):
    monkeypatch.setattr(redis_link, "SLOW_S", 0.0)
    assert redis_link.attempt(ping) is True
    assert redis_link.attempt(pytest.fail) is False


def test_a_connection_that_was_cut_is_replaced_within_two_attempts(monkeypatch, redis_client):
    monkeypatch.setattr(redis_link, "_pause", lambda _: None)
    assert redis_link.attempt(ping)
    redis_client.client_kill_filter(_type="normal", skipme=True)
    assert any([redis_link.attempt(ping), redis_link.attempt(ping)])


def test_a_redis_that_comes_back_is_used_again(servers, monkeypatch):
    monkeypatch.setattr(redis_link, "_pause", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    redis_link.configure(f"redis://127.0.0.1:{port}")
    assert redis_link.attempt(ping) is False
    with answering(port):
        assert wait_until(lambda: redis_link.attempt(ping), timeout_s=3)


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


def test_an_attempt_with_any_error_returns_false():
    def fail():
        raise redis.ResponseError("READONLY")

    assert redis_link.attempt(fail) is False


def test_an_encrypted_link_accepts_a_self_signed_certificate_by_default():
    pool = make_pool("rediss://localhost:6380", timeout_s=0.1)
    assert pool.connection_kwargs["ssl_cert_reqs"] == "none"
    strict = make_pool("rediss://localhost:6380?ssl_cert_reqs=required", timeout_s=0.1)
    assert strict.connection_kwargs["ssl_cert_reqs"] == "required"
