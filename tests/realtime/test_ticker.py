"""Kite's ticker: subscriptions, modes, limits and heartbeats, on gunicorn and on plain threads."""

import dataclasses
import itertools
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from api.kite.envelope import BAD_TOKEN, NOT_PERMITTED, TOO_MANY
from api.kite.ticker import MAX_MESSAGE_BYTES
from tests.conftest import TestAccount
from tests.realtime.clients import BINARY, PING, PONG, TEXT, RawStream
from tests.realtime.conftest import Database, Served
from tests.realtime.test_live_quotes import FULL, Market
from tests.realtime.tickers import Ticker, packets, refused_ticker
from tests.support.processes import Running, wait_until
from tests.support.servers import path_to
from trading.accounts import tokens

MakeAccount = Callable[..., TestAccount]
MANY = 3_000
# Numbered stocks of NSE with a last price; their exchange tokens begin with 4,001.
MAKE_STOCKS = """
INSERT INTO stock (id, exchange, symbol, is_active, quote_number, last_price, last_price_at, quoted_at,
                   instrument_token)
SELECT gen_random_uuid(), 'NSE', 'MANY' || number, true, 1, 100 + number, now(), now(), (4000 + number) * 256 + 1
FROM generate_series(1, %s) AS number
"""


@pytest.fixture
def market(served: Served, headers_for: Any) -> Market:
    return Market(served.base_url, headers_for("feed"))


@pytest.fixture
def token_of(plain_sql: Database) -> Callable[[str], int]:
    """Return a function that finds the instrument token of a symbol."""

    def find(symbol: str) -> int:
        return int(plain_sql.run("SELECT instrument_token FROM stock WHERE symbol = %s", symbol)[0][0])

    return find


