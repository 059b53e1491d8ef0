"""Connections to Redis: bounded in time even with a slow name server, and closed together after a failure."""

import contextlib
import socket
import threading
import time

import pytest
import redis

from models.names import Names
from runtime import redis_connection
from runtime.redis_pool import make_pool
from tests.support.processes import wait_until

TIMEOUT_S = 0.4


@pytest.fixture
def names(monkeypatch):
    """Return names in place of the process's own, on which the answers of a name server can be set."""
    names = Names()
    monkeypatch.setattr(redis_connection, "_names", names)
    return names


@pytest.fixture
def silence(monkeypatch):
    """Let the name server say nothing while the event is not set."""
    answers = threading.Event()
    ask = socket.getaddrinfo

    def wait_and_ask(host, *args, **options):
        answers.wait()
        return ask("127.0.0.1", *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", wait_and_ask)
    yield answers
    answers.set()


@pytest.fixture
def say():
    """Return a function that serves a port on which every command gets the same answer, or none: say("+OK") -> port."""
    with contextlib.ExitStack() as stack:

        def serve(answer, delay_s=0.0):
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=_serve, args=(server, answer, delay_s), daemon=True).start()
            return server.getsockname()[1]

        yield serve


def _serve(server, answer, delay_s):
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_answer, args=(connection, answer, delay_s), daemon=True).start()


def _answer(connection, answer, delay_s):
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            time.sleep(delay_s)
            if answer is not None:
                connection.sendall(answer.encode() + b"\r\n")


def client_of(url, timeout_s=TIMEOUT_S):
    return redis.Redis.from_pool(make_pool(url, timeout_s=timeout_s))


def idle(client):
    """Return the number of idle open connections."""
    return sum(connection.is_connected for connection in client.connection_pool._available_connections)


def use_at_once(client, count):
    """Open this many connections."""
    pool = client.connection_pool
    for connection in [pool.get_connection() for _ in range(count)]:
        pool.release(connection)


def test_a_silent_name_server_costs_half_of_the_time_out(names, silence):
    client = client_of("redis://redis.test:1/0")
    start = time.monotonic()
    with pytest.raises(redis.ConnectionError, match="cannot be resolved"):
        client.ping()
    assert time.monotonic() - start < 20 * TIMEOUT_S


def test_the_address_that_came_late_is_used(names, silence, say):
    client = client_of(f"redis://redis.test:{say('+PONG')}/0", timeout_s=5)
    client.connection_pool.connection_kwargs["socket_connect_timeout"] = 0.1
    with pytest.raises(redis.ConnectionError):
        client.ping()
    silence.set()
    wait_until(lambda: names.resolve(["redis.test"], timeout_s=5)["redis.test"])
    assert client.ping()
    silence.clear()
    client.connection_pool.disconnect()
    assert client.ping()


def test_a_use_may_take_longer_than_a_connect(say):
    client = client_of(f"redis://127.0.0.1:{say('+PONG', delay_s=0.5)}/0", timeout_s=10)
    client.connection_pool.connection_kwargs["socket_connect_timeout"] = 0.2
    connection = client.connection_pool.get_connection()
    connection.disconnect()
    connection.send_command("PING")  # connects again by itself
    assert connection.read_response() == b"PONG"


def test_an_address_needs_no_name_server(names, silence, say):
    assert client_of(f"redis://127.0.0.1:{say('+PONG')}/0").ping()


def test_the_next_address_is_tried_when_one_refuses(names, monkeypatch, say):
    port = say("+PONG")
    monkeypatch.setattr(names, "resolve", lambda _, **__: {"redis.test": ["127.0.0.2", "127.0.0.1"]})
    assert client_of(f"redis://redis.test:{port}/0", timeout_s=5).ping()


def test_silent_addresses_share_the_time_out(names, monkeypatch):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        port = full.getsockname()[1]
        for _ in range(3):  # no program accepts: a connect waits once the queue is full
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(("127.0.0.1", port))
        monkeypatch.setattr(names, "resolve", lambda _, **__: {"redis.test": 5 * ["127.0.0.1"]})
        start = time.monotonic()
        with pytest.raises(redis.TimeoutError):
            client_of(f"redis://redis.test:{port}/0", timeout_s=1).ping()
        assert time.monotonic() - start < 4  # each with a time-out of its own would be 5 s


ANSWERS_OF_THE_SERVER = [
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
    "CLUSTERDOWN The cluster is down",
    "NOREPLICAS Not enough good replicas to write.",
    "MISCONF Redis is configured to save RDB snapshots, but is currently unable to persist on disk.",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
    "ERR Error running script (call to f_1): @user_script:39: -READONLY You can't write against a read only replica.",
]


@pytest.mark.parametrize("text", ANSWERS_OF_THE_SERVER, ids=lambda text: text.split()[0])
def test_a_useless_server_keeps_no_connection(say, text):
    client = client_of(f"redis://127.0.0.1:{say('-' + text)}", 5)
    use_at_once(client, 3)
    assert idle(client) == 3
    with pytest.raises(redis.RedisError):
        client.set("a", 1)
    assert idle(client) == 0


def test_an_error_of_the_command_keeps_every_connection(say):
    client = client_of(f"redis://127.0.0.1:{say('-WRONGTYPE Operation against a key')}", 5)
    use_at_once(client, 3)
    with pytest.raises(redis.ResponseError):
        client.set("a", 1)
    assert idle(client) == 3


def test_a_pipeline_marks_a_useless_server(say):
    client = client_of(f"redis://127.0.0.1:{say('-READONLY You can not write')}", 5)
    use_at_once(client, 3)
    with pytest.raises(redis.ReadOnlyError), client.pipeline(transaction=False) as pipeline:
        pipeline.set("a", 1).execute()
    assert idle(client) == 0


def test_a_connection_without_an_answer_closes_the_idle_ones(say):
    client = client_of(f"redis://127.0.0.1:{say(None)}")
    use_at_once(client, 3)
    with pytest.raises(redis.TimeoutError):
        client.ping()
    assert idle(client) == 0
