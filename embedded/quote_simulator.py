"""The quotes of the demo: bid, ask, the day's prices and the volume of the seeded stocks, sent through the API.

A stock that another client has quoted is left alone for good, so that an experiment is not disturbed. The price of the
examples' stock stands still until the demo account has an order in it; its quote is repeated like the others, so that
no order waits for a fresh one. Outside the session prices stand still.
"""

import http.client
import json
import os
import random
import signal
import sys
import time
import urllib.error
import urllib.request
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from embedded import local_http
from embedded.quote_memory import Expected, Key, QuoteMemory
from embedded.seed import MEMORY_NAME, Quote, read_stocks
from embedded.walks import MAX_BOOK_QUANTITY, TICK, Day, Walk, close_before
from trading.rules.sessions import indian_day

PAUSE_S = 0.8
TIMEOUT_S = 5
QUOTED_SHARE = 0.7
PAGE = 200
UNAUTHENTICATED = 401
EXAMPLE = ("NSE", "RELIANCE")  # bought by the banner's curl, at the price of the README
SESSION_CLASS = "NORMAL"  # of all stocks of the demo


class Stored(NamedTuple):
    """A stock's quote as the service has it: its price, its number, and the stock's day, which a seed does not have."""

    price: Decimal
    number: int
    day: Day
    has_day: bool = True

    @classmethod
    def of(cls, stock: dict[str, Any]) -> "Stored":
        """Return the quote of a stock that has a last price."""
        price = Decimal(stock["lastPrice"])
        at = stock["quotedAt"] or stock["lastPriceAt"]
        day = date.min if at is None else indian_day(datetime.fromisoformat(at))
        if stock["previousClose"] is None:
            unknown = Day.before_trades(day, close_before(stock["symbol"], price))
            return cls(price, stock["quoteNumber"], unknown, has_day=False)
        opened, high, low = (Decimal(stock[name] or price) for name in ("open", "high", "low"))
        known = Day(day, Decimal(stock["previousClose"]), opened, high, low, stock.get("volume") or 0)
        return cls(price, stock["quoteNumber"], known)


class Market(NamedTuple):
    """The service's time, whether the demo's stocks are traded then, and the day with a session, None without one."""

    at: str
    is_open: bool
    day: date | None

    @classmethod
    def of(cls, clock: dict[str, Any]) -> "Market":
        """Return the market as the service's clock describes it."""
        (session,) = [one for one in clock["sessions"] if one["sessionClass"] == SESSION_CLASS]
        today = indian_day(datetime.fromisoformat(clock["at"]))
        next_open = session["nextOpensAt"]
        opens_today = next_open is not None and indian_day(datetime.fromisoformat(next_open)) == today
        return cls(clock["at"], session["open"], today if session["open"] or opens_today else None)


class DemoStock:
    """A stock that no other client quotes: the walk of its price, and its day."""

    def __init__(self, first: Decimal, found: Stored, chance: random.Random) -> None:
        self.walk, self.day = Walk(first, found.price, chance), found.day
        self._chance = chance

    def quote(self, *, stands_still: bool) -> dict[str, Any]:
        """Return the next quote, of a trade at the bid or at the ask, which are one tick apart."""
        if not stands_still:
            self.walk.step() if self.day.volume else self.walk.jump()
        self.day = self.day.after(self.walk.price, self.walk.shares())
        below = 1 if stands_still else self._chance.randint(0, 1)  # an order to buy then fills at the last price
        return self._quote(bid=max(TICK, self.walk.price - TICK * below))

    def begin(self, day: date) -> None:
        """Begin a day: the last price becomes the close before it."""
        self.day = Day.before_trades(day, self.walk.price)

    def quote_before_trades(self) -> dict[str, Any]:
        """Return a quote that tells only of the close before the day."""
        return self._quote(bid=None)

    def _quote(self, bid: Decimal | None) -> dict[str, Any]:
        _, previous_close, opened, high, low, volume = self.day
        prices = {"lastPrice": self.walk.price, "open": opened, "high": high, "low": low}
        prices["previousClose"] = previous_close
        quote: dict[str, Any] = {"volume": volume}
        if bid is not None:
            prices |= {"bidPrice": bid, "askPrice": bid + TICK}
            quote |= {side: self._chance.randint(1, MAX_BOOK_QUANTITY) for side in ("bidQuantity", "askQuantity")}
        return quote | {name: f"{price:.2f}" for name, price in prices.items()}


