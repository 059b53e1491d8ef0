"""The consumer waits for messages on a real Valkey: promptly, without polling, and over restarts."""

import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import pytest
import redis
from dramatiq.errors import ConnectionClosed

from actors import consumer as consumer_module
from actors.broker import Broker
from actors.consumer import WAIT_S
from runtime.redis_pool import make_pool, primary_of
from tests.support.processes import free_port, wait_until
from tests.support.sentinels import FakeSentinel


class Echo:
    """A broker of the test's own, with one actor that records its calls."""

    def __init__(self, url: str, timeout_s: float = 5.0) -> None:
        self.client = redis.Redis(connection_pool=make_pool(url, timeout_s=timeout_s))
        self.broker = Broker(client=self.client, namespace="echo", middleware=[])
        self.called: list[tuple[int, float]] = []
        self.actor = dramatiq.actor(self._note, actor_name="note", queue_name="echo", broker=self.broker)

    def _note(self, number: int) -> None:
        self.called.append((number, time.monotonic()))


@pytest.fixture
def echo(clean: None, servers: Any) -> Echo:
    return Echo(servers.redis_url)


@pytest.fixture
def long_wait_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """Make a consumer wait longer than the delays of a busy machine, and return that time."""
    monkeypatch.setattr(consumer_module, "WAIT_S", 4.0)
    return 4.0


@pytest.fixture
def running(echo: Echo) -> Iterator[Echo]:
    worker = dramatiq.Worker(echo.broker, worker_threads=2)
    worker.start()
    yield echo
    worker.stop()


def commands(client: redis.Redis) -> int:
    return int(client.info("stats")["total_commands_processed"])


def wait_until_idle(echo: Echo) -> None:
    """Wait until the worker's consumers, one for the queue and one for its delayed messages, wait in Redis."""
    wait_until(lambda: echo.client.info("clients")["blocked_clients"] >= 2)


def test_an_idle_worker_is_woken_by_a_message(echo: Echo, long_wait_s: float, request: pytest.FixtureRequest) -> None:
    running, delays = request.getfixturevalue("running"), []
    for number in range(20):
        wait_until_idle(running)
        sent = time.monotonic()
        running.actor.send(number)
        wait_until(lambda expected=number: running.called and running.called[-1][0] == expected)
        delays.append(running.called[-1][1] - sent)
    # Without being woken half of them would wait longer; a few may meet a busy machine.
    assert sorted(delays)[16] < long_wait_s / 2
    assert [number for number, _ in running.called] == list(range(20))


def test_an_idle_worker_asks_redis_a_few_times_a_second_only(running: Echo) -> None:
    wait_until_idle(running)
    start, before = time.monotonic(), commands(running.client)
    wait_until(lambda: time.monotonic() - start > 3 * WAIT_S)
    asked = commands(running.client) - before
    # two consumers, each with a wait and a look (a script of two commands) a second, and wait_until_idle's own
    assert asked <= 10 * 2 * (time.monotonic() - start)


def test_waiting_keeps_the_order_of_the_queue(echo: Echo) -> None:
    for number in range(30):
        echo.actor.send(number)
    consumer = echo.broker.consume("echo", prefetch=1)
    seen = []
    while len(seen) < 30:
        message = next(consumer)
        if message is not None:
            seen.append(message.args[0])
            consumer.ack(message)
    assert seen == list(range(30))


def test_many_waiting_consumers_take_each_message_once(echo: Echo) -> None:
    consumers = [echo.broker.consume("echo", prefetch=2) for _ in range(4)]
    seen: list[int] = []
    done = threading.Event()

    def consume(consumer: Any) -> None:
        while not done.is_set():
            message = next(consumer)
            if message is not None:
                seen.append(message.args[0])
                consumer.ack(message)

    threads = [threading.Thread(target=consume, args=(consumer,)) for consumer in consumers]
    for thread in threads:
        thread.start()
    # A consumer that starts returns the messages of its worker, and here all consumers belong to one worker.
    wait_until(lambda: echo.client.info("clients")["blocked_clients"] >= len(consumers))
    for number in range(200):
        echo.actor.send(number)
    wait_until(lambda: len(seen) >= 200)
    done.set()
    for thread in threads:
        thread.join()
    assert sorted(seen) == list(range(200))


def test_a_closed_consumer_returns_its_fetched_messages(echo: Echo) -> None:
    consumer = echo.broker.consume("echo", prefetch=2)
    for number in range(3):
        echo.actor.send(number)
    assert next(consumer).args == (0,)
    acks = f"echo:__acks__.{echo.broker.broker_id}.echo"
    assert echo.client.scard(acks) == 2
    consumer.close()
    assert echo.client.scard(acks) == 1  # the message in work
    assert echo.client.llen("echo:echo") == 2


