"""Placements are limited per token."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.processes import free_port
from tests.support.trading import hold, one, rows

ORDER = {"exchange": "NSE", "symbol": "INFY", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}


def place(client: Any, account: Any, key: str | None = None, **changes: Any) -> Any:
    headers = account.headers | ({"Idempotency-Key": key} if key else {})
    return client.post("/api/trading/orders", json=ORDER | changes, headers=headers)


def test_one_placement_too_many_is_refused_with_the_time_to_wait(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(), account()
    answers = [place(client, trader) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert answers[3].get_json()["code"] == "rate_limited"
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 60
    assert [answer.headers["RateLimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
    assert answers[3].headers["RateLimit"].endswith(f";t={answers[3].headers['Retry-After']}")
    assert answers[0].headers["RateLimit-Policy"] == '"orders";q=3;w=60'


def test_the_remaining_placements_are_sent_with_the_end_of_the_window(
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


def test_the_limit_holds_across_processes(limited_client: Any, account: Any) -> None:
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


@pytest.fixture(params=["place", "close"])
def ask(request: pytest.FixtureRequest, account: Any, quote: Any) -> Callable[..., Any]:
    """Return a function that places with a key, or closes a position of its own for each key."""
    trader = account()
    if request.param == "place":
        return lambda client, key: place(client, trader, key)

    def close(client: Any, key: str) -> Any:
        quote(key, "10.00")
        position = rows("SELECT id FROM position WHERE symbol = %s", key) or [
            hold(trader.id, "BUY", 1, "10.00", symbol=key)
        ]
        path = f"/api/trading/positions/{position[0]['id']}/close"
        return client.post(path, headers=trader.headers | {"Idempotency-Key": key})

    return close


def left(answer: Any) -> str:
    """Return how much is left of a limit, as the answer says."""
    return str(answer.headers["RateLimit"].split(";")[1])


def test_a_replay_is_not_counted_and_works_beyond_the_limit(limited_client: Any, ask: Callable[..., Any]) -> None:
    client = limited_client(count=3)
    first = ask(client, "A")
    replays = [ask(client, "A") for _ in range(4)]
    assert [left(answer) for answer in (first, *replays)] == ["r=2"] * 5
    assert [ask(client, key).status_code for key in "BCD"] == [202, 202, 429]
    replays += [ask(client, "A") for _ in range(4)]
    for replay in replays:
        assert (replay.status_code, replay.headers["Idempotent-Replayed"]) == (202, "true")
        assert replay.get_json() == first.get_json()
    assert left(replays[-1]) == "r=0"
    for key in ("D", "E"):  # a key that is new is no way around the limit, however often another was replayed
        refused = ask(client, key)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "rate_limited")
    assert one("SELECT count(*) FROM idempotency_key") == 3


def test_beyond_the_limit_keys_are_still_checked(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(count=1), account()
    assert place(client, trader, "A").status_code == 202
    assert place(client, trader, "A", quantity=2).get_json()["code"] == "idempotency_conflict"
    assert place(client, trader, "A", quantity=0).get_json()["code"] == "validation_failed"
    assert place(client, trader, "x" * 256).get_json()["code"] == "validation_failed"
    assert place(client, account(), "A").status_code == 202  # another token's limit, another account's key
    assert one("SELECT count(*) FROM trading_order") == 2


def test_a_replay_without_redis_is_not_counted(limited_client: Any, account: Any) -> None:
    client, trader = limited_client(count=2, redis_url=f"redis://127.0.0.1:{free_port()}"), account()
    keys = ["A", "A", "A", "B", "C", "B"]
    assert [place(client, trader, key).status_code for key in keys] == [202, 202, 202, 202, 429, 202]


def test_every_name_in_redis_begins_with_the_namespace(limited_client: Any, account: Any, redis_client: Any) -> None:
    client = limited_client(redis_namespace="green")
    redis_client.flushdb()  # the hub of an earlier test writes too, under the namespace of its time
    place(client, account())
    assert {key.partition(b":")[0] for key in redis_client.keys("*")} == {b"green"}
    assert redis_client.keys("green:limits:*")
    assert redis_client.llen("green:orders") == 1
