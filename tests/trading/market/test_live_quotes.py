"""Stored quotes are published after their commit, in one message for each portion, and only if somebody listens."""

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import redis

from models.database import db
from runtime import redis_link
from trading.market import live_quotes
from trading.market.live_quotes import LastPrice, LiveQuote, channel, read_message, read_quotes
from trading.market.quotes import GivenQuote
from trading.market.stocks import forget_stocks
from trading.matching import feed
from trading.matching.feed import MarketRules, receive_quotes

RULES = MarketRules()


def given(symbol: str = "RELIANCE", last: str = "100.00", **more: Any) -> GivenQuote:
    return GivenQuote("NSE", symbol, Decimal(last), **more)


@pytest.fixture
def linked(clean: None, configured: None, servers: Any) -> None:
    """Connect this process to the run's Redis, without the ids of stocks that another test has deleted."""
    forget_stocks()
    redis_link.configure(servers.redis_url)


@pytest.fixture
def subscription(linked: None, redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Follow the channel of quotes."""
    monkeypatch.setattr(live_quotes, "_unheard_until", 0.0)
    with redis_client.pubsub() as pubsub:
        pubsub.subscribe(channel())
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        yield pubsub


def messages(subscription: Any) -> list[list[LiveQuote | LastPrice]]:
    """Return what has come, message by message."""
    found = []
    while (message := subscription.get_message(timeout=0.2)) is not None:
        found.append(read_message(message["data"]))
    return found


def test_quotes_are_told_as_they_were_stored(subscription: Any) -> None:
    book = {"bid_price": Decimal("99.95"), "ask_price": Decimal("100.05"), "volume": 7, "high_price": Decimal("101.5")}
    receive_quotes([given(**book), given("INFY", "1500.00", bid_price=Decimal("1499.00"))], RULES)
    ((first, second),) = messages(subscription)
    stored = [quote for _, quote in read_quotes(["NSE:RELIANCE", "NSE:INFY"])]
    assert sorted([first, second]) == sorted(stored)
    receive_quotes([given(last="101.00", ask_price=Decimal("101.05"))], RULES)  # keeps the high and the volume
    ((third,),) = messages(subscription)
    assert [third] == [quote for _, quote in read_quotes(["NSE:RELIANCE"])]
    assert isinstance(third, LiveQuote)
    assert (third.high_price, third.volume, third.bid_price) == ("101.50", 7, None)


@pytest.mark.one_bucket("where there are several, a last price is written as a quote is, and told as one")
def test_last_prices_are_told_with_the_numbers_of_their_quotes(subscription: Any) -> None:
    receive_quotes([given("INFY"), given(), given(last="101.00"), given("TCS", "7.50")], RULES)
    receive_quotes([given("TCS", "8.00"), given("INFY", "9.00")], RULES)
    found = [quote for message in messages(subscription) for quote in message]
    assert all(isinstance(quote, LastPrice) for quote in found)
    newest = {quote.key: (quote.quote_number, quote.price, quote.at) for quote in found}  # type: ignore[union-attr]
    stored = [quote for _, quote in read_quotes(["NSE:RELIANCE", "NSE:INFY", "NSE:TCS"])]
    assert newest == {quote.key: (quote.quote_number, quote.last_price, quote.quoted_at) for quote in stored}
    assert len(found) == 6


def test_a_portion_of_200_stocks_is_one_message(subscription: Any) -> None:
    receive_quotes([given(f"S{number}") for number in range(250)], RULES)
    assert [len(message) for message in messages(subscription)] == [200, 50]


def test_a_stale_quote_and_one_that_is_rolled_back_are_not_told(
    subscription: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_quotes([given(bid_price=Decimal("99.00"))], RULES)
    messages(subscription)
    ((_, quote),) = read_quotes(["NSE:RELIANCE"])
    from datetime import datetime, timedelta

    earlier = datetime.fromisoformat(str(quote.quoted_at)) - timedelta(seconds=1)
    assert receive_quotes([given(last="90.00", quoted_at=earlier)], RULES).accepted == 0

    def fail(*_: Any) -> None:
        raise RuntimeError("the matching fails")

    monkeypatch.setattr(feed, "match", fail)
    with pytest.raises(RuntimeError):
        receive_quotes([given(last="91.00", bid_price=Decimal("90.00"))], RULES)
    assert messages(subscription) == []


def test_nothing_is_published_inside_a_transaction(subscription: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = []
    publish = redis_link.client.publish

    def note(*arguments: Any) -> Any:
        inside.append(db.in_transaction() or not db.is_closed())
        return publish(*arguments)

    monkeypatch.setattr(redis_link.client, "publish", note)
    receive_quotes([given()], RULES)
    receive_quotes([given(bid_price=Decimal("99.00"))], RULES)
    assert inside == [False, False]


def test_while_nobody_listens_one_message_a_second_is_published(linked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    published = []
    publish = redis_link.client.publish

    def note(*arguments: Any) -> Any:
        published.append(time.monotonic())
        return publish(*arguments)

    monkeypatch.setattr(redis_link.client, "publish", note)
    monkeypatch.setattr(live_quotes, "_unheard_until", 0.0)
    for number in range(50):
        receive_quotes([given(last=f"{number + 1}.00")], RULES)
    assert len(published) <= 1 + (published[-1] - published[0])
    monkeypatch.setattr(live_quotes, "_unheard_until", 0.0)
    receive_quotes([given()], RULES)
    assert len(published) >= 2


@pytest.mark.parametrize("text", [b"", b"\xff", b"[]", b"7", b'{"quotes": [[1]]}', b'{"quotes": 7}'])
def test_another_text_on_the_channel_is_an_error_of_known_kind(text: bytes) -> None:
    with pytest.raises((ValueError, TypeError, AttributeError)):
        read_message(text)
