"""Answers break after the commit: what is sent again is carried out once, and nothing else is sent again."""

import asyncio
import contextlib
import json
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.conftest import TestAccount
from tests.faults.proxy import Proxy
from tests.support.processes import Running, free_port
from tests.support.trading import one
from tradepost_client import AsyncClient, Client, NoAnswer, OrderTerms, UnexpectedAnswer, failures, flows, problems
from tradepost_client.calls import Answer, Call, Lost, Pause, Request, nothing
from tradepost_client.operations import orders
from trading.execution.sweeping import sweep_once

BUY: OrderTerms = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10}
LIMIT: OrderTerms = {**BUY, "order_type": "LIMIT", "price": "2400.00"}
WAYS = ("behead", "answer", "swallow")


@pytest.fixture
def trader(broken_url: str, account: Callable[..., TestAccount], connect_to: Any, quote: Any) -> Client:
    quote("RELIANCE", "2500.00")
    return connect_to(broken_url, account().token, timeout_s=0.5)


def number_of_orders() -> int:
    return int(one("SELECT count(*) FROM trading_order"))


def break_answer(proxy: Proxy, request: bytes, way: str) -> Any:
    """Let the next such request through, and break its answer."""
    if way == "behead":
        return proxy.add_rule("to_client", rb"^HTTP/1.1 20[0-9]", "behead")
    if way == "swallow":
        return proxy.add_rule("to_client", rb"^HTTP/1.1 20[0-9]", "swallow")
    return proxy.add_rule("to_server", b"^" + request, "answer")


@pytest.mark.parametrize("way", WAYS)
def test_an_order_whose_answer_is_lost_is_placed_once(way: str, trader: Client, proxy: Proxy) -> None:
    rule = break_answer(proxy, b"POST", way)
    placement = trader.place_order(**BUY)
    assert (rule.fired, number_of_orders()) == (1, 1)
    sweep_once(limit=10)
    position_id = trader.wait_until_final(placement.order_id).position_id
    rule = break_answer(proxy, b"POST", way)
    trader.close_position(position_id)
    assert (rule.fired, number_of_orders()) == (1, 2)


def test_an_order_of_the_client_for_asyncio_is_placed_once(
    broken_url: str, proxy: Proxy, account: Any, quote: Any
) -> None:
    quote("RELIANCE", "2500.00")
    rules = [proxy.add_rule("to_client", rb"^HTTP/1.1 202", way) for way in ("behead", "swallow")]

    async def place() -> None:
        async with AsyncClient(broken_url, account().token, timeout_s=0.5) as client:
            await client.place_order(**BUY)

    asyncio.run(place())
    assert ([rule.fired for rule in rules], number_of_orders()) == ([1, 1], 1)


def test_a_basket_and_funds_are_carried_out_once(
    trader: Client, proxy: Proxy, broken_url: str, headers_for: Any, connect_to: Any
) -> None:
    rule = break_answer(proxy, b"POST", "behead")
    assert [result.status for result in trader.place_basket([LIMIT, BUY])] == [202, 202]
    assert (rule.fired, number_of_orders()) == (1, 2)
    owner = connect_to(broken_url, headers_for("admin")["Authorization"].removeprefix("Bearer "))
    rule = break_answer(proxy, b"POST", "behead")
    owner.admin.add_funds(trader.account().trading_account_id, "DEPOSIT", 7)
    assert (rule.fired, one("SELECT count(*) FROM fund_transaction WHERE amount = 7")) == (1, 1)


def test_all_positions_are_closed_once_and_all_orders_cancelled(trader: Client, proxy: Proxy) -> None:
    trader.place_order(**BUY)
    sweep_once(limit=10)
    rule = break_answer(proxy, b"POST", "behead")
    assert len(trader.close_positions().placed) == 1
    assert (rule.fired, number_of_orders()) == (1, 2)
    rule = break_answer(proxy, b"DELETE", "behead")
    assert trader.cancel_orders().cancelled == ()  # the first request has cancelled it
    assert (rule.fired, list(trader.orders(status="PENDING"))) == (1, [])


@pytest.mark.parametrize("versioned", [False, True])
def test_a_cancel_whose_answer_is_lost_returns_the_cancelled_order(
    versioned: bool, trader: Client, proxy: Proxy
) -> None:
    order = trader.order(trader.place_order(**LIMIT).order_id)
    rule = break_answer(proxy, b"DELETE", "behead")
    cancelled = trader.cancel_order(order.order_id, etag=order.etag if versioned else None)
    assert (rule.fired, cancelled.status) == (1, "CANCELLED")
    with pytest.raises(problems.OrderNotOpen):  # it was cancelled before
        trader.cancel_order(order.order_id)


def test_a_change_by_version_is_not_sent_again(trader: Client, proxy: Proxy) -> None:
    order = trader.order(trader.place_order(**LIMIT).order_id)
    break_answer(proxy, b"PATCH", "behead")
    with pytest.raises(NoAnswer) as lost:
        trader.modify_order(order.order_id, quantity=5, etag=order.etag)
    assert lost.value.may_have_happened
    break_answer(proxy, b"PATCH", "behead")
    assert trader.modify_order(order.order_id, quantity=4).quantity == 4


def test_an_account_is_not_made_twice(proxy: Proxy, broken_url: str, headers_for: Any, connect_to: Any) -> None:
    owner = connect_to(broken_url, headers_for("admin")["Authorization"].removeprefix("Bearer "))
    break_answer(proxy, b"POST", "behead")
    with pytest.raises(NoAnswer) as lost:
        owner.admin.create_account("Asha", 1)
    assert lost.value.may_have_happened
    assert one("SELECT count(*) FROM account") == 1
    proxy.refuse()
    with pytest.raises(NoAnswer) as lost:
        Client(broken_url, "tp_x", patience_s=0.2).admin.create_account("Asha", 1)
    assert not lost.value.may_have_happened


