"""Opening a stream: tokens, scopes, origins, limits, and the refusals."""

import dataclasses
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import requests

from api.stream import websocket
from api.stream.websocket import SERVER_OPTIONS
from tests.conftest import TestAccount
from tests.realtime.clients import CLOSE, EVENT_STREAM, PATH, PING, PONG, TEXT, RawStream, Stream, ids, refusal
from tests.realtime.conftest import Database, Served
from tests.support.processes import Running

MakeAccount = Callable[..., TestAccount]
UNKNOWN_ID = "018f0000-0000-7000-8000-000000000000"


def token_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


def test_a_stream_begins_with_ready_and_without_since_at_the_present(
    served: Served, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    with Stream(served.port, trader.token) as stream:
        last = stream.ready()
        assert last == plain_sql.last_event_id(trader.id) == 2
        plain_sql.change(trader.id)
        event = stream.next()
        assert event["id"] == 3
        assert event["type"] == "account.updated"
        assert event["at"].endswith("Z")
        assert event["data"]["tradingAccountId"] == str(trader.id)


def test_since_replays_every_later_event_and_goes_on_live(
    served: Served, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    plain_sql.change(trader.id, 449)  # more than two pages
    last = plain_sql.last_event_id(trader.id)
    with Stream(served.port, trader.token, query="?since=1") as stream:
        assert stream.ready() == last
        assert ids(stream.events(last - 1)) == list(range(2, last + 1))
        plain_sql.change(trader.id)
        assert stream.next()["id"] == last + 1


def test_since_zero_replays_all_and_since_the_last_nothing(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    with Stream(web.port, trader.token, query="?since=0") as stream:
        assert stream.ready() == 2
        assert ids(stream.events(2)) == [1, 2]
    with Stream(web.port, trader.token, query="?since=2") as stream:
        assert stream.ready() == 2
        plain_sql.change(trader.id)
        assert stream.next()["id"] == 3


@pytest.mark.parametrize("place_of_since", ["message", "query", "query, and null in the message"])
def test_the_first_message_may_bring_the_token(
    served: Served, account: MakeAccount, plain_sql: Database, place_of_since: str
) -> None:
    trader = account()
    said = {"message": {"since": 1}, "query": {}}.get(place_of_since, {"since": None})
    with Stream(served.port, query="?since=1" if "query" in place_of_since else "") as stream:
        stream.authenticate(trader.token, **said)
        assert stream.ready() == 2
        assert stream.next()["id"] == 2
        plain_sql.change(trader.id)
        assert stream.next()["id"] == 3


def test_the_first_message_without_since_starts_at_the_present(
    web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    with Stream(web.port) as stream:
        stream.authenticate(trader.token, since=None)
        assert stream.ready() == 2
        plain_sql.change(trader.id)
        assert stream.next()["id"] == 3


@pytest.mark.parametrize("token", ["wrong", "x" * 1000, "ünknown", ""])
def test_a_bad_token_in_the_first_message_closes_with_4401(served: Served, account: MakeAccount, token: str) -> None:
    with Stream(served.port) as stream:
        stream.authenticate(token)
        assert stream.close_code() == 4401
    served.wait_for_count(0)


def test_a_token_that_is_no_text_or_lacks_the_scope_closes_with_4401(
    web: Running, headers_for: Callable[..., dict[str, str]], account: MakeAccount
) -> None:
    for token in (None, 5, ["a"], {}, token_of(headers_for("feed")), account(scopes=("trade",)).token):
        with Stream(web.port) as stream:
            stream.authenticate(token)
            assert stream.close_code() == 4401


def test_a_stream_without_a_first_message_in_time_closes_with_4401(
    server_here: Any, clean: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert websocket.AUTHENTICATION_S == 5  # as the contract has it
    monkeypatch.setattr(websocket, "AUTHENTICATION_S", 0.1)
    with Stream(server_here.server_port) as stream:
        assert stream.close_code() == 4401


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "[]",
        "5",
        "null",
        "{}",
        '{"action": "subscribe"}',
        '{"action": "auth"}',
        '{"action": "auth", "token": "x", "since": "1"}',
        '{"action": "auth", "token": "x", "since": -1}',
        '{"action": "auth", "token": "x", "since": 1.5}',
        '{"action": "auth", "token": "x", "since": true}',
        '{"action": "auth", "token": "x", "since": 1e400}',
        '{"action": "auth", "token": "x", "since": 99999999999999999999}',
        "[" * 4000,
        '{"action": "auth", "token": "\\ud800", "since": ' + "9" * 3000 + "}",
    ],
)
def test_a_malformed_first_message_closes_the_stream(web: Running, message: str) -> None:
    with Stream(web.port) as stream:
        stream.socket.send(message)
        assert stream.close_code() == (1008 if "since" in message else 4401)


def test_a_lone_surrogate_as_token_is_a_bad_token(web: Running) -> None:
    with Stream(web.port) as stream:
        stream.socket.send('{"action": "auth", "token": "\\ud800"}')
        assert stream.close_code() == 4401


def test_a_second_token_is_ignored_and_bytes_are_a_problem(
    served: Served, account: MakeAccount, plain_sql: Database
) -> None:
    one, other = account(), account()
    with Stream(served.port) as stream:
        stream.authenticate(one.token)
        stream.ready()
        stream.authenticate(other.token, since=0)
        stream.socket.send(b"\x00\xff")
        assert stream.next()["code"] == "malformed_json"
        plain_sql.change(other.id)
        plain_sql.change(one.id)
        event = stream.next()
        assert (event["id"], event["data"]["tradingAccountId"]) == (3, str(one.id))


def test_a_bad_token_in_the_header_is_a_401_before_the_upgrade(served: Served, clean: None) -> None:
    status, problem = refusal(served.port, "wrong")
    assert (status, problem["code"]) == (401, "unauthenticated")
    status, problem = refusal(served.port, headers={"Authorization": "Basic eDp5"})
    assert (status, problem["code"]) == (401, "unauthenticated")


def test_a_token_without_the_scope_is_a_403_before_the_upgrade(
    served: Served, headers_for: Callable[..., dict[str, str]], account: MakeAccount
) -> None:
    for token in (token_of(headers_for("feed")), account(scopes=("trade",)).token):
        status, problem = refusal(served.port, token)
        assert (status, problem["code"]) == (403, "forbidden")


def test_an_admin_names_the_account(
    web: Running, headers_for: Callable[..., dict[str, str]], account: MakeAccount, plain_sql: Database
) -> None:
    trader, token = account(), token_of(headers_for("admin"))
    query = f"?tradingAccountId={trader.id}"
    with Stream(web.port, token, query=query) as header, Stream(web.port, query=query) as message:
        message.authenticate(token, since=0)
        assert ids([header.next() | {"id": 0}]) == [0]
        assert message.ready() == 2
        assert ids(message.events(2)) == [1, 2]
        plain_sql.change(trader.id)
        assert header.next()["data"]["tradingAccountId"] == message.next()["data"]["tradingAccountId"] == str(trader.id)


def test_an_admin_who_names_no_account_or_an_unknown_one_is_refused(
    web: Running, headers_for: Callable[..., dict[str, str]]
) -> None:
    token = token_of(headers_for("admin"))
    status, problem = refusal(web.port, token)
    assert (status, list(problem["errors"])) == (422, ["tradingAccountId"])
    assert refusal(web.port, token, query=f"?tradingAccountId={UNKNOWN_ID}")[0] == 404
    for query in ("", f"?tradingAccountId={UNKNOWN_ID}"):
        with Stream(web.port, query=query) as stream:
            stream.authenticate(token)
            assert stream.close_code() == 1008


def test_a_token_cannot_name_another_account(web: Running, account: MakeAccount) -> None:
    one, other = account(), account()
    query = f"?tradingAccountId={other.id}"
    assert refusal(web.port, one.token, query=query)[0] == 404
    with Stream(web.port, query=query) as stream:
        stream.authenticate(one.token)
        assert stream.close_code() == 1008
    with Stream(web.port, one.token, query=f"?tradingAccountId={one.id}") as stream:
        assert stream.ready() == 2


@pytest.mark.parametrize(
    "query", ["?unknown=1", "?since=x", "?since=-1", "?since=1&since=2", "?tradingAccountId=7", "?token=secret"]
)
def test_an_invalid_query_is_a_422_before_the_upgrade(served: Served, account: MakeAccount, query: str) -> None:
    status, problem = refusal(served.port, account().token, query=query)
    assert (status, problem["code"]) == (422, "validation_failed")


@pytest.mark.parametrize(
    "origin", ["https://evil.example.com", "null", "http://127.0.0.1:1", "http://[", "https://desk.example.com.evil"]
)
def test_a_page_of_another_origin_may_not_open_a_stream(served: Served, account: MakeAccount, origin: str) -> None:
    status, problem = refusal(served.port, account().token, headers={"Origin": origin})
    assert (status, problem["code"]) == (403, "forbidden")


def test_pages_of_the_own_and_of_allowed_origins_may_open_a_stream(web: Running, account: MakeAccount) -> None:
    for origin in (web.base_url, "https://desk.example.com"):
        with Stream(web.port, account().token, headers={"Origin": origin}) as stream:
            assert stream.ready() == 2


def test_a_request_without_a_handshake_is_a_problem_with_a_4xx_status(served: Served, account: MakeAccount) -> None:
    answer = requests.get(f"{served.base_url}{PATH}", headers=account().headers, timeout=10)
    assert answer.status_code == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert requests.post(f"{served.base_url}{PATH}", headers=account().headers, timeout=10).status_code in (400, 405)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-WebSocket-Key": None},
        {"Sec-WebSocket-Version": None},
        {"Sec-WebSocket-Version": "8"},
        {"Connection": "close"},
    ],
)
def test_an_incomplete_handshake_is_refused_with_a_problem(
    served: Served, account: MakeAccount, headers: dict[str, str | None]
) -> None:
    with RawStream(served.port, account().token, headers=headers) as raw:
        assert raw.status == 400
        assert b"application/problem+json" in raw.head


def test_compression_is_not_negotiated(served: Served, account: MakeAccount) -> None:
    with Stream(served.port, account().token) as stream:  # the library offers it
        assert stream.socket.response is not None
        assert "Sec-WebSocket-Extensions" not in stream.socket.response.headers
        assert stream.socket.protocol.extensions == []
        assert stream.ready() == 2


@pytest.fixture
def compressing(server_here: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the port of a server whose setting asks for compression."""
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(app.config["SETTINGS"], stream_compression=True))
    return int(server_here.server_port)


def test_compression_is_a_setting(compressing: int, account: MakeAccount, plain_sql: Database) -> None:
    trader = account()
    with Stream(compressing, trader.token, query="?since=0") as stream, Stream(compressing, trader.token) as other:
        assert [extension.name for extension in stream.socket.protocol.extensions] == ["permessage-deflate"]
        assert stream.ready() == other.ready() == 2
        stream.events(2)
        plain_sql.change(trader.id, 3, text="Changed and changed and changed ")
        assert [event["data"]["name"][-1] for event in stream.events(3)] == ["1", "2", "3"]
        assert ids(other.events(3)) == [3, 4, 5]


def test_a_compressed_frame_needs_nothing_of_the_frames_before_it(
    compressing: int, account: MakeAccount, plain_sql: Database
) -> None:
    trader, offer = account(), {"Sec-WebSocket-Extensions": "permessage-deflate"}
    with RawStream(compressing, trader.token, headers=offer) as raw:
        assert b"permessage-deflate; " in raw.head
        found = raw.next_frame()
        assert found is not None
        assert found[0] == TEXT
        text = zlib.decompressobj(wbits=-15).decompress(found[1] + b"\0\0\xff\xff")
        assert json.loads(text)["type"] == "ready"


def test_a_client_that_wants_a_smaller_window_gets_uncompressed_frames(compressing: int, account: MakeAccount) -> None:
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate; server_max_window_bits=9, x-unknown"}
    with RawStream(compressing, account().token, headers=offer) as raw:
        assert b"Extensions" not in raw.head
        assert raw.next()["type"] == "ready"


def test_a_listener_beyond_the_limit_gets_a_503(
    app: Any, client: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stream.hub.MAX_LISTENERS", 0)
    trader = account()
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "x"}
    for path, headers in ((PATH, upgrade), ("/api/trading/events", EVENT_STREAM)):
        answer = client.get(path, headers=trader.headers | headers)
        assert (answer.status_code, answer.json["code"]) == (503, "service_unavailable")
        assert answer.headers["Retry-After"] == "5"
    assert client.get("/api/trading/events", headers=trader.headers).status_code == 200


def test_listeners_up_to_the_limit_are_served_and_one_more_is_not(
    server_here: Any, app: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader, port = account(), server_here.server_port
    served = Served(port, lambda: app.extensions["hub"].count)
    served.wait_for_count(0)  # the listeners of earlier tests are gone
    monkeypatch.setattr("api.stream.hub.MAX_LISTENERS", 2)
    with Stream(port, trader.token) as first:
        with Stream(port, trader.token) as second:
            assert first.ready() == second.ready() == 2
            assert refusal(port, trader.token)[0] == 503
        served.wait_for_count(1)
        with Stream(port, trader.token) as third:
            assert third.ready() == 2


def test_a_silent_websocket_is_pinged_and_closed_once_it_does_not_answer(
    server_here: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert SERVER_OPTIONS["ping_interval"] == 25  # proxies end connections that are silent for about 55 s
    monkeypatch.setitem(SERVER_OPTIONS, "ping_interval", 2)
    with RawStream(server_here.server_port, account().token) as stream:
        assert stream.next()["type"] == "ready"
        assert stream.next_frame() == (PING, b"")
        stream.send(PONG, b"")
        assert stream.next_frame() == (PING, b"")
        found = stream.next_frame()
        assert found is not None
        assert (found[0], int.from_bytes(found[1][:2], "big")) == (CLOSE, 1008)


def test_a_message_sent_right_after_the_handshake_is_ignored(served: Served, account: MakeAccount) -> None:
    with RawStream(served.port, account().token) as stream:
        stream.send(TEXT, b'{"action": "auth"}')
        assert stream.next()["type"] == "ready"
