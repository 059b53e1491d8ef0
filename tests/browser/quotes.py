"""Quotes for the desk, sent as a feed sends them."""

from typing import Any

import requests


class Feed:
    """A feed of quotes: feed("RELIANCE", lastPrice="2500.00", bidPrice="2499.95")."""

    def __init__(self, base_url: str, headers: dict[str, str]) -> None:
        self.url = f"{base_url}/api/market/quotes"
        self.headers = headers

    def __call__(self, symbol: str, **members: Any) -> None:
        """Send one quote."""
        body = {"quotes": [{"exchange": "NSE", "symbol": symbol, **members}]}
        answer = requests.put(self.url, json=body, headers=self.headers, timeout=10)
        assert answer.status_code in (200, 204), answer.text