def test_a_full_consumer_goes_on_as_soon_as_there_is_room(echo: Echo, long_wait_s: float) -> None:
    for number in range(3):
        echo.actor.send(number)
    consumer = echo.broker.consume("echo", prefetch=1)
    first = next(consumer)
    threading.Timer(0.05, lambda: consumer.ack(first)).start()
    start = time.monotonic()
    assert next(consumer) is None  # waited for room
    assert time.monotonic() - start < long_wait_s - 0.5
    assert next(consumer).args == (1,)


def test_a_server_without_the_command_is_polled(echo: Echo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise redis.ResponseError("unknown command 'BLMOVE'")

    monkeypatch.setattr(echo.client, "blmove", refuse)
    consumer = echo.broker.consume("echo", prefetch=1)
    assert next(consumer) is None
    assert next(consumer) is None
    echo.actor.send(7)
    assert next(consumer).args == (7,)


def test_a_redis_that_is_away_is_a_closed_connection(clean: None) -> None:
    away = Echo(f"redis://127.0.0.1:{free_port()}")
    with pytest.raises(ConnectionClosed):
        next(away.broker.consume("echo"))


def test_a_wait_that_is_never_answered_is_a_closed_connection(servers: Any, clean: None) -> None:
    hasty = Echo(servers.redis_url, timeout_s=WAIT_S / 4)
    with pytest.raises(ConnectionClosed):
        next(hasty.broker.consume("echo"))


def test_messages_are_taken_again_after_a_restart_of_the_server(own_servers: Any) -> None:
    echo = Echo(own_servers.redis_url)
    worker = dramatiq.Worker(echo.broker, worker_threads=1)
    worker.start()
    try:
        wait_until_idle(echo)
        own_servers.valkey.stop()
        own_servers.valkey.start()
        echo.actor.send(1)
        wait_until(lambda: echo.called, timeout_s=20)
    finally:
        worker.stop()


def test_a_killed_wait_is_begun_anew(running: Echo) -> None:
    wait_until_idle(running)
    for client in running.client.client_list():
        if "b" in client["flags"]:
            running.client.client_kill_filter(_id=client["id"])
    running.actor.send(5)
    wait_until(lambda: running.called, timeout_s=10)


def test_consumers_outlive_a_server_that_is_read_only_for_a_while(own_servers: Any) -> None:
    echo = Echo(own_servers.redis_url)
    worker = dramatiq.Worker(echo.broker, worker_threads=1)
    worker.start()
    try:
        wait_until_idle(echo)
        echo.actor.send_with_options(args=(1,), delay=2_000)
        wait_until(lambda: echo.client.keys("echo:__acks__*.DQ"), what="the delayed message is fetched")
        with redis.Redis.from_url(own_servers.redis_url) as operator:
            operator.replicaof("127.0.0.1", "1")
            refused = operator.info("errorstats")
            wait_until(lambda: operator.info("errorstats") != refused, what="a consumer is refused")
            wait_until(lambda: operator.info("stats")["total_error_replies"] > 4, what="both are")
            operator.replicaof("NO", "ONE")
        echo.actor.send(2)
        wait_until(lambda: {number for number, _ in echo.called} == {1, 2}, what="both messages are taken")
    finally:
        worker.stop()


def test_a_new_primary_is_a_lost_connection_since_it_may_not_know_the_last_acks(servers: Any, clean: None) -> None:
    sentinel = FakeSentinel(urlsplit(servers.redis_url).port)
    echo = Echo(f"redis+sentinel://127.0.0.1:{sentinel.port}/service{urlsplit(servers.redis_url).path}")
    echo.actor.send(1)
    consumer = echo.broker.consume("echo", prefetch=1)
    assert next(consumer).args == (1,)
    sentinel.host = "localhost"  # the same server, by another name
    wait_until(lambda: primary_of(echo.client).host == "localhost", what="the new primary is known")
    with pytest.raises(ConnectionClosed):
        next(consumer)
    assert next(echo.broker.consume("echo", prefetch=1)).args == (1,)
    sentinel.close()


@pytest.mark.parametrize("text", ["UNBLOCKED instance state changed", "READONLY no", "LOADING in memory"])
def test_only_a_server_that_forbids_the_wait_is_polled(echo: Echo, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise redis.ResponseError(text)

    monkeypatch.setattr(echo.client, "blmove", refuse)
    consumer = echo.broker.consume("echo", prefetch=1)
    with pytest.raises(ConnectionClosed):
        next(consumer)
    assert consumer._can_wait


@pytest.mark.parametrize(
    ("reader", "name"),
    [
        (dramatiq.worker._ConsumerThread.run, "CONSUMER_RESTART_DELAY_SECS"),
        (dramatiq.worker._ConsumerThread.post_process_message, "POST_PROCESS_MESSAGE_RETRY_DELAY_SECS"),
    ],
)
def test_dramatiq_reads_the_delays_that_configure_shortens(reader: Any, name: str) -> None:
    assert name in reader.__code__.co_names
