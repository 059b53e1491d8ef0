"""The demo's quotes walk within their band, stay fresh, and leave stocks alone that other clients quote."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from embedded import quote_simulator
from embedded.quote_simulator import BAND, EXAMPLE, Feed, Key, Simulator, Stored, Walk
from embedded.seed import read_stocks

KEY = ("NSE", "TCS")
STOCKS = [("NSE", "TCS", Decimal("4000.00"))]
EXAMPLES = [(*EXAMPLE, Decimal("2500.00"))]


@pytest.fixture
def there() -> dict[Key, Stored]:
    """Return what the service has stored."""
    return {KEY: Stored(Decimal("4000.00"), 1), EXAMPLE: Stored(Decimal("2500.00"), 1)}


def put(there: dict[Key, Stored], quotes: list[dict[str, str]]) -> None:
    """Store quotes as the service does."""
    for quote in quotes:
        key = quote["exchange"], quote["symbol"]
        there[key] = Stored(Decimal(quote["lastPrice"]), there[key].number + 1)


def test_a_walk_takes_small_steps_on_the_tick_and_stays_in_its_band() -> None:
    start = Decimal("100.00")
    walk, chance = Walk(start, Stored(start, 1)), random.Random(7)
    before, seen = start, set()
    for _ in range(20_000):
        after = walk.step(chance)
        assert abs(after - before) <= before * Decimal("0.0012") + Decimal("0.05")
        assert start * (1 - BAND) - Decimal("0.05") <= after <= start * (1 + BAND) + Decimal("0.05")
        assert after % Decimal("0.05") == 0
        seen.add(after)
        before = after
    assert len(seen) > 20


def test_a_quote_has_a_bid_and_an_ask_one_tick_apart_with_its_trade_at_one_of_them(there: dict[Key, Stored]) -> None:
    simulator, sides = Simulator(STOCKS, random.Random(7)), set()
    for _ in range(100):
        quotes = simulator.next_quotes(there)
        put(there, quotes)
        for quote in quotes:
            last, bid, ask = (Decimal(quote[name]) for name in ("lastPrice", "bidPrice", "askPrice"))
            assert ask - bid == Decimal("0.05")
            sides.add("bid" if last == bid else "ask" if last == ask else "neither")
    assert sides == {"bid", "ask"}


def test_the_stock_of_the_examples_is_quoted_all_the_time_and_never_moves(there: dict[Key, Stored]) -> None:
    simulator, sent = Simulator(EXAMPLES, random.Random(7)), 0
    for _ in range(100):
        quotes = simulator.next_quotes(there)
        assert quotes in ([], [{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "2500.00"}])
        put(there, quotes)
        sent += len(quotes)
    assert sent > 50  # of rounds of 0.8 s: never 60 s without a quote


def test_a_price_outside_the_band_is_left_alone_after_a_restart(there: dict[Key, Stored]) -> None:
    for price, is_moved in (("3762.00", True), ("4242.00", False), ("9000.00", False)):
        simulator = Simulator(STOCKS, random.Random(7))
        there[KEY] = Stored(Decimal(price), 5)
        assert any(simulator.next_quotes(there) for _ in range(20)) is is_moved
    for price, is_quoted in (("2500.00", True), ("2500.05", False)):
        simulator = Simulator(EXAMPLES, random.Random(7))
        there[EXAMPLE] = Stored(Decimal(price), 5)
        assert any(simulator.next_quotes(there) for _ in range(20)) is is_quoted


@pytest.mark.parametrize("stocks", [STOCKS, EXAMPLES])
@pytest.mark.parametrize("change", ["0.00", "0.05", "100.00"])
def test_a_stock_that_another_client_quotes_is_left_alone_from_then_on(
    there: dict[Key, Stored], stocks: list[Any], change: str
) -> None:
    simulator, key = Simulator(stocks, random.Random(7)), stocks[0][:2]
    for _ in range(20):
        put(there, simulator.next_quotes(there))
    assert there[key].number > 10
    there[key] = Stored(there[key].price + Decimal(change), there[key].number + 1)
    assert [simulator.next_quotes(there) for _ in range(20)] == [[]] * 20


def test_a_quote_that_came_between_the_reading_and_ours_is_noticed_later(there: dict[Key, Stored]) -> None:
    simulator = Simulator(STOCKS, random.Random(7))
    while not (ours := simulator.next_quotes(there)):
        pass
    put(there, [{**ours[0], "lastPrice": "4100.00"}])  # another client's
    put(there, ours)
    assert [simulator.next_quotes(there) for _ in range(20)] == [[]] * 20


def test_after_quotes_that_were_not_stored_it_goes_on_from_the_prices_that_are_there(there: dict[Key, Stored]) -> None:
    simulator = Simulator(STOCKS, random.Random(7))
    for _ in range(5):
        simulator.next_quotes(there)  # never stored: the service left them out as stale
    for _ in range(5):
        simulator.next_quotes(there)  # never put: the server was away
        simulator.forget()
    moved = [quotes for _ in range(20) if (quotes := simulator.next_quotes(there)) and not put(there, quotes)]
    assert len(moved) > 5


def test_a_stock_without_a_seed_or_a_price_does_not_move() -> None:
    simulator = Simulator(STOCKS, random.Random(7))
    assert simulator.next_quotes({("BSE", "OTHER"): Stored(Decimal("1.00"), 1)}) == []
    assert simulator.next_quotes({}) == []


def test_the_seeded_stocks_are_some_forty_with_prices() -> None:
    stocks = read_stocks()
    assert len(stocks) >= 40
    assert {exchange for exchange, _, _ in stocks} == {"NSE", "BSE"}
    assert all(price > 0 for _, _, price in stocks)


@pytest.fixture
def feed(client: Any, headers_for: Any, quote: Any, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Return a feed to the application, which has prices of two stocks."""
    headers = headers_for("feed")
    feed = Feed("http://127.0.0.1", headers["Authorization"].removeprefix("Bearer "))

    def send(method: str, path: str, body: Any = None) -> Any:
        answer = client.open(path, method=method, headers=headers, json=body)
        assert answer.status_code in (200, 204), answer.text
        return answer.get_json(silent=True)

    monkeypatch.setattr(feed, "_send", send)
    monkeypatch.setattr(quote_simulator, "PAGE", 1)
    quote("RELIANCE", "2500.00")
    quote("TCS", "4000.00")
    return feed


