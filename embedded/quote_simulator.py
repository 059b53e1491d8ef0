"""The moving prices of the demo: a random walk over the seeded stocks, sent through the API.

A price that another client has set is left alone from then on, so that an experiment is not disturbed. After a
restart, a price outside the walk's range counts as set by another client. The stock of the examples never moves.
"""

import http.client
import json
import os
import random
import signal
import sys
import time
import urllib.request
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from embedded import local_http
from embedded.seed import Quote, read_stocks

PAUSE_S = 0.8
TIMEOUT_S = 5
# A step is about a thousandth of the price, and no price leaves the band around the seeded one.
MAX_STEP = 0.0012
BAND = Decimal("0.06")
TICK = Decimal("0.05")
MOVING_SHARE = 0.7
PAGE = 200
EXAMPLE = ("NSE", "RELIANCE")  # bought by the banner's curl, at the price of the README


class Walk:
    """The random walk of one stock's price."""

    def __init__(self, start: Decimal, price: Decimal) -> None:
        self.low, self.high = start * (1 - BAND), start * (1 + BAND)
        self.price = price

    @property
    def is_ours(self) -> bool:
        """Return True if the price lies in this walk's range."""
        return self.low - TICK <= self.price <= self.high + TICK

    def step(self, chance: random.Random) -> Decimal:
        """Move the price by a bounded step and return it."""
        moved = self.price * Decimal(1 + chance.uniform(-MAX_STEP, MAX_STEP))
        bounded = min(max(moved, self.low), self.high)
        self.price = max(TICK, (bounded / TICK).quantize(Decimal(1), ROUND_HALF_UP) * TICK)
        return self.price


class Simulator:
    """The walks of all stocks whose prices no other client sets."""

    def __init__(self, stocks: list[Quote], chance: random.Random) -> None:
        self.starts = {(exchange, symbol): price for exchange, symbol, price in stocks}
        self.walks: dict[tuple[str, str], Walk] = {}
        self.left_alone: set[tuple[str, str]] = set()
        self.chance = chance

    def next_quotes(self, prices: dict[tuple[str, str], Decimal]) -> list[dict[str, str]]:
        """Return the quotes to set, given the current prices."""
        quotes = []
        for key, start in self.starts.items():
            if key in self.left_alone or key not in prices:
                continue
            walk = self.walks.setdefault(key, Walk(start, prices[key]))
            if prices[key] != walk.price or not walk.is_ours:
                self.left_alone.add(key)
            elif self.chance.random() < MOVING_SHARE:
                exchange, symbol = key
                quotes.append({"exchange": exchange, "symbol": symbol, "lastPrice": f"{walk.step(self.chance):.2f}"})
        return quotes

    def forget(self) -> None:
        """Restart the walks from the current prices, since the last quotes may not have been set."""
        self.walks.clear()


class Feed:
    """The API as a client that reads stocks and sets quotes."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base_url = base_url
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def prices(self) -> dict[tuple[str, str], Decimal]:
        """Return the last traded prices of all stocks."""
        prices: dict[tuple[str, str], Decimal] = {}
        cursor: str | None = ""
        while cursor is not None:
            page = self._send("GET", f"/api/market/stocks?limit={PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            for stock in page["data"]:
                if stock["lastPrice"] is not None:
                    prices[stock["exchange"], stock["symbol"]] = Decimal(stock["lastPrice"])
            cursor = page["nextCursor"]
        return prices

    def put(self, quotes: list[dict[str, str]]) -> None:
        """Set last traded prices."""
        if quotes:
            self._send("PUT", "/api/market/quotes", {"quotes": quotes})

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data, self.headers, method=method)  # noqa: S310  (our own)
        with local_http.open_url(request, timeout=TIMEOUT_S) as response:
            return json.loads(response.read() or b"null")


def run(feed: Feed, simulator: Simulator) -> None:
    """Walk until the process ends; wait for a server that is unreachable."""
    while True:
        try:
            feed.put(simulator.next_quotes(feed.prices()))
        except (OSError, http.client.HTTPException, ValueError):
            simulator.forget()
        time.sleep(PAUSE_S)


def main() -> int:
    """Walk the demo's prices until a stop signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))
    feed = Feed(f"http://127.0.0.1:{os.environ['PORT']}", os.environ["DEMO_FEED_TOKEN"])
    stocks = [quote for quote in read_stocks() if quote[:2] != EXAMPLE]
    run(feed, Simulator(stocks, random.Random()))  # noqa: S311  (no secret)
    return 0


if __name__ == "__main__":
    sys.exit(main())
