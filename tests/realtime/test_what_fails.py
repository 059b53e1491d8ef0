"""Redis, processes, tokens and readers fail; the streams continue, or end with the documented code."""

import json
import resource
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from api.stream.hub_threads import TOKEN_CHECK_S
from tests.conftest import METRICS_TOKEN, OwnCommands, TestAccount
from tests.realtime.clients import CLOSE, RawStream, ServerSentEvents, Stream, answered_pings, ids
from tests.realtime.conftest import Database, open_connections
from tests.realtime.network import Proxy
from tests.realtime.test_delivery import place
from tests.support.metrics import Metrics
from tests.support.processes import ProcessStarter, Running, free_port, wait_until
from tests.support.servers import Servers
from trading.accounts import tokens

pytestmark = pytest.mark.faults

MakeAccount = Callable[..., TestAccount]
# A nudge arrives in milliseconds; the poll, which replaces a lost nudge, takes up to a second.
PROMPT_S = 0.5


def delay_of(stream: Stream, make_event: Callable[[], object]) -> float:
    """Return the seconds from the commit of an event to its arrival."""
    make_event()
    made = time.monotonic()
    stream.next()
    return time.monotonic() - made


def wait_until_prompt(stream: Stream, make_event: Callable[[], object]) -> None:
    """Wait until six events in a row arrive sooner than polling alone could bring them."""
    wait_until(lambda: max(delay_of(stream, make_event) for _ in range(6)) < PROMPT_S, timeout_s=60)


def test_with_pub_sub_cut_and_the_socket_open_events_arrive_within_two_seconds(
    start: ProcessStarter, proxy: Proxy, account: MakeAccount, deposit: Callable[..., None]
) -> None:
    trader = account()
    web = start.web(REDIS_URL=proxy.url)
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        wait_until_prompt(stream, lambda: deposit(trader))
        proxy.swallow()
        assert (
            min(delay_of(stream, lambda: deposit(trader)) for _ in range(4)) < 2
        )  # a slow machine delays not all four
        proxy.heal()  # the old connection stays dead: the hub has to find out by asking
        wait_until_prompt(stream, lambda: deposit(trader))
    assert "hub_waits_for_redis" in web.log


def test_killed_pub_sub_connections_delay_events_by_two_seconds_at_most(
    web: Running, account: MakeAccount, deposit: Callable[..., None], redis_client: redis.Redis
) -> None:
    trader = account()
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        wait_until_prompt(stream, lambda: deposit(trader))
        delays = []
        for _ in range(3):
            assert redis_client.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
            delays.append(delay_of(stream, lambda: deposit(trader)))
            wait_until(lambda: redis_client.pubsub_numpat() >= 1)
        assert min(delays) < 2
        wait_until_prompt(stream, lambda: deposit(trader))


def test_an_unknown_message_on_the_channel_is_ignored(
    web: Running, account: MakeAccount, deposit: Callable[..., None], redis_client: redis.Redis
) -> None:
    trader = account()
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        wait_until_prompt(stream, lambda: deposit(trader))
        for channel in ("tradepost:events:", "tradepost:events:x", b"tradepost:events:\xff"):
            assert redis_client.publish(channel, b"\xff") >= 1
        wait_until_prompt(stream, lambda: deposit(trader))


@pytest.fixture
def own_world(own_commands: OwnCommands, tmp_path: Path) -> Iterator[Any]:
    """Return a starter on servers of this test alone, and an account there."""
    starter = ProcessStarter(own_commands.environment, tmp_path)
    yield starter, own_commands.account
    starter.stop()


def test_valkey_stops_and_starts_and_no_event_is_lost(own_world: Any, own_servers: Servers) -> None:
    starter, trader = own_world
    web, other = starter.web(), starter.web()
    assert own_servers.valkey is not None
    last = 2
    with Stream(web.port, trader.token, query="?since=0") as stream:
        assert stream.ready() == last
        stream.events(2)
        for turn in ("with", "without", "with again"):
            if turn == "without":
                own_servers.valkey.stop()
            if turn == "with again":
                own_servers.valkey.start()
            delays = []
            for _ in range(3):
                place(other, trader)
                committed = time.monotonic()
                assert ids(stream.events(2)) == [last + 1, last + 2], turn
                delays.append(time.monotonic() - committed)
                last += 2
            assert min(delays) < 2.5, turn


def rss_mb(web: Running) -> float:
    return sum(child.memory_info().rss for child in web.children()) / 1e6


@pytest.fixture
def bystander(web: Running, account: MakeAccount) -> Iterator[list[float]]:
    """Place orders of another account during the test, and collect the seconds of each."""
    trader, stop, latencies = account(), threading.Event(), []

    def trade() -> None:
        session = requests.Session()
        while not stop.wait(0.02):
            start = time.monotonic()
            place(web, trader, session)
            latencies.append(time.monotonic() - start)

    thread = threading.Thread(target=trade)
    thread.start()
    yield latencies
    stop.set()
    thread.join()


