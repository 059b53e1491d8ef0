"""The demo's quotes through the API, and what a person sees of a day at its hours."""

import contextlib
import dataclasses
import random
import urllib.error
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedded import quote_simulator
from embedded.quote_memory import QuoteMemory
from embedded.quote_simulator import EXAMPLE, Feed, Simulator
from tests.support.market_clock import clock
from tests.support.sessions import session_of
from tests.support.trading import one, run
from trading.execution.sweeping import sweep_once
from trading.market.calendars import import_sessions

__all__ = ["clock"]

KEY = ("NSE", "TCS")
STOCKS = [("NSE", "TCS", Decimal("4000.00"))]
EXAMPLES = [(*EXAMPLE, Decimal("2500.00"))]
TODAY, TOMORROW = date(2026, 11, 27), date(2026, 11, 30)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Simulator]:
    """Return a function that makes a simulator with the memory of the one before it."""
    return lambda stocks=STOCKS: Simulator(stocks, random.Random(7), QuoteMemory(tmp_path / "simulator.json"))


def trade_sessions(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the application trade on a Friday and a Monday, from 09:15 to 15:30."""
    application = client.application
    settings = dataclasses.replace(application.config["SETTINGS"], market_calendar="NSE")
    monkeypatch.setitem(application.config, "SETTINGS", settings)
    import_sessions("NSE", [session_of(day, opens=time(9, 15), closes=time(15, 30)) for day in (TODAY, TOMORROW)])


@pytest.fixture
def feed(client: Any, headers_for: Any, account: Any, quote: Any, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Return a feed to the application, which has prices of two stocks."""
    secret = headers_for("feed")["Authorization"].removeprefix("Bearer ")
    feed = Feed("http://127.0.0.1", secret, account(fill_model="QUOTES").token)

    def send(method: str, path: str, token: str, body: Any = None) -> Any:
        answer = client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.get_json(silent=True)

    monkeypatch.setattr(feed, "_send", send)
    monkeypatch.setattr(quote_simulator, "PAGE", 1)
    quote("RELIANCE", "2500.00")
    quote("TCS", "4000.00")
    return feed


def round_of(feed: Feed, simulator: Simulator) -> list[dict[str, Any]]:
    """Let the simulator quote once through the API."""
    market = feed.market()
    quotes = simulator.next_quotes(feed.stored(), market, example_moves=feed.example_moves())
    feed.put(quotes, market.at)
    return quotes


def test_quotes_through_the_api_are_usable_and_survive_a_restart_in_their_day(feed: Feed, make: Any) -> None:
    simulator = make([*STOCKS, *EXAMPLES])
    while feed.stored()[KEY].number < 4:
        round_of(feed, simulator)
    assert one("SELECT bool_and(is_usable) FROM stock")
    day = feed.stored()[KEY].day
    assert day == simulator.stocks[KEY].day
    assert day.volume > 0
    assert feed.stored()[EXAMPLE].price == Decimal("2500.00")
    again = make([*STOCKS, *EXAMPLES])
    while feed.stored()[KEY].number < 8:
        round_of(feed, again)
    assert feed.stored()[KEY].day.open == day.open


def test_a_quote_that_another_client_sends_meanwhile_stays(feed: Feed, make: Any, quote: Any) -> None:
    market, simulator = feed.market(), make(EXAMPLES)
    while not (quotes := simulator.next_quotes(feed.stored(), market, example_moves=False)):
        pass
    quote("RELIANCE", "2600.00")
    feed.put(quotes, market.at)
    assert feed.stored()[EXAMPLE][:2] == (Decimal("2600.00"), 2)


@pytest.mark.parametrize("is_limit", [False, True])
def test_the_example_moves_once_a_worker_has_looked_at_an_order_of_the_demo_account(
    feed: Feed, client: Any, make: Any, is_limit: bool
) -> None:
    assert not feed.example_moves()
    simulator = make(EXAMPLES)
    round_of(feed, simulator)
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 10}
    terms = {"orderType": "LIMIT", "price": "2497.50"} if is_limit else {}
    headers = {"Authorization": f"Bearer {feed.demo_token}"}
    assert client.post("/api/trading/orders", json=order | terms, headers=headers).status_code == 202
    assert not feed.example_moves()  # an order at the market fills at 2500.00, as the README has it
    sweep_once(limit=10)
    for _ in range(60):  # about a minute
        round_of(feed, simulator)
    sweep_once(limit=10)
    (filled,) = client.get("/api/trading/orders", headers=headers).get_json()["data"]
    assert (filled["status"], filled["averagePrice"]) == ("EXECUTED", "2497.50" if is_limit else "2500.00")
    sent: list[str] = []
    after_a_restart = Feed(feed.base_url, feed.feed_token, feed.demo_token)
    after_a_restart._send = lambda *call: sent.append(call[1]) or feed._send(*call)  # type: ignore[method-assign]
    assert after_a_restart.example_moves()
    assert after_a_restart.example_moves()
    assert len(sent) == 1  # asked no more


