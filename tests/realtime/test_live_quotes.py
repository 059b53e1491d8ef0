"""Live quotes over the websocket: a snapshot at once, then the newest quotes, on gunicorn, plain threads and Redis."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests
from wsproto.frame_protocol import FrameProtocol

from api.stream.listeners import text_frame
from tests.conftest import TestAccount
from tests.realtime.clients import Stream, refusal
from tests.realtime.conftest import Database, Served
from tests.support.processes import ProcessStarter, Running, wait_until
from trading.accounts import tokens

MakeAccount = Callable[..., TestAccount]
PROMPT_S = 0.6
RELIANCE, INFY = "NSE:RELIANCE", "NSE:INFY"
FULL = {
    "bidPrice": "99.95",
    "askPrice": "100.05",
    "bidQuantity": 120,
    "askQuantity": 75,
    "volume": 1_250_000,
    "open": "98.00",
    "high": "101.00",
    "low": "97.50",
    "previousClose": "98.20",
}


class Market:
    """A feeder that sends quotes over HTTP."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.url = f"{url}/api/market"
        self.headers = headers
        self.session = requests.Session()

    def put(self, last: str, *symbols: str, **more: Any) -> None:
        quotes = [{"exchange": "NSE", "symbol": one, "lastPrice": last, **more} for one in symbols or ("RELIANCE",)]
        answer = self.session.put(f"{self.url}/quotes", json={"quotes": quotes}, headers=self.headers, timeout=10)
        assert answer.status_code in (200, 204), answer.text

    def stock(self, symbol: str = "RELIANCE") -> dict[str, Any]:
        answer = self.session.get(f"{self.url}/stocks/NSE/{symbol}", headers=self.headers, timeout=10)
        return dict(answer.json())


@pytest.fixture
def market(served: Served, headers_for: Any) -> Market:
    return Market(served.base_url, headers_for("feed"))


@pytest.fixture
def web_market(web: Running, headers_for: Any) -> Market:
    return Market(web.base_url, headers_for("feed"))


def watch(stream: Stream, *keys: str, action: str = "watch") -> dict[str, Any]:
    """Watch stocks and return the answer; the quotes that come before it are dropped."""
    stream.socket.send(json.dumps({"action": action, "symbols": list(keys)}))
    return next_of(stream, "watching")


def next_of(stream: Stream, kind: str) -> dict[str, Any]:
    """Return the next message of a type."""
    while (message := stream.next())["type"] != kind:
        pass
    return message


def tick_of(stream: Stream, price: str) -> dict[str, Any]:
    """Return the data of the next quote with this last price."""
    while (data := next_of(stream, "quote")["data"])["lastPrice"] != price:
        pass
    return dict(data)


def test_watched_stocks_come_at_once_and_then_with_each_change(
    served: Served, account: MakeAccount, market: Market
) -> None:
    market.put("100.00", "RELIANCE", **FULL)
    market.put("1500.00", "INFY")
    with Stream(served.port, account().token, query=f"?symbols={RELIANCE},nse:infy,NSE:RELIANCE") as stream:
        stream.ready()
        assert stream.next() == {"type": "watching", "symbols": [INFY, RELIANCE], "unknown": []}
        first, second = stream.next(), stream.next()
        assert {first["data"]["symbol"], second["data"]["symbol"]} == {"RELIANCE", "INFY"}
        for message in (first, second):
            assert message.keys() == {"type", "data"}
            stock = market.stock(message["data"]["symbol"])
            assert {name: stock.get(name, value) for name, value in message["data"].items()} == message["data"]
        reliance = first if first["data"]["symbol"] == "RELIANCE" else second
        assert {name: reliance["data"][name] for name in FULL} == FULL
        market.put("101.00", "RELIANCE", **FULL | {"bidPrice": "100.00", "volume": 1_250_100})
        tick = tick_of(stream, "101.00")
        assert (tick["bidPrice"], tick["volume"]) == ("100.00", 1_250_100)
        assert tick["quoteNumber"] == reliance["data"]["quoteNumber"] + 1


