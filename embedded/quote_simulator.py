"""The quotes of the demo: a random walk over the seeded stocks with a bid and an ask, sent through the API.

A stock that another client has quoted is left alone from then on, so that an experiment is not disturbed. After a
restart, a price outside the walk's range counts as set by another client. The price of the examples' stock never moves;
its quote is repeated like the others, so that no order waits for a fresh one.
"""

import http.client
import json
import os
import random
import signal
import sys
import time
import urllib.request
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from embedded import local_http
from embedded.seed import Quote, read_stocks

PAUSE_S = 0.8
TIMEOUT_S = 5
# A step is about a thousandth of the price, and no price leaves the band around the seeded one.
MAX_STEP = 0.0012
BAND = Decimal("0.06")
TICK = Decimal("0.05")
QUOTED_SHARE = 0.7
PAGE = 200
EXAMPLE = ("NSE", "RELIANCE")  # bought by the banner's curl, at the price of the README
# The service says so of every quote if this machine's clock is wrong.
WRONG_CLOCK = ("future", "too_old")

Key = tuple[str, str]  # exchange, symbol


class Stored(NamedTuple):
    """The last price of a stock as the service has it, and the number of its quotes so far."""

    price: Decimal
    number: int


class Walk:
    """The random walk of one stock's price; with a band of 0 the price stays at its start."""

    def __init__(self, start: Decimal, stored: Stored, band: Decimal = BAND) -> None:
        self.low, self.high = start * (1 - band), start * (1 + band)
        self.slack = TICK if band else Decimal(0)
        self.stored, self.price = stored, stored.price
        self.has_moved = False

    @property
    def is_within_range(self) -> bool:
        """Return True if the price lies in this walk's range."""
        return self.low - self.slack <= self.price <= self.high + self.slack

    def accepts(self, found: Stored) -> bool:
        """Return True if no other client has quoted the stock since the last step, and take over the stored price."""
        is_ours = self.has_moved and found == Stored(self.price, self.stored.number + 1)
        if not is_ours and found != self.stored:
            return False
        self.stored, self.price, self.has_moved = found, found.price, False
        return True

    def step(self, chance: random.Random) -> Decimal:
        """Move the price by a bounded step and return it."""
        moved = self.price * Decimal(1 + chance.uniform(-MAX_STEP, MAX_STEP))
        bounded = min(max(moved, self.low), self.high)
        self.price = max(TICK, (bounded / TICK).quantize(Decimal(1), ROUND_HALF_UP) * TICK)
        self.has_moved = True
        return self.price


class Simulator:
    """The walks of all stocks that no other client quotes."""

    def __init__(self, stocks: list[Quote], chance: random.Random) -> None:
        self.starts = {(exchange, symbol): price for exchange, symbol, price in stocks}
        self.walks: dict[Key, Walk] = {}
        self.left_alone: set[Key] = set()
        self.chance = chance

    def next_quotes(self, stored: dict[Key, Stored]) -> list[dict[str, str]]:
        """Return the quotes to send, given the quotes that the service has stored."""
        quotes = []
        for key, start in self.starts.items():
            if key in self.left_alone or key not in stored:
                continue
            band = Decimal(0) if key == EXAMPLE else BAND
            walk = self.walks.setdefault(key, Walk(start, stored[key], band))
            if not walk.accepts(stored[key]) or not walk.is_within_range:
                self.left_alone.add(key)
            elif self.chance.random() < QUOTED_SHARE:
                quotes.append({"exchange": key[0], "symbol": key[1], **self._prices(walk)})
        return quotes

    def _prices(self, walk: Walk) -> dict[str, str]:
        """Return the next prices: the last trade was at the bid or at the ask, which are one tick apart."""
        last = walk.step(self.chance)
        if walk.low == walk.high:
            return {"lastPrice": f"{last:.2f}"}
        bid = max(TICK, last - TICK * self.chance.randint(0, 1))
        return {"lastPrice": f"{last:.2f}", "bidPrice": f"{bid:.2f}", "askPrice": f"{bid + TICK:.2f}"}

    def forget(self) -> None:
        """Restart the walks from the current prices, since the last quotes may not have been stored."""
        self.walks.clear()


class Feed:
    """The API as a client that reads stocks and sends quotes."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.clock_is_right = True

    def stored(self) -> dict[Key, Stored]:
        """Return the last prices of all stocks that have one, with the numbers of their quotes."""
        found: dict[Key, Stored] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = self._send("GET", f"/api/market/stocks?limit={PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            for stock in page["data"]:
                if stock["lastPrice"] is not None:
                    key = stock["exchange"], stock["symbol"]
                    found[key] = Stored(Decimal(stock["lastPrice"]), stock["quoteNumber"])
            cursor = page["nextCursor"]
        return found

    def put(self, quotes: list[dict[str, str]], at: datetime) -> None:
        """Send quotes as of a time: the service leaves out those of stocks that were quoted since then."""
        if not quotes:
            return
        if self.clock_is_right:
            quotes = [{**quote, "quotedAt": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"} for quote in quotes]
        answer = self._send("PUT", "/api/market/quotes", {"quotes": quotes})
        if any(refused["outcome"] in WRONG_CLOCK for refused in (answer or {}).get("notMatched", ())):
            self.clock_is_right = False

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, self.headers, method=method)  # noqa: S310  (our own)
        with local_http.open_url(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read() or b"null")


def run(feed: Feed, simulator: Simulator) -> None:
    """Send quotes until the process ends; wait for a server that is unreachable."""
    while True:
        try:
            at = datetime.now(UTC)
            feed.put(simulator.next_quotes(feed.stored()), at)
        except (OSError, http.client.HTTPException, ValueError):
            simulator.forget()
        time.sleep(PAUSE_S)


def main() -> int:
    """Quote the demo's stocks until a stop signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    feed = Feed(f"http://127.0.0.1:{os.environ['PORT']}", os.environ["DEMO_FEED_TOKEN"])
    run(feed, Simulator(read_stocks(), random.Random()))  # noqa: S311  (no secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