@pytest.mark.parametrize(("status", "is_raised"), [(401, False), (503, True)])
def test_a_revoked_token_of_the_demo_account_does_not_stop_the_quotes(status: int, is_raised: bool) -> None:
    def refuse(*_: Any) -> Any:
        raise urllib.error.HTTPError("http://127.0.0.1", status, "", {}, None)  # type: ignore[arg-type]

    feed = Feed("http://127.0.0.1", "feed", "revoked")
    feed._send = refuse  # type: ignore[method-assign]
    with pytest.raises(urllib.error.HTTPError) if is_raised else contextlib.nullcontext():
        assert feed.example_moves()


@pytest.mark.parametrize(
    ("moment", "is_open", "has_day"),
    [
        ("2026-11-27 00:10", False, True),
        ("2026-11-27 09:14", False, True),
        ("2026-11-27 09:15", True, True),
        ("2026-11-27 15:30", False, False),
        ("2026-11-28 12:00", False, False),
    ],
)
def test_the_market_is_that_of_the_services_clock(
    feed: Feed, client: Any, clock: Any, monkeypatch: pytest.MonkeyPatch, moment: str, is_open: bool, has_day: bool
) -> None:
    trade_sessions(client, monkeypatch)
    clock(moment)
    market = feed.market()
    assert (market.is_open, market.day) == (is_open, TODAY if has_day else None)


class Person:
    """Somebody who trades and looks at the positions, while the simulator quotes."""

    def __init__(self, client: Any, feed: Feed, simulator: Simulator, clock: Any) -> None:
        self.client, self.feed, self.simulator, self.clock = client, feed, simulator, clock
        self.headers = {"Authorization": f"Bearer {feed.demo_token}"}

    def at(self, moment: str) -> None:
        """Let it be an Indian time, at which the simulator quotes for a while."""
        self.clock(moment)
        for _ in range(8):
            round_of(self.feed, self.simulator)

    def buys(self, **terms: Any) -> Any:
        """Buy ten shares, and return the answer after a worker has looked at the order."""
        order = {"exchange": "NSE", "symbol": "TCS", "side": "BUY", "quantity": 10, "product": "DELIVERY", **terms}
        answer = self.client.post("/api/trading/orders", json=order, headers=self.headers).get_json()
        sweep_once(limit=10)
        return answer

    def sees(self) -> dict[str, Decimal]:
        """Return the position's profit of the day, and the stock's prices."""
        (position,) = self.client.get("/api/trading/positions", headers=self.headers).get_json()["data"]
        stock = self.client.get("/api/market/stocks/NSE/TCS", headers=self.headers).get_json()
        prices = {name: Decimal(stock[name]) for name in ("lastPrice", "previousClose", "open")}
        return prices | {"dayPnl": Decimal(position["dayPnl"])}


def test_a_day_of_the_demo_with_a_calendar(
    feed: Feed, client: Any, make: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trade_sessions(client, monkeypatch)
    with_seeds_at(f"{TODAY} 09:00", clock)
    person = Person(client, feed, make(), clock)
    person.at(f"{TODAY} 09:16")
    person.buys()
    person.at(f"{TODAY} 15:29")
    close = person.sees()["lastPrice"]
    person.at(f"{TODAY} 21:00")
    assert person.sees()["lastPrice"] == close
    refused = person.buys()
    assert (refused["code"], refused["nextOpen"]) == ("market_closed", f"{TOMORROW}T03:45:00.000000Z")
    assert person.buys(afterMarket=True)["order"]["waitingFor"] == "session"

    person.at(f"{TOMORROW} 00:01")
    seen = person.sees()
    assert (seen["previousClose"], seen["lastPrice"], seen["dayPnl"]) == (close, close, 0)
    person.at(f"{TOMORROW} 09:16")
    seen = person.sees()
    assert seen["previousClose"] == close != seen["open"]
    assert seen["dayPnl"] == 10 * (seen["lastPrice"] - close) != 0


def test_a_day_of_the_demo_without_a_calendar_ends_at_midnight(feed: Feed, client: Any, make: Any, clock: Any) -> None:
    with_seeds_at(f"{TODAY} 22:00", clock)
    person = Person(client, feed, make(), clock)
    person.at(f"{TODAY} 23:59")
    person.buys()
    before = person.sees()
    person.at("2026-11-28 00:00:30")
    seen = person.sees()
    assert seen["previousClose"] == before["lastPrice"]
    assert seen["dayPnl"] == 10 * (seen["lastPrice"] - seen["previousClose"]) != 0


def with_seeds_at(moment: str, clock: Any) -> None:
    """Let it be a time, at which the stocks were quoted first."""
    clock(moment)
    run("UPDATE stock SET quoted_at = market_now(), last_price_at = market_now()")
