"""The demo's prices walk within their band, and prices of other clients are left alone."""

import random
from decimal import Decimal
from typing import Any

from embedded import quote_simulator
from embedded.quote_simulator import BAND, Feed, Simulator, Walk
from embedded.seed import read_stocks

KEY = ("NSE", "RELIANCE")
STOCKS = [("NSE", "RELIANCE", Decimal("2500.00"))]


def put(prices: dict[Any, Decimal], quotes: list[dict[str, str]]) -> None:
    for quote in quotes:
        prices[quote["exchange"], quote["symbol"]] = Decimal(quote["lastPrice"])


def test_a_walk_takes_small_steps_on_the_tick_and_stays_in_its_band() -> None:
    start = Decimal("100.00")
    walk, chance = Walk(start, start), random.Random(7)
    before, seen = start, set()
    for _ in range(20_000):
        after = walk.step(chance)
        assert abs(after - before) <= before * Decimal("0.0012") + Decimal("0.05")
        assert start * (1 - BAND) - Decimal("0.05") <= after <= start * (1 + BAND) + Decimal("0.05")
        assert after % Decimal("0.05") == 0
        seen.add(after)
        before = after
    assert len(seen) > 20


def test_a_price_outside_the_band_is_left_alone_after_a_restart() -> None:
    for price, is_moved in (("2351.00", True), ("2651.00", False), ("9000.00", False)):
        simulator, prices = Simulator(STOCKS, random.Random(7)), {KEY: Decimal(price)}
        assert any(simulator.next_quotes(prices) for _ in range(20)) is is_moved


def test_a_price_that_another_client_sets_is_left_alone_from_then_on() -> None:
    simulator, prices = Simulator(STOCKS, random.Random(7)), {KEY: Decimal("2500.00")}
    for _ in range(20):
        put(prices, simulator.next_quotes(prices))
    assert prices[KEY] != Decimal("2500.00")
    prices[KEY] = Decimal("2600.00")
    assert [simulator.next_quotes(prices) for _ in range(20)] == [[]] * 20


def test_after_a_failure_it_goes_on_from_the_prices_that_are_there() -> None:
    simulator, prices = Simulator(STOCKS, random.Random(7)), {KEY: Decimal("2500.00")}
    for _ in range(5):
        simulator.next_quotes(prices)  # never put: the server was away
        simulator.forget()
    moved = [quotes for _ in range(20) if (quotes := simulator.next_quotes(prices)) and not put(prices, quotes)]
    assert len(moved) > 5


def test_a_stock_without_a_seed_or_a_price_does_not_move() -> None:
    simulator = Simulator(STOCKS, random.Random(7))
    assert simulator.next_quotes({("BSE", "OTHER"): Decimal("1.00")}) == []
    assert simulator.next_quotes({}) == []


def test_the_seeded_stocks_are_some_forty_with_prices() -> None:
    stocks = read_stocks()
    assert len(stocks) >= 40
    assert {exchange for exchange, _, _ in stocks} == {"NSE", "BSE"}
    assert all(price > 0 for _, _, price in stocks)


def test_the_simulator_sets_quotes_through_the_api(client: Any, headers_for: Any, quote: Any, monkeypatch: Any) -> None:
    quote("RELIANCE", "2500.00")
    headers = headers_for("feed")
    feed = Feed("http://127.0.0.1", headers["Authorization"].removeprefix("Bearer "))

    def send(method: str, path: str, body: Any = None) -> Any:
        answer = client.open(path, method=method, headers=headers, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.get_json(silent=True)

    monkeypatch.setattr(feed, "_send", send)
    monkeypatch.setattr(quote_simulator, "PAGE", 1)
    quote("TCS", "4000.00")
    assert feed.prices() == {KEY: Decimal("2500.00"), ("NSE", "TCS"): Decimal("4000.00")}
    feed.put([{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "2501.05"}])
    assert feed.prices()[KEY] == Decimal("2501.05")