def test_a_listener_that_never_reads_is_dropped_and_slows_no_other(
    web: Running, account: MakeAccount, plain_sql: Database, bystander: list[float]
) -> None:
    trader = account()
    place(web, trader)  # the process has served before its memory is measured
    before = rss_mb(web)
    deaf = [RawStream(web.port, trader.token, receive_buffer=4096) for _ in range(5)]
    with Stream(web.port, trader.token, query="?since=0") as reader:
        last = reader.ready()
        reader.events(last)
        delays = []
        held = len(open_connections(web))
        for _ in range(10):
            plain_sql.change(trader.id, 600, "x" * 180)
            committed = time.monotonic()
            assert ids(reader.events(600)) == list(range(last + 1, last + 601))
            delays.append(time.monotonic() - committed)
            last += 600
        assert statistics.median(delays) < 3
        wait_until(lambda: len(open_connections(web)) <= held - len(deaf), timeout_s=30)
        assert rss_mb(web) - before < 100
        plain_sql.change(trader.id)
        assert reader.next()["id"] == last + 1
    wait_until(lambda: len(bystander) > 50)
    assert statistics.median(bystander) < 1
    for stream in deaf:
        stream.socket.close()


def test_a_slow_listener_is_closed_with_4408_and_resumes_with_since(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    # With the usual buffers, which the flood overflows: through a tiny window the rest would come slowly.
    slow = RawStream(web.port, trader.token)
    assert slow.next()["type"] == "ready"
    slow.wait_until_live()
    with answered_pings(slow):  # a slow machine takes longer than the server waits for an answer
        plain_sql.change(trader.id, 4_000, "x" * 180)
        last = plain_sql.last_event_id(trader.id)
        with Stream(web.port, trader.token) as reader:
            reader.ready()
            reader.wait_until_live()  # a replay would bring the next event before the hub has handed out the others
            plain_sql.change(trader.id)
            assert reader.next()["id"] == last + 1
        received: list[int] = []
        while (found := slow.next_frame(80.0)) and found[0] != CLOSE:
            if found[1]:  # a ping has no payload
                received.append(json.loads(found[1])["id"])
    assert found is not None
    assert int.from_bytes(found[1][:2], "big") == 4408, found[1][2:]
    assert received == list(range(3, 3 + len(received)))
    assert len(received) < last
    with Stream(web.port, trader.token, query=f"?since={received[-1]}") as stream:
        stream.ready()
        assert ids(stream.events(last + 1 - received[-1])) == list(range(received[-1] + 1, last + 2))


def test_sigterm_closes_a_hundred_listeners_with_1012_and_the_process_ends_in_time(
    start: ProcessStarter, account: MakeAccount, plain_sql: Database
) -> None:
    traders, flooded = [account() for _ in range(10)], account()
    web = start.web()
    streams = [RawStream(web.port, traders[number % 10].token) for number in range(97)]
    streams += [RawStream(web.port) for _ in range(3)]  # have not authenticated yet
    for stream in streams[:97]:
        assert stream.next()["type"] == "ready"
    events = [ServerSentEvents(web.port, trader.token) for trader in traders]
    for sse in events:
        sse.take(1)
    deaf = [RawStream(web.port, flooded.token, receive_buffer=4096) for _ in range(3)]
    deaf_to_events = ServerSentEvents(web.port, flooded.token)
    plain_sql.change(flooded.id, 4_000, "x" * 180)
    assert deaf[0].next()["type"] == "ready"
    deaf_to_events.take(2)  # it reads two blocks, and no more
    began = time.monotonic()
    web.signal_all(signal.SIGTERM)
    for stream in streams:
        found = stream.next_frame()
        assert found is not None
        assert (found[0], int.from_bytes(found[1][:2], "big")) == (CLOSE, 1012)
    assert time.monotonic() - began < 15
    for sse in events:
        assert list(sse.blocks()) == []
    for stream in streams[:50]:
        stream.send(CLOSE, (1012).to_bytes(2, "big"))  # the others do not answer
    web.wait(30)
    assert time.monotonic() - began < 25  # hosts kill a process after 30 s


def test_ended_tokens_close_their_streams_with_4401_within_ten_seconds(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    good = trader.token
    revoked_id, revoked = tokens.create_token(["read"], account_id=trader.id)
    expiring_id, expiring = tokens.create_token(["read"], account_id=trader.id)
    with Stream(web.port, good) as staying, ServerSentEvents(web.port, good) as staying_events:
        staying.ready()
        staying_events.take(1)
        streams, event_streams = [], []
        for token in (revoked, expiring):
            streams += [Stream(web.port, token), Stream(web.port)]
            streams[-1].authenticate(token)
            event_streams.append(ServerSentEvents(web.port, token))
        for stream in streams:
            stream.ready()
        for sse in event_streams:
            sse.take(1)
        tokens.revoke_token(revoked_id)
        plain_sql.run("UPDATE api_token SET expires_at = now() WHERE id = %s", expiring_id)
        began = time.monotonic()
        assert [stream.close_code() for stream in streams] == [4401] * 4
        for sse in event_streams:
            assert list(sse.blocks()) == []
        # The hub checks tokens every TOKEN_CHECK_S; the rest is for a slow machine.
        assert TOKEN_CHECK_S < 10
        assert time.monotonic() - began < 20
        place(web, trader)
        assert staying.next()["id"] == 3
        assert staying_events.take(1)[0]["id"] == "3"


def pool_state(web: Running, state: str) -> float:
    headers = {"Authorization": f"Bearer {METRICS_TOKEN}"}
    metrics = Metrics(requests.get(f"{web.base_url}/metrics", headers=headers, timeout=10).text)
    return metrics("tradepost_database_pool", state=state)


def test_listeners_that_wait_hold_no_database_connection(start: ProcessStarter, account: MakeAccount) -> None:
    # With one connection per listener none would be left for placements.
    trader, web = account(), start.web(DATABASE_POOL_SIZE="16")
    streams = [RawStream(web.port, trader.token) for _ in range(50)]
    for stream in streams:
        assert stream.next()["type"] == "ready"
    for _ in range(20):
        place(web, trader)
    for stream in streams:
        assert [stream.next()["id"] for _ in range(40)] == list(range(3, 43))
    wait_until(lambda: pool_state(web, "in_use") == 0)
    for stream in streams:
        stream.socket.close()


def test_placements_stay_fast_while_five_hundred_listeners_reconnect(
    web: Running, account: MakeAccount, bystander: list[float]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    traders = [account() for _ in range(20)]
    failures: list[str] = []

    def come_back(trader: TestAccount) -> None:
        try:
            streams = [RawStream(web.port, trader.token, query="?since=0") for _ in range(25)]
            for stream in streams:
                assert stream.next(20)["type"] == "ready"
                assert [stream.next(20)["id"] for _ in range(2)] == [1, 2]
                stream.socket.close()
        except Exception as error:  # noqa: BLE001
            failures.append(repr(error))

    wait_until(lambda: len(bystander) > 5)
    threads = [threading.Thread(target=come_back, args=(trader,)) for trader in traders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    placed = len(bystander)
    wait_until(lambda: len(bystander) > placed + 5)
    assert statistics.median(bystander) < 1


@pytest.fixture
def listener(process_environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Return a function that starts the command `stream`."""
    started: list[Running] = []

    def begin(port: int, token: str, *arguments: str) -> Running:
        environment = process_environment | {"PORT": str(port)}
        command = " ".join(["flask --app api stream --token", token, *arguments])
        started.append(Running(command, environment, tmp_path / f"stream-{len(started)}.log"))
        return started[-1]

    yield begin
    for running in started:
        running.kill()


def printed(listener: Running) -> list[dict[str, Any]]:
    return [json.loads(line) for line in listener.log.splitlines() if line.startswith("{")]


def wait_for_events(listener: Running, last: int) -> list[int]:
    def has_come() -> bool:
        events = printed(listener)
        return bool(events) and events[-1].get("id") == last

    wait_until(has_come, timeout_s=40, what=f"event {last}\n{listener.log[-2000:]}")
    return ids(printed(listener))


def test_the_stream_command_survives_a_killed_web_process_and_misses_nothing(
    start_on_port: Callable[..., Running],
    listener: Callable[..., Running],
    web: Running,
    account: MakeAccount,
    plain_sql: Database,
) -> None:
    trader, port = account(), free_port()
    from_the_start = listener(port, trader.token, "--since", "0").wait_for_log("reconnecting")  # no server yet
    first = start_on_port(port)
    from_now_on, refused = listener(port, trader.token), listener(port, "wrong")
    assert refused.wait(40) == 1
    wait_for_events(from_the_start, 2)

    def is_heard() -> bool:
        plain_sql.change(trader.id, text=f"Changed at {time.monotonic()} ")  # an unchanged name would be no event
        return bool(printed(from_now_on))

    wait_until(is_heard, timeout_s=40)
    begin = ids(printed(from_now_on))[0]
    first.kill()
    for _ in range(5):
        place(web, trader)
    start_on_port(port)
    plain_sql.change(trader.id, 3)
    last = plain_sql.last_event_id(trader.id)
    assert wait_for_events(from_the_start, last) == list(range(1, last + 1))
    assert wait_for_events(from_now_on, last) == list(range(begin, last + 1))
    assert begin > 2
    assert "Traceback" not in from_the_start.log + from_now_on.log + refused.log


def test_ctrl_c_ends_the_stream_command_at_once(
    listener: Callable[..., Running], web: Running, account: MakeAccount
) -> None:
    running = listener(web.port, account().token, "--since", "0")
    wait_for_events(running, 2)
    running.signal(signal.SIGINT)
    running.wait(15)
    assert "Traceback" not in running.log
