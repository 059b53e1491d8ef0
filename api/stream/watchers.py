"""Watchers of stocks, and the quotes that they get, each written once for all watchers of a door."""

from collections.abc import Callable
from uuid import UUID

from trading.market.live_quotes import LiveQuote

Writer = Callable[[LiveQuote], bytes]


class Outgoing:
    """A quote that is handed out; each way of writing it is used once for all watchers."""

    __slots__ = ("_written", "quote")

    def __init__(self, quote: LiveQuote) -> None:
        self.quote = quote
        self._written: dict[Writer, bytes] = {}

    def written(self, write: Writer) -> bytes:
        """Return the quote as this function writes it."""
        found = self._written.get(write)
        if found is None:
            found = self._written[write] = write(self.quote)
        return found


class Stock:
    """A watched stock."""

    __slots__ = ("id", "is_doubtful", "key", "newest", "next_at", "watchers")

    def __init__(self, stock_id: UUID, quote: LiveQuote) -> None:
        self.id = stock_id
        self.key = quote.key
        self.newest = Outgoing(quote)
        self.watchers: set[Watcher] = set()
        self.next_at = 0.0
        # A message was lost, and a last price alone does not tell the rest: the database is asked.
        self.is_doubtful = False

    @property
    def number(self) -> int:
        """The number of the newest known quote."""
        return self.newest.quote.quote_number


class Watcher:
    """A receiver of quotes; `watched` belongs to the feed: each stock with the way to write its quotes."""

    __slots__ = ("watched",)

    def __init__(self) -> None:
        self.watched: dict[Stock, Writer] = {}

    @property
    def is_behind(self) -> bool:
        """True if it should read its earlier quotes before it gets more."""
        raise NotImplementedError

    def take(self, written: list[bytes]) -> None:
        """Send quotes, each as it was written; never waits."""
        raise NotImplementedError
