"""Redis, the database's answers and readers fail; quotes go on within two seconds, and no event waits for them."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.conftest import OwnCommands, TestAccount
from tests.realtime.clients import PING, PONG, TEXT, RawStream, Stream
from tests.realtime.conftest import Database
from tests.realtime.network import Proxy
from tests.realtime.test_live_quotes import INFY, RELIANCE, Market, next_of, tick_of, wait_until_prompt, watch
from tests.support.processes import ProcessStarter, Running, wait_until
from tests.support.servers import Servers

pytestmark = pytest.mark.faults

MakeAccount = Callable[..., TestAccount]


@pytest.fixture
def feeder(headers_for: Callable[..., dict[str, str]]) -> Callable[[Running], Market]:
    """Return a function that gives a feeder of a web process."""
    headers = headers_for("feed")
    return lambda web: Market(web.base_url, headers)


def delay_of(stream: Stream, market: Market, price: str) -> float:
    """Return the seconds from the commit of a quote to its arrival."""
    market.put(price)
    put = time.monotonic()
    tick_of(stream, price)
    return time.monotonic() - put


def test_quotes_taken_by_one_process_reach_watchers_of_every_other(
    start: ProcessStarter, account: MakeAccount, feeder: Callable[[Running], Market]
) -> None:
    first, second = start.web(), start.web(WEB_CONCURRENCY="2")
    market, trader = feeder(first), account()
    market.put("100.00", "RELIANCE", "INFY")
    streams = [Stream(web.port, trader.token, query=f"?symbols={RELIANCE}") for web in (first, second, second, second)]
    wait_until_prompt(streams[-1], market)
    for number in range(5):
        price = f"{101 + number}.50"
        market.put(price)
        put = time.monotonic()
        for stream in streams:
            tick_of(stream, price)
        assert time.monotonic() - put < 2
    for stream in streams:
        stream.socket.close()


@pytest.fixture
def own_world(own_commands: OwnCommands, tmp_path: Path) -> Iterator[Any]:
    """Return a starter on servers of this test alone, and an account and a feeder's headers there."""
    starter = ProcessStarter(own_commands.environment, tmp_path)
    created = own_commands.flask("tokens", "create", "--scopes", "feed", "--json")
    yield starter, own_commands.account, {"Authorization": f"Bearer {json.loads(created)['token']}"}
    starter.stop()


def test_valkey_stops_and_starts_and_quotes_go_on(own_world: Any, own_servers: Servers) -> None:
    starter, trader, headers = own_world
    web, other = starter.web(), starter.web()
    market = Market(other.base_url, headers)
    assert own_servers.valkey is not None
    market.put("100.00")
    with Stream(web.port, trader.token, query=f"?symbols={RELIANCE}") as stream:
        wait_until_prompt(stream, market)
        own_servers.valkey.stop()
        # A slow machine delays not all of them.
        assert min(delay_of(stream, market, f"{number}.25") for number in range(101, 105)) < 2
        own_servers.valkey.start()
        wait_until_prompt(stream, market)


def test_with_pub_sub_cut_and_the_socket_open_quotes_arrive_within_two_seconds(
    start: ProcessStarter, proxy: Proxy, account: MakeAccount, feeder: Callable[[Running], Market]
) -> None:
    web, other = start.web(REDIS_URL=proxy.url), start.web()
    market, through = feeder(other), feeder(web)
    market.put("100.00")
    with Stream(web.port, account().token, query=f"?symbols={RELIANCE}") as stream:
        wait_until_prompt(stream, through)
        proxy.swallow()
        assert min(delay_of(stream, market, f"{number}.25") for number in range(101, 105)) < 2
        begun = time.monotonic()
        through.put("105.25")  # its message is given up, and its quote comes all the same
        tick_of(stream, "105.25")
        assert time.monotonic() - begun < 4
        proxy.heal()  # the old connection stays dead: the feed has to find out by asking
        wait_until_prompt(stream, market)
    assert "quotes_wait_for_redis" in web.log


def test_other_texts_on_the_channel_are_ignored(
    web: Running, account: MakeAccount, feeder: Callable[[Running], Market], redis_client: redis.Redis
) -> None:
    market = feeder(web)
    market.put("100.00")
    with Stream(web.port, account().token, query=f"?symbols={RELIANCE}") as stream:
        wait_until_prompt(stream, market)
        odd = [
            b"\xff",
            b"[]",
            b"7",
            b'{"quotes": [[1]]}',
            json.dumps({"quotes": [["NSE", "RELIANCE", "x", *14 * [0]]]}),
        ]
        for text in odd:
            assert redis_client.publish("tradepost:quotes", text) >= 1
        wait_until_prompt(stream, market)
        assert watch(stream, RELIANCE)["symbols"] == [RELIANCE]


