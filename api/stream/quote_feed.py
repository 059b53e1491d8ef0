"""The newest quotes of the stocks that somebody watches in this process, handed to their watchers at a bounded pace.

The feed knows no socket: each door has its own kind of Watcher, and its own way to write a quote.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from uuid import UUID

from runtime import metrics
from trading.market.live_quotes import LastPrice, LiveQuote, read_quotes

from .watchers import Outgoing, Stock, Watcher, Writer

# A stock's quotes are handed out at most four times a second, the newest each time.
INTERVAL_S = 0.25
# Other work of the process goes on after this many watchers.
WATCHERS_AT_ONCE = 25


class QuoteFeed:
    """Keeps the quotes of watched stocks, and hands the changed ones to their watchers.

    Threads call take, correct and hand_out (api.stream.quote_threads); `start` is called with the feed when the first
    watcher comes, to start them.
    """

    def __init__(self, start: Callable[["QuoteFeed"], None] | None = None) -> None:
        self._start = start
        self._lock = threading.Lock()
        self._stocks: dict[str, Stock] = {}
        self._changed: set[Stock] = set()
        # The stocks that watchers have not got yet: after watch, and while they are behind.
        self._owed: defaultdict[Watcher, set[Stock]] = defaultdict(set)
        self._is_watched = threading.Event()
        self._has_news = threading.Event()

    @property
    def is_watched(self) -> bool:
        """True if any stock is watched."""
        return bool(self._stocks)

    @property
    def known(self) -> dict[UUID, int]:
        """The watched stocks with the numbers of their known quotes; -1 if the database shall tell it anew."""
        with self._lock:
            return {stock.id: -1 if stock.is_doubtful else stock.number for stock in self._stocks.values()}

    def wait_for_watchers(self) -> None:
        """Wait until any stock is watched."""
        self._is_watched.wait()

    def wait_for_news(self) -> None:
        """Wait until there is anything to hand out."""
        self._has_news.wait()

    def watch(self, watcher: Watcher, keys: Collection[str], write: Writer, *, anew: bool = True) -> list[str]:
        """Let a watcher get the quotes of these stocks, each once at once; return the keys of unknown stocks.

        `write` writes the quotes, also those of stocks that were watched before, unless anew is False.
        Raises DatabaseUnavailable: then the watcher watches what it watched before.
        """
        with self._lock:
            start, self._start = self._start, None
            known = [self._stocks[key] for key in keys if key in self._stocks]
            before = {stock: watcher.watched.get(stock) for stock in known}
            self._add(watcher, known, write, anew=anew)
        if start is not None:
            start(self)
        missing = set(keys) - {stock.key for stock in known}
        if missing:
            try:
                found = read_quotes(missing)
            except Exception:
                self._restore(watcher, before)
                raise
            missing -= self._add_new(watcher, found, write)
        return [key for key in keys if key in missing]

    def unwatch(self, watcher: Watcher, keys: Iterable[str]) -> None:
        """Let a watcher no longer get the quotes of these stocks."""
        with self._lock:
            for key in keys:
                stock = self._stocks.get(key)
                if stock is not None and stock in watcher.watched:
                    self._remove(watcher, stock)

    def leave(self, watcher: Watcher) -> None:
        """Forget a watcher."""
        with self._lock:
            for stock in list(watcher.watched):
                self._remove(watcher, stock)
            self._owed.pop(watcher, None)

    def take(self, quotes: Iterable[LiveQuote | LastPrice]) -> None:
        """Take the quotes of a message that are newer and of watched stocks; ignore the others."""
        with self._lock:
            for quote in quotes:
                stock = self._stocks.get(quote.key)
                if stock is None or quote.quote_number <= stock.number:
                    continue
                if isinstance(quote, LastPrice):
                    stock.is_doubtful = stock.is_doubtful or quote.quote_number > stock.number + 1
                    quote = stock.newest.quote.with_last_price(*quote[1:])
                else:
                    stock.is_doubtful = False
                self._change(stock, quote)
            self._tell()

    def correct(self, known: dict[UUID, int], quotes: Iterable[LiveQuote]) -> None:
        """Take quotes that the database has told beside others than the known ones.

        A quote with a smaller number than the known one shows that the database has lost quotes: it is right.
        """
        with self._lock:
            for quote in quotes:
                stock = self._stocks.get(quote.key)
                if stock is None or stock.id not in known:
                    continue
                if quote.quote_number >= stock.number or quote.quote_number < known[stock.id]:
                    stock.is_doubtful = False
                    if quote != stock.newest.quote:
                        self._change(stock, quote)
            self._tell()

    def hand_out(self) -> None:
        """Give each watcher the changed quotes whose turn it is, except watchers that are behind: they get them later.

        A single thread calls it, so that no quote overtakes a newer one.
        """
        counts = {"sent": 0, "postponed": 0}
        for number, (watcher, stocks) in enumerate(self._take_due().items(), 1):
            if watcher.is_behind:
                self._postpone(watcher, stocks)
                counts["postponed"] += len(stocks)
            elif written := _written(stocks, watcher.watched):
                watcher.take(written)
                counts["sent"] += len(written)
            if number % WATCHERS_AT_ONCE == 0:
                time.sleep(0)
        for outcome, count in counts.items():
            metrics.of(metrics.LIVE_QUOTES, outcome).inc(count)

    def _take_due(self) -> dict[Watcher, set[Stock]]:
        now = time.monotonic()
        with self._lock:
            owed, self._owed = self._owed, defaultdict(set)
            due = [stock for stock in self._changed if stock.next_at <= now]
            self._changed.difference_update(due)
            for stock in due:
                stock.next_at = now + INTERVAL_S
                for watcher in stock.watchers:
                    owed[watcher].add(stock)
            self._tell()
        return owed

    def _postpone(self, watcher: Watcher, stocks: set[Stock]) -> None:
        with self._lock:
            if still := stocks & watcher.watched.keys():
                self._owed[watcher].update(still)
            self._tell()

    def _add(self, watcher: Watcher, stocks: Collection[Stock], write: Writer, *, anew: bool = True) -> None:
        for stock in stocks:
            stock.watchers.add(watcher)
            if anew or stock not in watcher.watched:
                watcher.watched[stock] = write
        if stocks:
            self._owed[watcher].update(stocks)
            self._tell()

    def _add_new(self, watcher: Watcher, found: Iterable[tuple[UUID, LiveQuote]], write: Writer) -> set[str]:
        with self._lock:
            stocks = [self._stocks.setdefault(quote.key, Stock(stock_id, quote)) for stock_id, quote in found]
            self._add(watcher, stocks, write)
            return {stock.key for stock in stocks}

    def _restore(self, watcher: Watcher, before: Mapping[Stock, Writer | None]) -> None:
        with self._lock:
            for stock, write in before.items():
                if write is None:
                    self._remove(watcher, stock)
                else:
                    watcher.watched[stock] = write

    def _remove(self, watcher: Watcher, stock: Stock) -> None:
        watcher.watched.pop(stock, None)
        stock.watchers.discard(watcher)
        if not stock.watchers:
            del self._stocks[stock.key]
            self._changed.discard(stock)
            if not self._stocks:
                self._is_watched.clear()

    def _change(self, stock: Stock, quote: LiveQuote) -> None:
        stock.newest = Outgoing(quote)
        self._changed.add(stock)

    def _tell(self) -> None:
        """Wake the threads that have something to do."""
        if self._stocks:
            self._is_watched.set()
        if self._changed or self._owed:
            self._has_news.set()
        else:
            self._has_news.clear()


def _written(stocks: Iterable[Stock], watched: Mapping[Stock, Writer]) -> list[bytes]:
    """Return the newest quotes of those of these stocks that are watched, as they are to be written."""
    written = []
    for stock in stocks:
        write = watched.get(stock)
        if write is not None:
            written.append(stock.newest.written(write))
    return written
