"""The demo's quotes: whole and fresh, by the session, and never of a stock that other clients quote."""

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from embedded.quote_memory import QuoteMemory
from embedded.quote_simulator import EXAMPLE, Key, Market, Simulator, Stored
from embedded.seed import read_stocks
from embedded.walks import Day

KEY = ("NSE", "TCS")
FIRST = Decimal("4000.00")
STOCKS = [("NSE", "TCS", FIRST)]
EXAMPLES = [(*EXAMPLE, Decimal("2500.00"))]
TODAY = date(2026, 11, 27)
AT = "2026-11-27T05:00:00.000000Z"
OPEN = Market(AT, is_open=True, day=TODAY)
CLOSED = Market(AT, is_open=False, day=None)
NAMES = ("open", "high", "low", "lastPrice", "previousClose", "bidPrice", "askPrice", "volume")


def stored(price: str, number: int = 1, *, day: date = TODAY) -> Stored:
    return Stored(Decimal(price), number, Day.before_trades(day, Decimal(price)))


@pytest.fixture
def there() -> dict[Key, Stored]:
    """Return what the service has stored."""
    return {KEY: stored("4000.00"), EXAMPLE: stored("2500.00")}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Simulator]:
    """Return a function that makes a simulator with the memory of the one before it."""
    return lambda stocks=STOCKS: Simulator(stocks, random.Random(7), QuoteMemory(tmp_path / "simulator.json"))


def put(there: dict[Key, Stored], quotes: list[dict[str, Any]]) -> None:
    """Store quotes as the service does."""
    for quote in quotes:
        key = quote["exchange"], quote["symbol"]
        there[key] = Stored(Decimal(quote["lastPrice"]), there[key].number + 1, there[key].day)


def rounds(simulator: Simulator, there: dict[Key, Stored], number: int = 20, market: Market = OPEN) -> list[Any]:
    """Let the simulator quote so many times, and return all quotes."""
    sent = []
    for _ in range(number):
        quotes = simulator.next_quotes(there, market)
        put(there, quotes)
        sent += quotes
    return sent


def test_a_quote_has_a_book_a_day_and_a_volume(make: Any, there: dict[Key, Stored]) -> None:
    sides, before = set(), 0
    quotes = rounds(make(), there, 200)
    for quote in quotes:
        opened, high, low, last, close, bid, ask, volume = (Decimal(quote[name]) for name in NAMES)
        assert ask - bid == Decimal("0.05")
        sides.add("bid" if last == bid else "ask" if last == ask else "neither")
        assert low <= min(opened, last) <= max(opened, last) <= high
        assert close == FIRST
        assert volume > before  # each of its quotes brings a trade
        before = volume
        assert min(quote["bidQuantity"], quote["askQuantity"]) >= 1
    assert sides == {"bid", "ask"}
    assert len({quote["lastPrice"] for quote in quotes}) > 50
    assert not {"lowerCircuit", "upperCircuit"} & set().union(*quotes)


def test_the_stock_of_the_examples_stands_still_until_it_may_move(make: Any, there: dict[Key, Stored]) -> None:
    simulator, sent = make(EXAMPLES), []
    for _ in range(100):
        quotes = simulator.next_quotes(there, OPEN, example_moves=False)
        put(there, quotes)
        sent += quotes
    assert len(sent) > 50  # of rounds of 0.8 s: never 60 s without a quote
    assert {(quote["bidPrice"], quote["askPrice"], quote["lastPrice"]) for quote in sent} == {
        ("2499.95", "2500.00", "2500.00")
    }
    assert len({quote["lastPrice"] for quote in rounds(simulator, there)}) > 5


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize("change", ["0.00", "0.05", "900.00"])
def test_a_stock_that_another_client_quotes_is_left_alone_for_good(
    make: Any, there: dict[Key, Stored], change: str, is_restarted: bool
) -> None:
    simulator = make()
    rounds(simulator, there)
    assert there[KEY].number > 10
    there[KEY] = stored(str(there[KEY].price + Decimal(change)), there[KEY].number + 1)
    if not is_restarted:
        assert rounds(simulator, there) == []
    simulator = make()
    assert rounds(simulator, there) == []
    there[KEY] = stored("4000.00", there[KEY].number + 1)  # also when the price is one of the walk's again
    assert rounds(make(), there) == []


def test_a_stock_that_only_the_simulator_quotes_moves_on_after_a_restart(make: Any, there: dict[Key, Stored]) -> None:
    rounds(make(), there)
    simulator = make()
    put(there, simulator.next_quotes(there, OPEN) or simulator.next_quotes(there, OPEN))
    assert len(rounds(make(), there)) > 5
    make().next_quotes(there, OPEN)  # killed before its quotes were sent
    assert len(rounds(make(), there)) > 5