def test_a_last_price_alone_changes_a_tick_as_it_changes_the_stock(
    served: Served, account: MakeAccount, market: Market
) -> None:
    market.put("100.00", "RELIANCE", **FULL)
    with Stream(served.port, account().token) as stream:
        stream.ready()
        watch(stream, RELIANCE)
        tick_of(stream, "100.00")
        wait_until_prompt(stream, market)
        market.put("103.00")
        tick = tick_of(stream, "103.00")
        stock = market.stock()
        assert {name: stock.get(name, value) for name, value in tick.items()} == tick
        assert (tick["bidPrice"], tick["high"], tick["volume"]) == (None, "101.00", 1_250_000)


def wait_until_prompt(stream: Stream, market: Market) -> None:
    """Wait until four quotes in a row arrive sooner than the comparison with the database could bring them."""
    prices = iter(range(200, 1_000_000))

    def delay() -> float:
        price = f"{next(prices)}.00"
        market.put(price)
        put = time.monotonic()
        tick_of(stream, price)
        return time.monotonic() - put

    wait_until(lambda: max(delay() for _ in range(4)) < PROMPT_S, timeout_s=60)


def test_unwatched_stocks_send_nothing_more(served: Served, account: MakeAccount, market: Market) -> None:
    market.put("100.00", "RELIANCE", "INFY")
    with Stream(served.port, account().token) as stream:
        stream.ready()
        assert watch(stream, RELIANCE, INFY)["symbols"] == [INFY, RELIANCE]
        answer = watch(stream, INFY, "NSE:NEVER", action="unwatch")
        assert answer == {"type": "watching", "symbols": [RELIANCE], "unknown": []}
        market.put("101.00", "INFY")
        market.put("101.00", "RELIANCE")
        assert tick_of(stream, "101.00")["symbol"] == "RELIANCE"
        assert watch(stream, RELIANCE, action="unwatch")["symbols"] == []
        market.put("102.00", "INFY", "RELIANCE")
        with pytest.raises(TimeoutError):
            stream.next(1.5)


def test_unknown_stocks_are_named_and_inactive_ones_are_unknown(
    served: Served, account: MakeAccount, market: Market, plain_sql: Database
) -> None:
    market.put("100.00", "RELIANCE", "GONE")
    plain_sql.run("UPDATE stock SET is_active = false WHERE symbol = 'GONE'")
    with Stream(served.port, account().token, query="?symbols=NSE:RELAINCE,NSE:RELIANCE,BSE:RELIANCE") as stream:
        stream.ready()
        answer = {"type": "watching", "symbols": [RELIANCE], "unknown": ["NSE:RELAINCE", "BSE:RELIANCE"]}
        assert stream.next() == answer
        assert watch(stream, "NSE:GONE") == {"type": "watching", "symbols": [RELIANCE], "unknown": ["NSE:GONE"]}


PROBLEMS = (
    ("hello", "malformed_json"),
    ("[1]", "bad_request"),
    ('{"action": "buy"}', "bad_request"),
    ('{"action": "watch"}', "validation_failed"),
    ('{"action": "watch", "symbols": []}', "validation_failed"),
    ('{"action": "watch", "symbols": "NSE:RELIANCE"}', "validation_failed"),
    ('{"action": "watch", "symbols": ["RELIANCE"]}', "validation_failed"),
    ('{"action": "watch", "symbols": ["NYSE:RELIANCE"]}', "validation_failed"),
    ('{"action": "watch", "symbols": [7]}', "validation_failed"),
    ('{"action": "watch", "symbols": ["NSE:RELIANCE"], "mode": "full"}', "validation_failed"),
    (json.dumps({"action": "watch", "symbols": [f"NSE:S{number}" for number in range(201)]}), "validation_failed"),
)


