"""A stream of either client resumes without a gap, tells of a reset, and ends when a new connection is of no use."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

import pytest

from tests.conftest import TestAccount
from tests.faults.proxy import Proxy
from tests.support.processes import Running, free_port
from tradepost_client import (
    AccountEvent,
    AsyncClient,
    Client,
    Event,
    LiveQuote,
    Message,
    NoAnswer,
    Reset,
    StreamClosed,
    UnexpectedAnswer,
    Watching,
    problems,
)
from tradepost_client.course import Course
from trading.accounts.administration import move_funds

CUTS = 3
EVENTS_PER_CUT = 4


class Listener(Protocol):
    """Either client: it listens, and calls a function after it has connected and after each message."""

    def __call__(self, url: str, token: str, after: Callable[[list[Message]], bool], **options: Any) -> list[Message]:
        """Return the messages up to the one after which the function returns True."""


def with_threads(url: str, token: str, after: Callable[[list[Message]], bool], **options: Any) -> list[Message]:
    messages: list[Message] = []
    with Client(url, token) as client, client.stream(**options) as stream:
        while not after(messages):
            messages.append(stream.receive(20))
    return messages


def with_asyncio(url: str, token: str, after: Callable[[list[Message]], bool], **options: Any) -> list[Message]:
    messages: list[Message] = []

    async def listen() -> None:
        async with AsyncClient(url, token) as client, client.stream(**options) as stream, asyncio.timeout(20):
            while not await asyncio.to_thread(after, messages):
                messages.append(await stream.receive())

    asyncio.run(listen())
    return messages


LISTENERS = pytest.mark.parametrize("listen", [with_threads, with_asyncio])


@pytest.fixture
def trader(account: Callable[..., TestAccount]) -> TestAccount:
    return account()


def deposit(trader: TestAccount, times: int = 1) -> None:
    for _ in range(times):
        move_funds(trader.id, "DEPOSIT", Decimal("1.00"))


@LISTENERS
def test_a_listener_that_is_cut_misses_no_event_and_gets_none_twice(
    listen: Listener, broken_url: str, proxy: Proxy, trader: TestAccount, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "tradepost_client")
    cuts = iter(range(CUTS))

    def cut(messages: Sequence[Message]) -> bool:
        if len(messages) % EVENTS_PER_CUT or next(cuts, None) is None:
            return len(messages) >= CUTS * EVENTS_PER_CUT
        proxy.refuse()  # the events come while nobody listens, and the next connection fails too
        deposit(trader, EVENTS_PER_CUT)
        threading.Timer(0.2, proxy.heal).start()
        return False

    messages = listen(broken_url, trader.token, cut)
    numbers = [message.id for message in messages if isinstance(message, Event)]
    assert numbers == list(range(numbers[0], numbers[0] + CUTS * EVENTS_PER_CUT))
    assert all(isinstance(message, AccountEvent) for message in messages)
    assert messages[-1].account.balance == Decimal("1000012.00")
    assert len([record for record in caplog.records if "reconnecting" in record.message]) == CUTS


@LISTENERS
def test_a_later_run_continues_after_the_last_event(listen: Listener, web: Running, trader: TestAccount) -> None:
    deposit(trader, 3)
    messages = listen(web.base_url, trader.token, lambda messages: len(messages) == 2, since=2)
    assert [message.id for message in messages] == [3, 4]


@LISTENERS
def test_events_that_are_missing_for_good_are_a_reset(
    listen: Listener, broken_url: str, proxy: Proxy, trader: TestAccount, take_back: Callable[[UUID, int], None]
) -> None:
    deposit(trader, 2)  # after the two events of the opening

    def lose(messages: Sequence[Message]) -> bool:
        if len(messages) == 4 and not isinstance(messages[-1], Reset):
            proxy.refuse()
            take_back(trader.id, 2)
            proxy.heal()
        if messages and messages[-1] == Reset(last_event_id=2):
            proxy.cut_all()  # the next connection continues after the reset
            deposit(trader)
        return len(messages) == 6

    messages = listen(broken_url, trader.token, lose, since=0)
    numbers = [message.id if isinstance(message, Event) else message for message in messages]
    assert numbers == [1, 2, 3, 4, Reset(last_event_id=2), 3]


@LISTENERS
def test_quotes_of_watched_stocks_begin_anew_with_each_connection(
    listen: Listener, broken_url: str, proxy: Proxy, trader: TestAccount, quote: Callable[..., None]
) -> None:
    quote("RELIANCE", "2500.00")

    def cut(messages: Sequence[Message]) -> bool:
        if len(messages) == 2:
            proxy.cut_all()
            quote("RELIANCE", "2501.00")
        return len(messages) == 3

    messages = listen(broken_url, trader.token, cut, symbols=["NSE:RELIANCE", "NSE:RELAINCE"])
    assert messages[0] == Watching(symbols=("NSE:RELIANCE",), unknown=("NSE:RELAINCE",))
    prices = [message.last_price for message in messages if isinstance(message, LiveQuote)]
    assert prices in ([Decimal("2500.00"), Decimal("2501.00")], [Decimal("2500.00"), Decimal("2500.00")])


def test_stocks_are_watched_and_no_longer_watched(
    web: Running, trader: TestAccount, quote: Callable[..., None]
) -> None:
    quote("TCS", "100.00")
    with Client(web.base_url, trader.token) as client, client.stream() as stream:
        with pytest.raises(TimeoutError):
            stream.receive(0.05)
        stream.watch("NSE:TCS")
        assert stream.receive(20) == Watching(symbols=("NSE:TCS",), unknown=())
        assert stream.receive(20).key == "NSE:TCS"
        stream.unwatch("NSE:TCS")
        assert stream.receive(20) == Watching(symbols=(), unknown=())
        stream.watch("TCS")
        with pytest.raises(problems.ValidationFailed, match="such as NSE:RELIANCE"):
            stream.receive(20)
        with pytest.raises(ValueError, match="up to 200 stocks"):
            stream.watch(*(f"NSE:S{number}" for number in range(201)))


@LISTENERS
def test_a_stream_that_can_never_begin_is_refused(listen: Listener, web: Running) -> None:
    with pytest.raises(problems.Unauthenticated):
        listen(web.base_url, "tp_nobody", bool)
    with pytest.raises(problems.NotFound):
        listen(f"{web.base_url}/elsewhere", "tp_nobody", bool)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("tradepost_client.flows.FIRST_PATIENCE_S", 0.2)


@LISTENERS
@pytest.mark.usefixtures("impatient")
def test_an_address_without_a_service_is_given_up(listen: Listener) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoAnswer, match=f"^no answer from {url}: "):
        listen(url, "tp_x", bool)


@LISTENERS
def test_a_service_that_has_gone_is_given_up_if_that_is_wished(
    listen: Listener, broken_url: str, proxy: Proxy, trader: TestAccount
) -> None:
    def leave(_: Sequence[Message]) -> bool:
        proxy.refuse()
        return False

    with pytest.raises(NoAnswer):
        listen(broken_url, trader.token, leave, give_up_after_s=0.3)


def test_a_revoked_token_ends_the_stream(web: Running, trader: TestAccount, cleaner: Any) -> None:
    with Client(web.base_url, trader.token) as client, client.stream() as stream:
        with cleaner.cursor() as cursor:
            cursor.execute("UPDATE api_token SET revoked_at = now()")
        with pytest.raises(problems.Unauthenticated):
            stream.receive(20)


def test_a_message_that_is_none_of_the_service_is_said_to_be_one() -> None:
    options = Client("http://127.0.0.1", "tp_x")._session.options
    course = Course(options, since=None, symbols=(), give_up_after_s=None)
    for text in ("<html>", "[]", '{"type": "quote", "data": {}}'):
        with pytest.raises(UnexpectedAnswer, match="cannot be read"):
            course.read(text)
    assert course.read('{"type": "news"}') is None
    assert course.read('{"type": "rain.fell", "id": 7, "at": "2026-11-27T10:00:00Z", "data": {}}').id == 7


def test_another_thread_ends_the_iteration(web: Running, trader: TestAccount) -> None:
    with Client(web.base_url, trader.token) as client, client.stream() as stream:
        threading.Timer(0.1, stream.close).start()
        assert list(stream) == []
        with pytest.raises(StreamClosed):
            stream.receive(20)


def test_another_task_ends_the_iteration(web: Running, trader: TestAccount) -> None:
    async def listen() -> list[Message]:
        async with AsyncClient(web.base_url, trader.token) as client, client.stream() as stream, asyncio.timeout(20):
            asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(stream.close()))
            return [message async for message in stream]

    assert asyncio.run(listen()) == []
