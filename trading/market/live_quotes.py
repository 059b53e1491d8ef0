"""Live quotes: stored quotes on their way to listeners, in one message on a Redis channel for each stored portion.

A message is a hint. It can be lost, and whoever follows the channel compares with the database now and then.
"""

import functools
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from models.database import array_of, fetch_all, session
from models.rows import StockRow
from runtime import redis_link
from trading.market.stocks import AMONG
from trading.rules.sessions import indian_day

# While no process follows the channel, one message a second finds out if one does again.
UNHEARD_S = 1.0

KNOWN = f"SELECT * FROM stock WHERE is_active AND {AMONG}"
# A restored backup has smaller numbers than the quotes that were told before.
CHANGED = """
SELECT stock.* FROM unnest(%s::uuid[], %s::bigint[]) AS known (id, number)
JOIN stock ON stock.id = known.id AND stock.quote_number <> known.number
"""

_unheard_until = 0.0


class LiveQuote(NamedTuple):
    """A stock's quote as it is sent: prices are texts with 2 places, times are RFC 3339 in UTC, unknown is None."""

    exchange: str
    symbol: str
    quote_number: int
    last_price: str | None
    last_price_at: str | None
    bid_price: str | None
    ask_price: str | None
    bid_quantity: int | None
    ask_quantity: int | None
    volume: int | None
    open_price: str | None
    high_price: str | None
    low_price: str | None
    previous_close: str | None
    quoted_at: str | None
    is_halted: bool
    newest_trade_at: str | None

    @property
    def key(self) -> str:
        """The stock's name among all stocks: `NSE:RELIANCE`."""
        return f"{self.exchange}:{self.symbol}"

    def with_last_price(self, number: int, price: str, at: str) -> "LiveQuote":
        """Return the quote after one that gives nothing but a last price: the book is gone, and all else stays."""
        is_same_day = self.quoted_at is not None and _day_of(self.quoted_at) == _day_of(at)
        return self._replace(
            quote_number=number,
            last_price=price,
            last_price_at=at,
            quoted_at=at,
            bid_price=None,
            ask_price=None,
            bid_quantity=None,
            ask_quantity=None,
            volume=self.volume if is_same_day else None,
        )


class LastPrice(NamedTuple):
    """A quote that gives nothing but a last price."""

    key: str
    quote_number: int
    price: str
    at: str


def live_quote(row: StockRow | Mapping[str, Any]) -> LiveQuote:
    """Return the live quote of a stock's row."""
    quoted_at, volume_day = row["quoted_at"], row["volume_day"]
    is_volume_of_day = quoted_at is not None and volume_day == indian_day(quoted_at)
    return LiveQuote(
        row["exchange"],
        row["symbol"],
        row["quote_number"],
        _money(row["last_price"]),
        _moment(row["last_price_at"]),
        _money(row["bid_price"]),
        _money(row["ask_price"]),
        row["bid_quantity"],
        row["ask_quantity"],
        row["largest_volume"] if is_volume_of_day else None,
        _money(row["open_price"]),
        _money(row["high_price"]),
        _money(row["low_price"]),
        _money(row["previous_close"]),
        _moment(quoted_at),
        row["is_halted"],
        _moment(row["newest_trade_at"]),
    )


def read_quotes(keys: Iterable[str]) -> list[tuple[UUID, LiveQuote]]:
    """Return the id and the quote of each active stock among these keys."""
    pairs = [key.split(":", 1) for key in keys]
    with session():
        rows = fetch_all(KNOWN, ([exchange for exchange, _ in pairs], [symbol for _, symbol in pairs]), StockRow)
    return [(row["id"], live_quote(row)) for row in rows]


def read_changed(known: Mapping[UUID, int]) -> list[LiveQuote]:
    """Return the quotes of these stocks whose number is another than the known one."""
    with session():
        rows = fetch_all(CHANGED, (array_of(known), array_of(known.values())), StockRow)
    return [live_quote(row) for row in rows]


def channel() -> str:
    """Return the channel of quotes."""
    return redis_link.key("quotes")


def are_heard() -> bool:
    """Return True if it is worth to publish: there is a Redis, and a process followed the channel a moment ago."""
    return redis_link.is_enabled() and time.monotonic() >= _unheard_until


def publish_quotes(quotes: Iterable[LiveQuote]) -> None:
    """Publish quotes that were committed, best effort."""
    _publish({"quotes": list(quotes)})


def publish_last_prices(keys: Sequence[str], numbers: Sequence[int], prices: Sequence[Decimal], at: datetime) -> None:
    """Publish last prices that were committed, best effort; `numbers` are those of the quotes."""
    texts = [f"{price:.2f}" for price in prices]
    _publish({"at": _moment(at), "lastPrices": list(zip(keys, numbers, texts, strict=True))})


def read_message(payload: bytes) -> list[LiveQuote | LastPrice]:
    """Return the quotes of a message; raises ValueError or TypeError for any other text."""
    message = json.loads(payload)
    if "quotes" in message:
        return [LiveQuote(*row) for row in message["quotes"]]
    at = message.get("at")
    return [LastPrice(key, number, price, at) for key, number, price in message.get("lastPrices", ())]


def call_followers() -> None:
    """Publish a message without quotes, through a server that accepts writes; raises redis.RedisError."""
    with redis_link.client.pipeline(transaction=False) as pipeline:
        redis_link.prove_writable(pipeline)
        pipeline.publish(channel(), "{}")
        pipeline.execute()


def _publish(message: dict[str, Any]) -> None:
    global _unheard_until
    text = json.dumps(message, separators=(",", ":"))
    if redis_link.ask(functools.partial(redis_link.client.publish, channel(), text)) == 0:
        _unheard_until = time.monotonic() + UNHEARD_S


def _money(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


@functools.lru_cache(maxsize=1_000)
def _day_of(text: str) -> object:
    return indian_day(datetime.fromisoformat(text))
