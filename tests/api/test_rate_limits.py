"""Placements are limited per token."""

import dataclasses
from typing import Any

import pytest

from actors import broker
from api import create_app
from config import RateLimit
from tests.processes import free_port

ORDER = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}


@pytest.fixture
def limited_client(settings: Any, clean: None, configured: None) -> Any:
    """Return a function that makes a client of an application with a limit."""

    def make(count: int = 3, period_seconds: int = 60, **changes: Any) -> Any:
        limited = dataclasses.replace(settings, rate_limit_orders=RateLimit(count, period_seconds), **changes)
        return create_app(limited).test_client()

    yield make
    broker.configure(settings, role="web")


def place(client: Any, account: Any) -> Any:
    return client.post("/api/trading/orders", json=ORDER, headers=account.headers)


def test_one_placement_too_many_is_refused_with_the_time_to_wait(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(), account()
    answers = [place(client, trader) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].get_json()["code"] == "rate_limited"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert answers[3].headers["RateLimit"].endswith(f";t={answers[3].headers['Retry-After']}")
    assert answers[0].headers["RateLimit-Policy"] == '"orders";q=3;w=60'


def test_what_is_left_is_told_with_the_time_after_which_it_is_restored(
    limited_client: Any, account: Any, redis_client: Any
) -> None:
    client, trader = limited_client(), account()
    place(client, trader)
    (window,) = redis_client.keys("*orders:*")
    redis_client.expire(window, 20)
    assert place(client, trader).headers["RateLimit"] in ('"orders";r=1;t=20', '"orders";r=1;t=19')


def test_each_token_has_its_own_limit(limited_client: Any, account: Any) -> None:
    client, one, other = limited_client(count=1), account(), account()
    assert [place(client, trader).status_code for trader in (one, other, one)] == [202, 202, 429]


def test_the_limit_holds_over_processes(limited_client: Any, account: Any) -> None:
    trader = account()
    statuses = [place(limited_client(count=2), trader).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]


def test_reads_are_not_limited(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(count=1), account()
    answers = [client.get("/api/trading/account", headers=trader.headers) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0].headers


def test_without_redis_the_process_counts_by_itself(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(count=2, redis_url=f"redis://127.0.0.1:{free_port()}"), account()
    assert [place(client, trader).status_code for _ in range(3)] == [202, 202, 429]


def test_without_a_limit_there_are_no_headers(client: Any, account: Any) -> None:
    assert "RateLimit" not in place(client, account()).headers