def test_a_subscription_sends_the_last_quote_at_once_and_then_each_change(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE", **FULL)
    market.put("1500.00", "INFY")
    reliance, infy = token_of("RELIANCE"), token_of("INFY")
    with Ticker(served.port, account().token) as ticker:
        ticker.send("subscribe", [reliance, infy])
        first = {tick["token"]: tick for tick in ticker.ticks()}
        assert {token: (tick["price"], tick["mode"]) for token, tick in first.items()} == {
            reliance: (100.0, "quote"),
            infy: (1500.0, "quote"),
        }
        assert int.from_bytes(first[reliance]["packet"][16:20], "big") == FULL["volume"]
        market.put("101.00", "RELIANCE", **FULL)
        assert ticker.tick(reliance, price=101.0)["mode"] == "quote"


def test_the_first_packet_has_the_mode_that_follows_its_subscription(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE")
    reliance = token_of("RELIANCE")
    with Ticker(served.port, account().token) as ticker:
        ticker.send("subscribe", [reliance])
        ticker.send("mode", ["full", [reliance]])
        assert [tick["mode"] for tick in ticker.ticks()] == ["full"]


def test_a_mode_subscribes_and_a_second_subscription_keeps_it(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE", "INFY")
    reliance, infy = token_of("RELIANCE"), token_of("INFY")
    with Ticker(served.port, account().token) as ticker:
        ticker.send("mode", ["full", [reliance]])
        assert [(tick["token"], tick["mode"]) for tick in ticker.ticks()] == [(reliance, "full")]
        ticker.send("subscribe", [infy, reliance])
        assert {tick["token"]: tick["mode"] for tick in ticker.ticks()} == {reliance: "full", infy: "quote"}
        ticker.send("mode", ["ltp", [infy, reliance]])
        assert {tick["token"]: tick["mode"] for tick in ticker.ticks()} == {reliance: "ltp", infy: "ltp"}


def test_a_stock_without_a_price_is_silent_until_its_first(
    web: Running, account: MakeAccount, headers_for: Any, token_of: Callable[[str], int], plain_sql: Database
) -> None:
    market = Market(web.base_url, headers_for("feed"))
    market.put("100.00", "RELIANCE")
    plain_sql.run(
        "INSERT INTO stock (id, exchange, symbol, instrument_token)"
        " VALUES (gen_random_uuid(), 'NSE', 'NEW', synthetic_token('NSE'))"
    )
    new, reliance = token_of("NEW"), token_of("RELIANCE")
    with Ticker(web.port, account().token) as ticker:
        ticker.send("mode", ["full", [new, reliance]])
        assert [tick["token"] for tick in ticker.ticks()] == [reliance]
        market.put("7.50", "NEW")
        assert [(tick["token"], tick["price"]) for tick in ticker.ticks()] == [(new, 7.5)]


def test_tokens_may_be_texts_and_those_of_no_stock_send_nothing(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE", "INFY")
    reliance, infy = token_of("RELIANCE"), token_of("INFY")
    nothing = [1, 0, -7, 2**31, 2**80, 1.5, "", "x", "١", "9" * 5000, None, True, [], {}]
    with Ticker(served.port, account().token) as ticker:
        ticker.send("subscribe", nothing)
        ticker.send("mode", ["full", [*nothing, str(reliance), float(infy)]])
        assert {tick["token"] for tick in ticker.ticks()} == {reliance, infy}


def test_an_unsubscribed_stock_sends_nothing_more(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE", "INFY")
    reliance, infy = token_of("RELIANCE"), token_of("INFY")
    with Ticker(served.port, account().token) as ticker:
        ticker.send("subscribe", [reliance, infy])
        assert len(ticker.ticks()) == 2
        ticker.send("unsubscribe", [infy, 1, infy])
        ticker.send("hello", [])  # its answer shows that the message before it was read
        ticker.text("error")
        market.put("101.00", "INFY")
        market.put("101.00", "RELIANCE")
        while (found := ticker.ticks())[0]["price"] != 101.0:
            assert {tick["token"] for tick in found} == {reliance}
        assert {tick["token"] for tick in found} == {reliance}


BAD_MESSAGES = (
    "hello",
    "",
    "null",
    "[1]",
    "7",
    '"subscribe"',
    "{}",
    '{"a": "subscribe"}',
    '{"a": "subscribe", "v": 7}',
    '{"a": "subscribe", "v": {"token": 7}}',
    '{"a": "sell", "v": [7]}',
    '{"a": ["subscribe"], "v": [7]}',
    '{"a": {}, "v": [7]}',
    '{"a": "mode", "v": ["full"]}',
    '{"a": "mode", "v": ["loud", [7]]}',
    '{"a": "mode", "v": [["full"], [7]]}',
    '{"a": "mode", "v": [{}, [7]]}',
    '{"a": "mode", "v": ["full", 7]}',
    '{"a": "mode", "v": [7, 7]}',
    json.dumps({"a": "subscribe", "v": list(range(1, 3_002))}),
    "[" * 60_000,
    b"\xff\x00",
)


def test_a_message_that_is_not_understood_is_answered_and_changes_nothing(
    served: Served, account: MakeAccount, market: Market, token_of: Callable[[str], int]
) -> None:
    market.put("100.00", "RELIANCE")
    reliance = token_of("RELIANCE")
    with Ticker(served.port, account().token) as ticker:
        ticker.send("subscribe", [reliance])
        ticker.tick(reliance)
        for message in BAD_MESSAGES:
            ticker.socket.send(message)
            assert isinstance(ticker.text("error"), str), message
        market.put("101.00", "RELIANCE")
        assert ticker.tick(reliance, price=101.0)["mode"] == "quote"


def test_three_thousand_stocks_come_within_a_second_or_so_and_no_more_are_taken(
    usual_web: Running, account: MakeAccount, plain_sql: Database
) -> None:
    plain_sql.run(MAKE_STOCKS, MANY + 1)
    wanted = [(4000 + number) * 256 + 1 for number in range(1, MANY + 2)]
    with Ticker(usual_web.port, account().token) as ticker:
        began = time.monotonic()
        ticker.send("mode", ["full", wanted[:MANY]])
        found: dict[int, str] = {}
        while len(found) < MANY:
            found |= {tick["token"]: tick["mode"] for tick in ticker.ticks()}
        took_s = time.monotonic() - began
        assert set(found) == set(wanted[:MANY])
        assert set(found.values()) == {"full"}
        assert took_s < 5.0  # 0.3 s on a quiet machine
        ticker.send("subscribe", wanted[MANY:])
        assert "3,000" in ticker.text("error")
        ticker.send("unsubscribe", wanted[:1])
        ticker.send("subscribe", wanted[MANY:])
        assert [tick["token"] for tick in ticker.ticks()] == wanted[MANY:]


def test_a_ticker_that_does_not_read_slows_no_other_and_gets_the_newest_quotes_when_it_reads(
    web: Running, account: MakeAccount, plain_sql: Database, headers_for: Any
) -> None:
    plain_sql.run(MAKE_STOCKS, MANY)
    market = Market(web.base_url, headers_for("feed"))
    wanted, changing = [(4000 + number) * 256 + 1 for number in range(1, MANY + 1)], (4000 + 7) * 256 + 1
    query = f"?api_key=any&access_token={account().token}"
    with (
        # With less than the largest segment of this machine's own network the kernel may be silent for a minute.
        RawStream(web.port, path="/kite/ticker", query=query, receive_buffer=65_536) as slow,
        Ticker(web.port, account().token) as quick,
    ):
        slow.send(TEXT, json.dumps({"a": "mode", "v": ["full", wanted]}).encode())
        quick.send("mode", ["ltp", [changing]])
        quick.tick(changing)
        for number in range(1, 6):
            put = time.monotonic()
            market.put(f"{number}.50", "MANY7")
            quick.tick(changing, price=number + 0.5)
            assert time.monotonic() - put < 2.0
        prices: dict[int, list[float]] = {}
        while len(prices) < MANY or prices[changing][-1] != 5.5:
            found = slow.next_frame()
            assert found is not None, "the connection has ended"
            for tick in packets(found[1]) if found[0] == BINARY and len(found[1]) > 1 else ():
                prices.setdefault(tick["token"], []).append(tick["price"])
        assert len(prices[changing]) < 5  # it missed some


def test_a_silent_connection_gets_heartbeats_while_the_database_does_not_answer_and_no_pong_unasked(
    served: Served, account: MakeAccount, connect: Callable[[], Any]
) -> None:
    trader = account()
    query = f"?api_key=any&access_token={trader.token}"
    with RawStream(served.port, path="/kite/ticker", query=query) as stream:
        assert stream.status == 101
        assert stream.next()["type"] == "app_code"
        with connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"{path_to(trader.id)} LOCK TABLE account, event, api_token IN ACCESS EXCLUSIVE MODE")
            times = []
            for _ in range(5):
                assert stream.next_frame() == (BINARY, b"\0")
                times.append(time.monotonic())
            connection.rollback()
        assert max(later - before for before, later in itertools.pairwise(times)) < 2.0
        stream.send(PING, b"now")
        while (found := stream.next_frame()) == (BINARY, b"\0"):
            pass
        assert found == (PONG, b"now")


def test_the_token_is_judged_before_the_upgrade(
    served: Served, account: MakeAccount, headers_for: Callable[..., dict[str, str]]
) -> None:
    trader = account()
    admin = headers_for("admin")["Authorization"].removeprefix("Bearer ")
    blind = tokens.create_token(["trade"], account_id=trader.id)[1]
    refusals = {"": BAD_TOKEN, "tp_wrong": BAD_TOKEN, trader.token + "x": BAD_TOKEN, admin: BAD_TOKEN}
    for token, message in (refusals | {blind: NOT_PERMITTED}).items():
        status, body = refused_ticker(served.port, token)
        assert (status, body["status"], body["message"]) == (403, "error", message)
        assert body["error_type"] == ("TokenException" if message == BAD_TOKEN else "PermissionException")
    assert refused_ticker(served.port, trader.token, origin="https://elsewhere.example")[0] == 403
    for path in ("/kite/ticker", "/kite", "/"):
        with Ticker(served.port, trader.token, path=path, query="&uid=1&user_id=AB1234"):
            pass


def test_a_request_that_is_no_handshake_is_answered_in_kites_envelope(served: Served, account: MakeAccount) -> None:
    query = f"?api_key=any&access_token={account().token}"
    for headers in ({"Sec-WebSocket-Version": "8"}, {"Sec-WebSocket-Key": None}, {"Upgrade": None}):
        with RawStream(served.port, path="/kite/ticker", query=query, headers=headers) as stream:
            assert stream.status == 400
            assert b"application/json\r\n" in stream.head + b"\r\n"
            while b"}" not in stream.buffer:
                stream.buffer += stream.socket.recv(4096)
            assert json.loads(stream.buffer)["error_type"] == "InputException"


def test_a_revoked_token_ends_the_ticker(served: Served, account: MakeAccount) -> None:
    trader = account()
    with Ticker(served.port, trader.token) as ticker:
        assert ticker.next()["type"] == "app_code"
        for row in tokens.tokens_of(trader.id):
            tokens.revoke_token(row["id"])
        assert ticker.close_code() == 4401


def test_only_a_message_above_64_kib_ends_a_connection(web: Running, account: MakeAccount) -> None:
    with Ticker(web.port, account().token) as ticker:
        ticker.socket.send("x" * MAX_MESSAGE_BYTES)
        ticker.text("error")
        # In two fragments, and one byte too many: what a server has not read resets the connection when it closes it.
        ticker.socket.send(["x" * 40_000, "x" * (MAX_MESSAGE_BYTES - 40_000 + 1)])
        assert ticker.close_code() == 1009


def test_a_fourth_ticker_is_refused_if_the_settings_ask_for_kites_limits(
    server_here: Any, shared_app: Any, account: MakeAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader, other = account(), account()
    port = server_here.server_port
    open_tickers = [Ticker(port, trader.token) for _ in range(4)]
    strict = dataclasses.replace(shared_app.config["SETTINGS"], kite_strict_rate_limits=True)
    monkeypatch.setitem(shared_app.config, "SETTINGS", strict)
    status, body = refused_ticker(port, trader.token)
    assert (status, body["error_type"], body["message"]) == (429, "NetworkException", TOO_MANY)
    with Ticker(port, other.token):
        pass
    for ticker in open_tickers:
        ticker.socket.close()

    def is_open() -> bool:
        try:
            Ticker(port, trader.token).socket.close()
        except Exception:  # noqa: BLE001  the server notices the closed ones a moment later
            return False
        return True

    wait_until(is_open, timeout_s=10)
