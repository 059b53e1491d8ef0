"""The market of the clients' sessions: four stocks with Kite's own tokens, and a thousand that fill lists."""

import time
from decimal import Decimal
from typing import Any

import requests

from tests.support.processes import Running
from trading.accounts import tokens
from trading.market.instruments import tokens_of
from trading.matching import feed
from trading.matching.stock_changes import ImportedFacts, set_facts

# kite.trade's tokens of these stocks: 256 times the number of the exchange, and 1 for NSE or 4 for BSE.
TOKENS = {"INFY": 408065, "RELIANCE": 738561, "TCS": 2953217}
BSE_SBIN = 128028676
PRICES = {"INFY": 1500.0, "RELIANCE": 2500.0, "TCS": 3000.0}
MANY = [f"F{number:04}" for number in range(1000)]
TICK = Decimal("0.05")
# Below the trigger of the sessions' SL order at 2480, and above its limit of 2470 and the trigger of their SL-M order.
FALLEN = 2475.0
LAST_INFY = 1512.5


class Market:
    """The quotes of a web process."""

    def __init__(self, web: Running) -> None:
        self.url = web.base_url
        self.prices = dict(PRICES)
        self.volume = 1_000
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {tokens.create_token(['feed'])[1]}"

    def open(self) -> None:
        """Make the stocks, and quote them."""
        feed.set_quotes([("NSE", symbol, Decimal("100.00")) for symbol in MANY] + [("BSE", "SBIN", Decimal("800.00"))])
        feed.set_quotes([("NSE", symbol, Decimal(str(price))) for symbol, price in PRICES.items()])
        facts = [ImportedFacts("NSE", symbol, tick_size=TICK, instrument_token=TOKENS[symbol]) for symbol in TOKENS]
        set_facts([*facts, ImportedFacts("BSE", "SBIN", tick_size=TICK, instrument_token=BSE_SBIN)])
        self.quote()

    def quote(self) -> None:
        """Quote the stocks that the sessions trade, each with a new trade."""
        self.volume += 10
        quotes = [self._quote(symbol, price) for symbol, price in self.prices.items()]
        answer = self.http.put(f"{self.url}/api/market/quotes", json={"quotes": quotes}, timeout=10)
        assert answer.status_code == 200, answer.text

    def move_for(self, seconds: float, pause_s: float) -> None:
        """Move the price of INFY for a time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.prices["INFY"] += 0.05
            self.quote()
            time.sleep(pause_s)

    def fall_to_the_stops(self) -> None:
        """Let RELIANCE trade below the triggers of the sessions' SL orders."""
        self.prices["RELIANCE"] = FALLEN
        self.quote()

    def end(self) -> None:
        """Quote a last price of INFY, and give it time to arrive."""
        self.prices["INFY"] = LAST_INFY
        self.quote()
        time.sleep(1)

    def instructions(self, token: str) -> dict[str, Any]:
        """Return the first line of the input of a session with this token."""
        return {
            "url": self.url,
            "ticker": f"{self.url.replace('http', 'ws')}/kite/ticker",
            "token": token,
            "tokens": TOKENS,
            "many": [f"NSE:{symbol}" for symbol in MANY],
            "listen": {
                "ltp": [TOKENS["RELIANCE"], *tokens_of(f"NSE:{symbol}" for symbol in MANY).values()],
                "quote": [TOKENS["TCS"]],
                "full": [TOKENS["INFY"]],
            },
        }

    def _quote(self, symbol: str, price: float) -> dict[str, Any]:
        day = {"open": price - 5, "high": price + 10, "low": price - 10, "previousClose": PRICES[symbol] - 10}
        book = {"bidPrice": price - 0.05, "askPrice": price + 0.05}
        money = {name: f"{value:.2f}" for name, value in {"lastPrice": price, **book, **day}.items()}
        sizes = {"bidQuantity": 120, "askQuantity": 75, "volume": self.volume}
        return {"exchange": "NSE", "symbol": symbol, **money, **sizes}