def test_a_key_of_the_program_places_an_order_once_in_two_runs(trader: Client, web: Running, connect_to: Any) -> None:
    first = trader.place_order(**BUY, idempotency_key="run-1")
    again = connect_to(web.base_url, trader._session.options.token).place_order(**BUY, idempotency_key="run-1")
    assert (again.order_id, number_of_orders()) == (first.order_id, 1)


def test_an_address_without_a_service_is_given_up_and_named() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NoAnswer, match=f"^no answer from {url}: ") as lost:
        Client(url, "tp_x", patience_s=0.3).account()
    assert not lost.value.may_have_happened


def test_another_service_is_not_taken_for_this_one(web: Running) -> None:
    with pytest.raises(UnexpectedAnswer, match="cannot be read"):
        Client(web.base_url, "tp_x").call(Call("GET", "/", lambda answer: json.loads(answer.content)))


# From here on there is no service: the flow of a call is told what happened, and says what to do next.


class Play:
    """A flow that is played step by step at a time of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: Call[Any], *, has_answered: bool = True) -> None:
        self.now, self.requests = 0.0, 0
        self.pauses: list[float] = []
        monkeypatch.setattr(flows.time, "monotonic", lambda: self.now)
        contact = flows.Contact("http://service", 30.0, has_answered)
        self.flow: Generator[Any, Any, Any] = flows.carried_out(call, contact)

    def until_the_end(self, outcome: Answer | Lost) -> None:
        """Let every attempt end like this until the flow raises."""
        step = next(self.flow)
        while True:
            if isinstance(step, Request):
                self.requests += 1
                step = self.flow.send(outcome)
            else:
                assert isinstance(step, Pause)
                self.pauses.append(step.seconds)
                self.now += step.seconds
                step = self.flow.send(None)


READ = Call("GET", "/x", nothing)
UNAVAILABLE = Answer(503, {}, b'{"code": "service_unavailable", "detail": "later"}')


def test_retries_pause_longer_and_longer_until_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.random, "uniform", lambda _, highest: highest)
    play = Play(monkeypatch, READ)
    with pytest.raises(problems.ServiceUnavailable):
        play.until_the_end(UNAVAILABLE)
    assert play.pauses[:6] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0]
    assert max(play.pauses) == 2.0
    assert 28 < play.now <= 30
    assert play.requests == len(play.pauses) + 1


@pytest.mark.parametrize(
    ("has_answered", "was_sent", "end_s"), [(False, False, 5), (False, True, 30), (True, False, 30)]
)
def test_an_address_that_never_answered_is_given_up_early(
    has_answered: bool, was_sent: bool, end_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    play = Play(monkeypatch, READ, has_answered=has_answered)
    with pytest.raises(NoAnswer):
        play.until_the_end(Lost(OSError("refused"), was_sent))
    assert end_s - 2 < play.now <= end_s


@pytest.mark.parametrize("call", [READ, orders.place_order(**BUY), Call("POST", "/x", nothing, is_repeatable=False)])
def test_a_limited_call_waits_as_long_as_it_is_asked(call: Call[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    limited = Answer(429, {"retry-after": "7"}, b'{"code": "rate_limited", "detail": "later"}')
    play = Play(monkeypatch, call)
    request = next(play.flow)
    assert play.flow.send(limited) == Pause(7.0)
    assert next(play.flow) == request  # with its key, if it has one
    with pytest.raises(problems.RateLimited):  # it would have to wait for too long
        play.flow.send(Answer(429, {"retry-after": "31"}, limited.content))


def test_a_call_that_may_not_be_repeated_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for outcome, expected in ((UNAVAILABLE, problems.ServiceUnavailable), (Lost(OSError(), was_sent=True), NoAnswer)):
        play = Play(monkeypatch, Call("POST", "/x", nothing, is_repeatable=False))
        with pytest.raises(expected):
            play.until_the_end(outcome)
        assert (play.requests, play.now) == (1, 0)


def test_a_cancel_by_version_that_was_not_carried_out_is_refused(
    trader: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = trader.order(trader.place_order(**LIMIT).order_id)
    play = Play(monkeypatch, orders.cancel_order(order.order_id, etag='"0"'))
    next(play.flow)
    play.flow.send(Lost(OSError("cut"), was_sent=True))
    play.flow.send(None)
    request = play.flow.send(Answer(412, {}, b'{"code":"precondition_failed","detail":""}'))
    assert request.method == "GET"
    whole = trader._session.http.get(request.path)
    with pytest.raises(problems.PreconditionFailed):
        play.flow.send(Answer(200, {}, whole.content))


def test_a_key_in_progress_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, orders.place_order(**BUY))
    request = next(play.flow)
    assert isinstance(play.flow.send(Answer(409, {}, b'{"code":"idempotency_in_progress","detail":""}')), Pause)
    assert play.flow.send(None) == request
    with pytest.raises(problems.DuplicateClientOrderId) as refusal, contextlib.suppress(StopIteration):
        play.flow.send(Answer(409, {}, b'{"code":"duplicate_client_order_id","detail":"","orderId":"o"}'))
    assert refusal.value.order_id == "o"


def test_a_proxy_that_describes_no_problem_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play(monkeypatch, READ)
    with pytest.raises(UnexpectedAnswer, match="GET http://service/x: 404 <h1>Not here</h1>"):
        play.until_the_end(Answer(404, {}, b"<h1>Not here</h1>"))
    assert failures.problem_of(b'{"code": "new_one", "detail": "d"}').code == "new_one"