class Simulator:
    """The quotes of all stocks that no other client quotes."""

    def __init__(self, stocks: list[Quote], chance: random.Random, memory: QuoteMemory) -> None:
        self.firsts = {(exchange, symbol): price for exchange, symbol, price in stocks}
        self.memory, self.chance = memory, chance
        self.stocks: dict[Key, DemoStock] = {}

    def next_quotes(
        self, stored: dict[Key, Stored], market: Market, *, example_moves: bool = True
    ) -> list[dict[str, Any]]:
        """Return the quotes to send, given those that the service has stored, and remember them. Raises OSError."""
        quotes = []
        for key in sorted((self.firsts.keys() & stored.keys()) - self.memory.left_alone):
            if not self._is_ours(key, stored[key]):
                self._leave_alone(key)
                continue
            if key not in self.stocks:
                self.stocks[key] = DemoStock(self.firsts[key], stored[key], self.chance)
            stock = self.stocks[key]
            expected = Expected(stored[key].number, stored[key].price)
            stands_still = not stored[key].has_day or (key == EXAMPLE and not example_moves)
            is_due = market.is_open or not stored[key].has_day
            quote = self._next_quote(stock, market, is_due=is_due, stands_still=stands_still)
            if quote is not None:
                quotes.append({"exchange": key[0], "symbol": key[1], **quote})
                expected = expected._replace(sent=stock.walk.price)
            self.memory.expected[key] = expected
        if quotes:
            self.memory.write()
        return quotes

    def forget(self) -> None:
        """Begin again from the current prices, since the last quotes may not have been stored."""
        self.stocks.clear()
        self.memory.expected.clear()

    def _is_ours(self, key: Key, found: Stored) -> bool:
        expected = self.memory.expected.get(key)
        if expected is None or found.number < expected.number:  # a new data folder, or a database of a backup
            return Walk.is_possible(self.firsts[key], found.price)
        return expected.explains(found.number, found.price)

    def _leave_alone(self, key: Key) -> None:
        self.memory.left_alone.add(key)
        self.memory.expected.pop(key, None)
        self.memory.write()
        print(f"{' '.join(key)} is quoted by another client: the simulator leaves it alone from now on", flush=True)

    def _next_quote(
        self, stock: DemoStock, market: Market, *, is_due: bool, stands_still: bool
    ) -> dict[str, Any] | None:
        """Return the next quote of a stock, or None if it is left out of this round."""
        if market.day is not None and stock.day.day < market.day:
            stock.begin(market.day)
            if not market.is_open:
                return stock.quote_before_trades()
        return stock.quote(stands_still=stands_still) if is_due and self.chance.random() < QUOTED_SHARE else None


class Feed:
    """The API as a client that reads stocks and sends quotes."""

    def __init__(self, base_url: str, feed_token: str, demo_token: str) -> None:
        self.base_url = base_url
        self.feed_token, self.demo_token = feed_token, demo_token
        self._example_moves = False

    def market(self) -> Market:
        """Return the service's time and session."""
        return Market.of(self._send("GET", "/api/market/clock", self.feed_token))

    def stored(self) -> dict[Key, Stored]:
        """Return the quotes of all stocks that have a last price."""
        found: dict[Key, Stored] = {}
        cursor: str | None = ""
        while cursor is not None:
            path = f"/api/market/stocks?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
            page = self._send("GET", path, self.feed_token)
            priced = [stock for stock in page["data"] if stock["lastPrice"] is not None]
            found |= {(stock["exchange"], stock["symbol"]): Stored.of(stock) for stock in priced}
            cursor = page["nextCursor"]
        return found

    def example_moves(self) -> bool:
        """Return True from the demo account's first order in the examples' stock on, or if its token is not valid.

        An order counts once a worker has looked at it, so that the very first one fills at the price of the README.
        """
        if not self._example_moves:
            try:
                orders = self._send("GET", f"/api/trading/orders?symbol={EXAMPLE[1]}&limit=20", self.demo_token)["data"]
                self._example_moves = any(order["status"] != "PENDING" for order in orders)
            except urllib.error.HTTPError as refusal:
                if refusal.code != UNAUTHENTICATED:
                    raise
                self._example_moves = True
        return self._example_moves

    def put(self, quotes: list[dict[str, Any]], at: str) -> None:
        """Send quotes as of a time: the service leaves out those of stocks that were quoted since then."""
        if quotes:
            timed = [{**quote, "quotedAt": at} for quote in quotes]
            self._send("PUT", "/api/market/quotes", self.feed_token, {"quotes": timed})

    def _send(self, method: str, path: str, token: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.base_url + path, data, headers, method=method)  # noqa: S310  (our own)
        with local_http.open_url(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read() or b"null")


def run(feed: Feed, simulator: Simulator) -> None:
    """Send quotes until the process ends; wait for a server that is unreachable."""
    while True:
        quotes: list[dict[str, Any]] = []
        try:
            market, example_moves = feed.market(), feed.example_moves()
            quotes = simulator.next_quotes(feed.stored(), market, example_moves=example_moves)
            feed.put(quotes, market.at)
        except (OSError, http.client.HTTPException, ValueError):
            if quotes:  # before the service is ready nothing was sent, and what is remembered still holds
                simulator.forget()
        time.sleep(PAUSE_S)


def main() -> int:
    """Quote the demo's stocks until a stop signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    base_url = f"http://127.0.0.1:{os.environ['PORT']}"
    feed = Feed(base_url, os.environ["DEMO_FEED_TOKEN"], os.environ["DEMO_TOKEN"])
    memory = QuoteMemory(Path(os.environ["DATA_DIR"]) / MEMORY_NAME)
    run(feed, Simulator(read_stocks(), random.Random(), memory))  # noqa: S311  (no secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
