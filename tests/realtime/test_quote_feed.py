"""The feed of quotes in this process, without threads: the newest quotes, at a bounded pace, to whoever keeps up."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from api.stream import quote_feed
from api.stream.quote_feed import QuoteFeed
from api.stream.watchers import Watcher, Writer
from api.stream.watching import as_text
from models.database import DatabaseUnavailable
from tests.realtime.conftest import Database
from trading.market.live_quotes import LastPrice, LiveQuote, read_changed, read_quotes
from trading.market.quotes import GivenQuote
from trading.matching.feed import MarketRules, receive_quotes

KEY = "NSE:RELIANCE"
AT = "2026-11-27T06:00:00.000000Z"


class Reader(Watcher):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = False
        self.batches: list[list[dict[str, Any]]] = []

    @property
    def is_behind(self) -> bool:
        return self.is_slow

    def take(self, written: list[bytes]) -> None:
        self.batches.append([dict(json.loads(text)["data"]) for text in written])

    @property
    def numbers(self) -> list[int]:
        return [quote["quoteNumber"] for batch in self.batches for quote in batch]


@pytest.fixture
def market(quote: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two stocks have a quote each, and their turn come as often as it is asked for."""
    quote("RELIANCE", "100.00")
    quote("INFY", "1500.00")
    monkeypatch.setattr(quote_feed, "INTERVAL_S", 0.0)


def next_quote(number: int, **changes: Any) -> LiveQuote:
    ((_, quote),) = read_quotes([KEY])
    return quote._replace(quote_number=number, **changes)


def write_text(quote: LiveQuote) -> bytes:
    return as_text(quote).encode()


def watching(feed: QuoteFeed, *keys: str, write: Writer = write_text) -> Reader:
    reader = Reader()
    assert feed.watch(reader, keys or [KEY], write) == []
    return reader


def test_of_several_quotes_the_newest_is_handed_out_and_an_older_one_never(market: None) -> None:
    feed = QuoteFeed()
    reader = watching(feed)
    feed.hand_out()
    feed.take([next_quote(2), next_quote(4), next_quote(3)])
    feed.hand_out()
    feed.take([next_quote(3)])
    feed.hand_out()
    assert reader.numbers == [1, 4]


def test_the_turn_of_a_stock_comes_four_times_a_second(market: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quote_feed, "INTERVAL_S", 0.25)
    now = [1000.0]
    monkeypatch.setattr("api.stream.quote_feed.time.monotonic", lambda: now[0])
    feed = QuoteFeed()
    reader = watching(feed)
    for number in range(2, 202):  # a quote and a round each hundredth of a second
        now[0] = 1000 + number / 100
        feed.take([next_quote(number)])
        feed.hand_out()
    now[0] += 0.25
    feed.hand_out()
    assert len(reader.numbers) in range(8, 11)
    assert reader.numbers == sorted(set(reader.numbers))
    assert reader.numbers[-1] == 201


def test_one_batch_has_all_quotes_of_a_round_and_each_is_written_once_for_all(market: None) -> None:
    feed, written = QuoteFeed(), []

    def write(quote: LiveQuote) -> bytes:
        written.append(quote.key)
        return write_text(quote)

    readers = [watching(feed, KEY, "NSE:INFY", write=write) for _ in range(10)]
    feed.hand_out()
    for reader in readers:
        (batch,) = reader.batches
        assert {quote["symbol"] for quote in batch} == {"RELIANCE", "INFY"}
    assert sorted(written) == ["NSE:INFY", KEY]


def test_a_watcher_gets_each_stock_written_as_it_asked_for_last(market: None) -> None:
    def write_short(quote: LiveQuote) -> bytes:
        return b'{"data": {"short": true}}'

    feed = QuoteFeed()
    reader = watching(feed, KEY, "NSE:INFY")
    feed.watch(reader, ["NSE:INFY"], write_short)
    feed.hand_out()
    feed.watch(reader, [KEY, "NSE:INFY"], write_text, anew=False)  # as before, and at once
    feed.hand_out()
    for batch in reader.batches:
        assert sorted(quote.get("symbol", "short") for quote in batch) == ["RELIANCE", "short"]


