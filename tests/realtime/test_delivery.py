"""Each event arrives once and in order at its own account, across processes, reconnects and replays."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.conftest import TestAccount
from tests.realtime.clients import RawStream, Stream, ids
from tests.realtime.conftest import Database
from tests.support.processes import ProcessStarter, Running, wait_until

MakeAccount = Callable[..., TestAccount]
ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "100.00"}


def place(web: Running, account: TestAccount, session: Any = requests, **changes: Any) -> Any:
    url = f"{web.base_url}/api/trading/orders"
    answer = session.post(url, json=ORDER | changes, headers=account.headers, timeout=15)
    assert answer.status_code == 202, answer.text
    return answer.json()


@pytest.mark.parametrize("since", [11, 1_000_000, 4, 0])
def test_since_outside_of_the_kept_events_is_a_reset_and_then_live(
    web: Running, account: MakeAccount, plain_sql: Database, since: int
) -> None:
    trader = account()
    plain_sql.change(trader.id, 8)
    plain_sql.forget_events(trader.id, 5)
    with Stream(web.port, trader.token, query=f"?since={since}") as header, Stream(web.port) as message:
        message.authenticate(trader.token, since=since)
        for stream in (header, message):
            assert stream.ready() == 10
            assert stream.next() == {"type": "reset", "lastEventId": 10}
        plain_sql.change(trader.id, 2)
        for stream in (header, message):
            assert ids(stream.events(2)) == [11, 12]


def test_since_the_last_deleted_event_is_no_reset_and_misses_nothing(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    plain_sql.change(trader.id, 8)
    plain_sql.forget_events(trader.id, 5)
    with Stream(web.port, trader.token, query="?since=5") as stream:
        assert stream.ready() == 10
        assert ids(stream.events(5)) == [6, 7, 8, 9, 10]
    plain_sql.forget_events(trader.id, 10)  # none is kept
    with Stream(web.port, trader.token, query="?since=10") as stream:
        assert stream.ready() == 10
        plain_sql.change(trader.id)
        assert stream.next()["id"] == 11


def test_an_order_is_seen_from_acceptance_to_execution(
    web: Running, start: ProcessStarter, account: MakeAccount
) -> None:
    start.worker()
    trader = account()
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        order = place(web, trader)["order"]
        seen: list[dict[str, Any]] = []
        while not seen or seen[-1]["type"] != "order.executed":
            seen.append(stream.next())
    pending = next(event for event in seen if event["type"] == "order.pending")
    assert pending["data"] == {key: value for key, value in order.items() if key != "transactions"} | {
        key: pending["data"][key] for key in pending["data"].keys() - order.keys()
    }
    answer = requests.get(f"{web.base_url}/api/trading/orders/{order['orderId']}", headers=trader.headers, timeout=10)
    detail = answer.json()
    detail.pop("transactions")
    assert seen[-1]["data"] == detail
    positions = requests.get(f"{web.base_url}/api/trading/positions", headers=trader.headers, timeout=10).json()["data"]
    moves = {"lastPrice", "unrealizedPnl", "dayPnl"}
    updated = [event["data"] for event in seen if event["type"] == "position.updated"]
    assert updated[-1] == {key: value for key, value in positions[0].items() if key not in moves}
    assert all(event["data"]["tradingAccountId"] == str(trader.id) for event in seen)


def test_orders_placed_in_one_process_reach_listeners_of_every_other(
    start: ProcessStarter, account: MakeAccount, plain_sql: Database
) -> None:
    first, second = start.web(), start.web(WEB_CONCURRENCY="2")
    start.worker()
    traders = [account(), account()]
    streams = [
        (trader, Stream(web.port, trader.token, query="?since=0"))
        for web in (first, second, second, second)
        for trader in traders
    ]
    received: list[list[dict[str, Any]]] = [[] for _ in streams]

    def trade(trader: TestAccount) -> None:
        session = requests.Session()
        for number in range(30):
            place(first if number % 3 else second, trader, session)

    threads = [threading.Thread(target=trade, args=(trader,)) for trader in traders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = "SELECT count(*) FROM trading_order WHERE status <> 'EXECUTED'"
    wait_until(lambda: plain_sql.run(done) == [(0,)], timeout_s=40)
    for (trader, stream), events in zip(streams, received, strict=True):
        stream.ready()
        expected = plain_sql.events(trader.id)
        events += stream.events(len(expected))
        assert [(event["id"], event["type"]) for event in events] == expected
        assert [event["id"] for event in events] == list(range(1, len(expected) + 1))
        assert {event["data"]["tradingAccountId"] for event in events} == {str(trader.id)}
    for trader in traders:
        plain_sql.change(trader.id)
    for (_, stream), events in zip(streams, received, strict=True):
        assert stream.next()["id"] == len(events) + 1  # no event has come twice: the next one is the new one
        stream.socket.close()


def test_changes_by_plain_sql_are_events_too(web: Running, account: MakeAccount, plain_sql: Database) -> None:
    trader = account()
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        plain_sql.change(trader.id, 3)
        assert ids(stream.events(3)) == [3, 4, 5]


def test_a_transaction_that_is_rolled_back_announces_nothing(
    web: Running, account: MakeAccount, plain_sql: Database, deposit: Callable[..., None]
) -> None:
    trader = account()
    with Stream(web.port, trader.token) as stream:
        stream.ready()
        plain_sql.run("BEGIN; UPDATE account SET name = 'x' WHERE id = %s; ROLLBACK", trader.id)
        deposit(trader)
        event = stream.next()
        assert (event["id"], event["data"]["name"]) == (3, "Test")


CLIENTS = 8


class Reconnecting(threading.Thread):
    """A client that connects, reads a little, breaks off, and resumes."""

    def __init__(self, webs: list[Running], trader: TestAccount, seed: int, times: int) -> None:
        super().__init__(daemon=True)
        self.times = times
        self.webs = webs
        self.trader = trader
        self.chance = random.Random(seed)
        self.received: list[int] = []
        self.failure = ""
        self.reconnects = 0

    def run(self) -> None:
        try:
            for number in range(self.times):
                with self.connect(self.webs[number % len(self.webs)]) as stream:
                    self.read(stream, self.chance.choice([0, 0, 1, 2, 5, 20]))
                    if self.chance.random() < 0.5:
                        stream.reset()
                self.reconnects += 1
        except Exception as error:  # noqa: BLE001
            self.failure = repr(error)

    def connect(self, web: Running) -> RawStream:
        last = self.received[-1] if self.received else 0
        if self.chance.random() < 0.5:
            stream = RawStream(web.port, self.trader.token, query=f"?since={last}")
        else:
            stream = RawStream(web.port)
            stream.authenticate(self.trader.token, since=last)
        ready = stream.next()
        assert ready["type"] == "ready"
        assert ready["lastEventId"] >= last
        return stream

    def read(self, stream: RawStream, count: int) -> None:
        try:
            for _ in range(count):
                event = stream.next(0.1)
                assert event["data"]["tradingAccountId"] == str(self.trader.id)
                self.received.append(event["id"])
        except TimeoutError:
            pass

    def catch_up(self, web: Running, last: int) -> None:
        with self.connect(web) as stream:
            while self.received[-1] < last:
                self.received.append(stream.next()["id"])


@pytest.mark.parametrize("reconnects", [320, pytest.param(1_000, marks=pytest.mark.long)])
def test_hundreds_of_reconnects_miss_and_repeat_no_event(
    web: Running, start: ProcessStarter, account: MakeAccount, plain_sql: Database, reconnects: int
) -> None:
    webs = [web, start.web()]
    traders = [account(), account()]
    clients = [Reconnecting(webs, traders[seed % 2], seed, reconnects // CLIENTS) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    session, placed = requests.Session(), 0
    while any(client.is_alive() for client in clients):
        place(webs[placed % 2], traders[placed // 2 % 2], session)
        placed += 1
    assert [client.failure for client in clients] == [""] * CLIENTS
    assert sum(client.reconnects for client in clients) == reconnects
    for client in clients:
        last = plain_sql.last_event_id(client.trader.id)
        client.catch_up(webs[0], last)
        assert client.received == list(range(1, last + 1))
    assert placed > 20


@pytest.mark.faults
def test_a_stream_of_a_killed_web_process_is_resumed_with_since(
    start: ProcessStarter,
    start_on_port: Callable[..., Running],
    port: int,
    web: Running,
    account: MakeAccount,
    plain_sql: Database,
) -> None:
    trader = account()
    killed = start_on_port(port)
    with Stream(port, trader.token, query="?since=0") as stream:
        stream.ready()
        place(killed, trader)
        before = ids(stream.events(4))
        killed.kill()
        assert stream.close_code() is None
    for _ in range(10):
        place(web, trader)
    start_on_port(port)
    with Stream(port, trader.token, query=f"?since={before[-1]}") as stream:
        stream.ready()
        last = plain_sql.last_event_id(trader.id)
        assert before + ids(stream.events(last - 4)) == list(range(1, last + 1))