def test_the_simulator_sends_quotes_through_the_api(feed: Feed) -> None:
    assert feed.stored() == {EXAMPLE: Stored(Decimal("2500.00"), 1), KEY: Stored(Decimal("4000.00"), 1)}
    prices = {"lastPrice": "4001.05", "bidPrice": "4001.00", "askPrice": "4001.05"}
    feed.put([{"exchange": "NSE", "symbol": "TCS", **prices}], datetime.now(UTC))
    assert feed.stored()[KEY] == Stored(Decimal("4001.05"), 2)


def test_a_quote_that_another_client_sends_meanwhile_stays(feed: Feed, quote: Any) -> None:
    at = datetime.now(UTC)
    quote("RELIANCE", "2600.00")
    feed.put([{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "2500.00"}], at)
    assert feed.stored()[EXAMPLE] == Stored(Decimal("2600.00"), 2)


@pytest.mark.parametrize("seconds", [-3_600, 3_600])
def test_with_a_wrong_clock_the_time_of_a_quote_is_left_to_the_service(feed: Feed, seconds: int) -> None:
    quotes = [{"exchange": "NSE", "symbol": "NEW", "lastPrice": "10.00"}]
    for _ in range(2):
        feed.put(quotes, datetime.now(UTC) + timedelta(seconds=seconds))
    assert not feed.clock_is_right
    number = feed.stored()["NSE", "NEW"].number
    feed.put(quotes, datetime.now(UTC) + timedelta(seconds=seconds))
    assert feed.stored()["NSE", "NEW"].number == number + 1