def test_messages_that_are_not_understood_are_answered_and_change_nothing(
    served: Served, account: MakeAccount, market: Market
) -> None:
    trader = account()
    market.put("100.00")
    with Stream(served.port, trader.token) as stream:
        stream.ready()
        watch(stream, RELIANCE)
        for text, code in PROBLEMS:
            stream.socket.send(text)
            answer = next_of(stream, "problem")
            assert (answer.keys(), answer["code"]) == ({"type", "code", "detail"}, code), text
        stream.authenticate(trader.token)  # a client that sends its token twice gets no answer to it
        assert watch(stream, RELIANCE) == {"type": "watching", "symbols": [RELIANCE], "unknown": []}


def test_a_connection_watches_200_stocks_and_no_more(served: Served, account: MakeAccount, market: Market) -> None:
    symbols = [f"STOCK-WITH-A-LONG-SYMBOL-{number:06}" for number in range(201)]
    market.put("100.00", *symbols)
    keys = [f"NSE:{symbol}" for symbol in symbols]
    with Stream(served.port, account().token) as stream:
        stream.ready()
        assert watch(stream, *keys[:200])["symbols"] == keys[:200]
        found = {next_of(stream, "quote")["data"]["symbol"] for _ in range(200)}
        assert found == set(symbols[:200])
        stream.socket.send(json.dumps({"action": "watch", "symbols": keys[200:]}))
        assert "200" in next_of(stream, "problem")["detail"]
        watch(stream, keys[0], action="unwatch")
        assert len(watch(stream, keys[200])["symbols"]) == 200


def test_symbols_of_the_address_are_checked_before_the_upgrade(served: Served, account: MakeAccount) -> None:
    token = account().token
    for symbols in ("RELIANCE", "NSE:", ",", "", ",".join(f"NSE:{number}" for number in range(201))):
        status, document = refusal(served.port, token, query=f"?symbols={symbols}")
        assert (status, list(document["errors"])) == (422, ["symbols"]), symbols


def test_a_token_with_the_scope_read_may_watch_and_others_may_not(
    served: Served, account: MakeAccount, market: Market
) -> None:
    market.put("100.00")
    trader = account()
    reader = tokens.create_token(["read"], account_id=trader.id)[1]
    with Stream(served.port) as stream:
        stream.authenticate(reader)
        watch_at_once = json.dumps({"action": "watch", "symbols": [RELIANCE]})
        stream.socket.send(watch_at_once)  # does not wait for ready
        stream.ready()
        assert next_of(stream, "watching")["symbols"] == [RELIANCE]
        assert tick_of(stream, "100.00")["symbol"] == "RELIANCE"
    for token in (tokens.create_token(["trade"], account_id=trader.id)[1], tokens.create_token(["feed"])[1]):
        assert refusal(served.port, token, query=f"?symbols={RELIANCE}")[0] == 403
    with Stream(served.port, query=f"?symbols={RELIANCE}") as stream:
        stream.socket.send(watch_at_once)  # before the token
        assert stream.close_code() == 4401


def test_compressed_quotes_are_read_by_a_client_that_offers_it(
    start: ProcessStarter, account: MakeAccount, headers_for: Any
) -> None:
    web = start.web(STREAM_COMPRESSION="on")
    market = Market(web.base_url, headers_for("feed"))
    market.put("100.00", "RELIANCE", "INFY", **FULL)
    with Stream(web.port, account().token, query=f"?symbols={RELIANCE},{INFY}") as stream:
        assert stream.socket.protocol.extensions
        assert {tick_of(stream, "100.00")["symbol"] for _ in range(2)} == {"RELIANCE", "INFY"}
        market.put("101.00", "RELIANCE", "INFY")
        assert {tick_of(stream, "101.00")["symbol"] for _ in range(2)} == {"RELIANCE", "INFY"}


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_is_that_of_the_library(size: int) -> None:
    frame = FrameProtocol(client=False, extensions=[]).send_data("x" * size, fin=True)
    assert text_frame("x" * size) == bytes(frame)