def test_a_watcher_that_is_behind_gets_the_newest_quotes_when_it_has_caught_up(market: None) -> None:
    feed = QuoteFeed()
    slow, quick = watching(feed), watching(feed)
    slow.is_slow = True
    for number in range(2, 6):
        feed.take([next_quote(number)])
        feed.hand_out()
    assert (slow.numbers, quick.numbers) == ([], [2, 3, 4, 5])
    slow.is_slow = False
    feed.hand_out()
    feed.hand_out()
    assert slow.numbers == [5]


def test_whoever_watches_no_more_gets_nothing_that_was_owed(market: None) -> None:
    feed = QuoteFeed()
    reader, other = watching(feed), watching(feed)
    feed.unwatch(reader, [KEY])
    feed.leave(other)
    feed.take([next_quote(2)])
    feed.hand_out()
    assert reader.numbers == other.numbers == []
    assert not feed.is_watched
    assert feed.known == {}


def test_a_last_price_after_a_lost_message_is_shown_and_asks_the_database(market: None, plain_sql: Database) -> None:
    feed = QuoteFeed()
    reader = watching(feed)
    feed.hand_out()
    plain_sql.run("UPDATE stock SET quote_number = 3, high_price = 120, last_price = 101 WHERE symbol = 'RELIANCE'")
    feed.take([LastPrice(KEY, 3, "101.00", AT)])
    feed.hand_out()
    assert (reader.batches[-1][0]["lastPrice"], reader.batches[-1][0]["high"]) == ("101.00", None)
    known = feed.known
    feed.correct(known, read_changed(known))
    feed.hand_out()
    assert reader.batches[-1][0]["high"] == "120.00"
    assert set(feed.known.values()) == {3}  # nothing is asked again


def test_the_database_corrects_what_no_message_has_told_and_what_it_has_lost(market: None, plain_sql: Database) -> None:
    feed = QuoteFeed()
    reader = watching(feed)
    for number in (7, 2):  # quotes without a message; then a restored backup
        plain_sql.run("UPDATE stock SET quote_number = %s WHERE symbol = 'RELIANCE'", number)
        known = feed.known
        feed.correct(known, read_changed(known))
        feed.hand_out()
    assert reader.numbers == [7, 2]
    feed.take([next_quote(9)])  # while the database was being asked a message came
    feed.correct(known, [next_quote(8)])
    feed.hand_out()
    assert reader.numbers == [7, 2, 9]


def test_a_watch_that_fails_leaves_what_was_watched(market: None, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = QuoteFeed()
    first, second = watching(feed), watching(feed, "NSE:INFY")

    def fail(_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(quote_feed, "read_quotes", fail)
    with pytest.raises(DatabaseUnavailable):
        feed.watch(second, [KEY, "NSE:INFY", "NSE:OTHER"], write_text)
    assert {stock.key for stock in second.watched} == {"NSE:INFY"}
    assert {stock.key for stock in first.watched} == {KEY}
    assert feed.watch(second, [KEY], write_text) == []  # a stock that the feed knows needs no database


@pytest.mark.parametrize("at", [AT, "2026-11-27T18:29:59.999999Z", "2026-11-27T18:30:00.000000Z"])
def test_a_last_price_changes_a_live_quote_as_it_changes_the_row(market: None, plain_sql: Database, at: str) -> None:
    book = {"bid_price": Decimal("99.00"), "ask_price": Decimal("101.00"), "bid_quantity": 5, "ask_quantity": 7}
    given = GivenQuote("NSE", "RELIANCE", Decimal("100.00"), volume=9, open_price=Decimal("98.00"), **book)
    receive_quotes([given], MarketRules())
    plain_sql.run("UPDATE stock SET quoted_at = %s, volume_day = '2026-11-27' WHERE symbol = 'RELIANCE'", AT)
    ((_, before),) = read_quotes([KEY])
    assert (before.volume, before.bid_price) == (9, "99.00")
    plain_sql.run(
        "UPDATE stock SET last_price = 103, last_price_at = %s, quoted_at = %s, quote_number = quote_number + 1,"
        " bid_price = NULL, ask_price = NULL, bid_quantity = NULL, ask_quantity = NULL WHERE symbol = 'RELIANCE'",
        at,
        at,
    )
    ((_, after),) = read_quotes([KEY])
    assert before.with_last_price(after.quote_number, "103.00", at) == after