def test_a_backup_of_the_database_does_not_stop_the_demo(make: Any, there: dict[Key, Stored]) -> None:
    before = there[KEY]
    rounds(make(), there)
    there[KEY] = before
    assert len(rounds(make(), there)) > 5


@pytest.mark.parametrize(("price", "is_moved"), [("3762.00", True), ("4282.00", False), ("9000.00", False)])
def test_without_a_memory_a_price_that_no_walk_reaches_is_another_clients(
    make: Any, there: dict[Key, Stored], price: str, is_moved: bool
) -> None:
    there[KEY] = stored(price, 5)
    assert bool(rounds(make(), there)) is is_moved


@pytest.mark.parametrize("text", ["", "{", "[]", '{"quotes": {"NSE:TCS": [1]}, "leftAlone": []}', '{"quotes": 1}'])
def test_a_memory_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "simulator.json"
    path.write_text(text)
    memory = QuoteMemory(path)
    assert (memory.expected, memory.left_alone) == ({}, set())


def test_a_quote_that_came_between_the_reading_and_ours_is_noticed_later(make: Any, there: dict[Key, Stored]) -> None:
    simulator = make()
    while not (ours := simulator.next_quotes(there, OPEN)):
        pass
    put(there, [{**ours[0], "lastPrice": "4100.00"}])  # another client's
    put(there, ours)
    assert rounds(simulator, there) == []


def test_after_quotes_that_were_not_stored_it_goes_on_from_the_prices_that_are_there(
    make: Any, there: dict[Key, Stored]
) -> None:
    simulator = make()
    for _ in range(5):
        simulator.next_quotes(there, OPEN)  # never stored: the service left them out as stale
    for _ in range(5):
        simulator.next_quotes(there, OPEN)  # never put: the server was away
        simulator.forget()
    assert len(rounds(simulator, there)) > 5


def test_outside_the_session_prices_stand_still_and_the_next_day_begins_with_the_last_price(
    make: Any, there: dict[Key, Stored]
) -> None:
    simulator = make()
    rounds(simulator, there)
    close = there[KEY].price
    assert rounds(simulator, there, market=CLOSED) == []
    tomorrow = TODAY + timedelta(days=1)
    (told,) = rounds(simulator, there, market=Market(AT, is_open=False, day=tomorrow))
    assert {told[name] for name in ("open", "high", "low", "lastPrice", "previousClose")} == {f"{close:.2f}"}
    assert told["volume"] == 0
    assert "bidPrice" not in told
    first, *_, last = rounds(simulator, there, market=Market(AT, is_open=True, day=tomorrow))
    assert first["open"] == first["high"] == first["low"] == first["lastPrice"] != f"{close:.2f}"
    assert first["previousClose"] == last["previousClose"] == f"{close:.2f}"
    assert last["open"] == first["open"]


def test_a_first_start_outside_the_session_shows_a_book_and_a_day_at_once(make: Any, there: dict[Key, Stored]) -> None:
    there[KEY] = there[KEY]._replace(has_day=False)
    (quote,) = rounds(make(), there, market=CLOSED)
    assert {quote[name] for name in ("open", "high", "low", "lastPrice", "askPrice")} == {"4000.00"}
    assert quote["bidPrice"] == "3999.95"


def test_a_market_that_is_always_open_begins_its_day_at_midnight(make: Any, there: dict[Key, Stored]) -> None:
    simulator = make()
    rounds(simulator, there)
    close = there[KEY].price
    first = rounds(simulator, there, market=Market(AT, is_open=True, day=TODAY + timedelta(days=1)))[0]
    assert (first["previousClose"], first["open"]) == (f"{close:.2f}", first["lastPrice"])


def test_a_stock_without_a_seed_or_a_price_does_not_move(make: Any) -> None:
    assert rounds(make(), {("BSE", "OTHER"): stored("1.00")}) == []
    assert rounds(make(), {}) == []


def test_the_seeded_stocks_are_some_forty_with_prices() -> None:
    stocks = read_stocks()
    assert len(stocks) >= 40
    assert {exchange for exchange, _, _ in stocks} == {"NSE", "BSE"}
    assert all(price > 0 for _, _, price in stocks)


def test_the_memory_is_a_file_that_a_person_can_read(make: Any, there: dict[Key, Stored], tmp_path: Path) -> None:
    simulator = make([*STOCKS, *EXAMPLES])
    rounds(simulator, there)
    there[EXAMPLE] = stored("2600.00", 99)
    rounds(simulator, there)
    document = json.loads((tmp_path / "simulator.json").read_text())
    assert document["leftAlone"] == ["NSE:RELIANCE"]
    assert list(document["quotes"]) == ["NSE:TCS"]
