"""The stream as server-sent events."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from api import realtime
from tests.conftest import TestAccount
from tests.realtime.clients import EVENT_STREAM, ServerSentEvents
from tests.realtime.conftest import Database, Served
from tests.support.processes import Running, wait_until

MakeAccount = Callable[..., TestAccount]


def numbers(blocks: list[dict[str, Any]]) -> list[int]:
    return [int(block["id"]) for block in blocks]


def test_the_stream_begins_with_ready_and_continues_with_numbered_events(
    served: Served, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    with ServerSentEvents(served.port, trader.token) as stream:
        assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
        assert stream.take(1) == [{"id": "2", "event": "ready", "data": {"type": "ready", "lastEventId": 2}}]
        plain_sql.change(trader.id)
        (event,) = stream.take(1)
        assert (event["id"], event["event"]) == ("3", "account.updated")
        assert (event["data"]["id"], event["data"]["type"]) == (3, "account.updated")
        assert event["data"]["data"]["tradingAccountId"] == str(trader.id)


def test_since_replays_and_goes_on_live(served: Served, account: MakeAccount, plain_sql: Database) -> None:
    trader = account()
    plain_sql.change(trader.id, 448)
    with ServerSentEvents(served.port, trader.token, query="?since=0") as stream:
        assert numbers(stream.take(451)[1:]) == list(range(1, 451))
        plain_sql.change(trader.id)
        assert numbers(stream.take(1)) == [451]


def test_last_event_id_wins_over_since(web: Running, account: MakeAccount, plain_sql: Database) -> None:
    trader = account()
    plain_sql.change(trader.id, 8)
    with ServerSentEvents(web.port, trader.token, query="?since=1", headers={"Last-Event-ID": "7"}) as stream:
        assert numbers(stream.take(4)[1:]) == [8, 9, 10]


@pytest.mark.parametrize(
    ("query", "resumed_from", "missed"),
    [("", "2", [3, 4, 5, 6]), ("?since=1", "1", [2, 3, 4, 5, 6]), ("?since=0", "0", [1, 2, 3, 4, 5, 6])],
)
def test_a_stream_cut_before_its_first_event_is_resumed_and_misses_none(
    web: Running, account: MakeAccount, plain_sql: Database, query: str, resumed_from: str, missed: list[int]
) -> None:
    trader = account()
    with ServerSentEvents(web.port, trader.token, query=query) as stream:
        (ready,) = stream.take(1)  # the only block before the cut
    plain_sql.change(trader.id, 4)
    # An EventSource reconnects with the last id of any block, and with its address unchanged.
    headers = {"Last-Event-ID": ready["id"]} if "id" in ready else {}
    with ServerSentEvents(web.port, trader.token, query=query, headers=headers) as stream:
        again, *events = stream.take(1 + len(missed))
        assert again["data"] == {"type": "ready", "lastEventId": 6}
        assert numbers(events) == missed
    assert (ready["id"], again["id"]) == (resumed_from, resumed_from)


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "99999999999999999999"])
def test_a_last_event_id_that_is_no_number_is_a_422(web: Running, account: MakeAccount, value: str) -> None:
    headers = account().headers | EVENT_STREAM | {"Last-Event-ID": value}
    answer = requests.get(f"{web.base_url}/api/trading/events", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")


def test_since_outside_of_the_kept_events_is_a_reset_with_its_own_id(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    plain_sql.change(trader.id, 8)
    plain_sql.forget_events(trader.id, 5)
    for query in ("?since=11", "?since=4"):
        with ServerSentEvents(web.port, trader.token, query=query) as stream:
            ready, reset = stream.take(2)
            assert ready["event"] == "ready"
            assert reset == {"id": "10", "event": "reset", "data": {"type": "reset", "lastEventId": 10}}
    with ServerSentEvents(web.port, trader.token, query="?since=5") as stream:
        assert numbers(stream.take(6)[1:]) == [6, 7, 8, 9, 10]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/event-stream"])
def test_json_is_the_default(web: Running, account: MakeAccount, accept: str | None) -> None:
    headers = account().headers | {"Accept": accept}
    answer = requests.get(f"{web.base_url}/api/trading/events?since=0", headers=headers, timeout=10)  # type: ignore[arg-type]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["lastEventId"] == 2


def test_refusals_are_problems_before_the_stream(served: Served, account: MakeAccount) -> None:
    url = f"{served.base_url}/api/trading/events"
    trader = account()
    for headers, query, status in (
        ({}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        (account(scopes=("trade",)).headers, "", 403),
        (trader.headers, f"?tradingAccountId={account().id}", 404),
        (trader.headers, "?unknown=1", 422),
    ):
        answer = requests.get(url + query, headers=headers | EVENT_STREAM, timeout=10)
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_a_silent_stream_is_kept_alive_with_comments(
    server_here: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime, "KEEP_ALIVE_S", 0.1)
    with ServerSentEvents(server_here.server_port, account().token) as stream:
        blocks = stream.blocks()
        assert [next(blocks).get("comment") for _ in range(3)] == [None, "still here", "still here"]


def test_a_client_that_is_gone_is_noticed_at_the_next_comment(
    server_here: Any, app: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realtime, "KEEP_ALIVE_S", 0.1)
    for _ in range(3):
        with ServerSentEvents(server_here.server_port, account().token) as stream:
            stream.take(1)
    wait_until(lambda: app.extensions["hub"].count == 0)


def test_a_head_request_starts_no_stream(web: Running, account: MakeAccount) -> None:
    headers = account().headers | EVENT_STREAM
    answer = requests.head(f"{web.base_url}/api/trading/events", headers=headers, timeout=5)
    assert answer.status_code in (200, 405)


def test_the_stream_and_the_page_of_events_have_the_same_data(
    web: Running, account: MakeAccount, place: Callable[..., Any]
) -> None:
    trader = account()
    place(trader)
    answer = requests.get(f"{web.base_url}/api/trading/events?since=0", headers=trader.headers, timeout=10).json()
    with ServerSentEvents(web.port, trader.token, query="?since=0") as stream:
        blocks = stream.take(1 + len(answer["data"]))[1:]
    assert json.dumps([block["data"] for block in blocks]) == json.dumps(answer["data"])