def test_a_quote_comes_at_most_four_times_a_second_and_the_last_one_always(
    web: Running, account: MakeAccount, feeder: Callable[[Running], Market]
) -> None:
    market = feeder(web)
    market.put("100.00")
    with Stream(web.port, account().token, query=f"?symbols={RELIANCE}") as stream:
        wait_until_prompt(stream, market)
        began = time.monotonic()
        for number in range(100):
            market.put(f"{number + 1}.75")
            time.sleep(0.01)  # a feeder's pace
        numbers = []
        while not numbers or numbers[-1]["lastPrice"] != "100.75":
            numbers.append(next_of(stream, "quote")["data"])
        took_s = time.monotonic() - began
    assert len(numbers) <= 4 * took_s + 2
    assert [one["quoteNumber"] for one in numbers] == sorted({one["quoteNumber"] for one in numbers})


def test_a_reader_that_is_slow_misses_quotes_but_no_event_and_slows_no_other(
    web: Running, account: MakeAccount, feeder: Callable[[Running], Market], plain_sql: Database
) -> None:
    market, trader = feeder(web), account()
    symbols = [f"STOCK-{number}" for number in range(200)]
    market.put("100.00", *symbols)
    market.put("100.00", "INFY")
    keys = [f"NSE:{symbol}" for symbol in symbols]
    with (
        # With less than the largest segment of this machine's own network the kernel may be silent for a minute.
        RawStream(web.port, trader.token, receive_buffer=65_536) as slow,
        Stream(web.port, trader.token, query=f"?symbols={INFY}") as quick,
    ):
        assert slow.next()["type"] == "ready"
        slow.send(TEXT, json.dumps({"action": "watch", "symbols": keys}).encode())
        wait_until_prompt(quick, Quoting(market, "INFY"))
        rounds = 20
        for number in range(rounds):  # 200 quotes each time, of which the reader could be sent 3 MB
            market.put(f"{number + 1}.50", *symbols)
            plain_sql.change(trader.id, text=f"Round {number}, ")
            time.sleep(0.1)  # a feeder's pace
            if number % 10 == 9:
                market.put(f"{number}.25", "INFY")
                put = time.monotonic()
                tick_of(quick, f"{number}.25")
                assert time.monotonic() - put < 2
        events, prices, ticks = 0, {}, 0
        while events < rounds or set(prices.values()) != {f"{rounds}.50"} or len(prices) < 200:
            found = slow.next_frame()
            assert found is not None, "the connection has ended"
            if found[0] == PING:
                slow.send(PONG, found[1])
                continue
            message = json.loads(found[1])
            events += "id" in message
            if message["type"] == "quote":
                ticks += 1
                prices[message["data"]["symbol"]] = message["data"]["lastPrice"]
        assert ticks < 200 * rounds / 2


class Quoting:
    """A feeder of one other stock, for wait_until_prompt."""

    def __init__(self, market: Market, symbol: str) -> None:
        self.market, self.symbol = market, symbol

    def put(self, price: str) -> None:
        self.market.put(price, self.symbol)


def test_a_watcher_that_breaks_off_leaves_nothing_behind(
    web: Running, account: MakeAccount, feeder: Callable[[Running], Market], redis_client: redis.Redis
) -> None:
    market = feeder(web)
    market.put("100.00")
    Stream(web.port, account().token).socket.close()
    # Since its first listener the hub of events follows its pattern; the feed's may be left from the test before.
    wait_until(lambda: redis_client.pubsub_numpat() == 1, timeout_s=30, what="only events follow Redis")
    streams = [RawStream(web.port, account().token, query=f"?symbols={RELIANCE}") for _ in range(5)]
    for stream in streams:
        while stream.next()["type"] != "quote":
            pass
    wait_until(lambda: redis_client.pubsub_numpat() == 2, what="the feed follows Redis")
    for number, stream in enumerate(streams):
        stream.reset() if number % 2 else stream.socket.close()
    # Nobody watches: the process follows the channel no longer.
    wait_until(lambda: redis_client.pubsub_numpat() == 1, timeout_s=30, what="the feed follows Redis no longer")


def test_without_any_redis_quotes_come_from_the_database(
    start: ProcessStarter, account: MakeAccount, feeder: Callable[[Running], Market]
) -> None:
    web = start.web(REDIS_URL="", ORDER_DISPATCH="inline")
    market = feeder(web)
    market.put("100.00")
    with Stream(web.port, account().token, query=f"?symbols={RELIANCE}") as stream:
        tick_of(stream, "100.00")
        assert min(delay_of(stream, market, f"{number}.25") for number in range(101, 105)) < 2
    assert "quotes_wait_for_redis" not in web.log
