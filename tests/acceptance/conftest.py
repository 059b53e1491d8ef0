"""Clients of the real processes."""

from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.support.processes import Running, wait_until

ORDER = {
    "exchange": "NSE",
    "symbol": "RELIANCE",
    "side": "BUY",
    "quantity": 10,
    "orderType": "LIMIT",
    "price": "2500.00",
}


class Trader:
    """A client of one web process with one account's token."""

    def __init__(self, web: Running, token: str) -> None:
        self.base_url = web.base_url
        self.http = requests.Session()
        self.http.headers["Authorization"] = f"Bearer {token}"

    def place(self, **changes: Any) -> requests.Response:
        """Place an order."""
        return self.http.post(f"{self.base_url}/api/trading/orders", json=ORDER | changes, timeout=30)

    def read(self, path: str) -> Any:
        """Read JSON below /api/trading."""
        answer = self.http.get(f"{self.base_url}/api/trading/{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def wait_for(self, order_id: str, status: str = "EXECUTED", timeout_s: float = 30.0) -> dict[str, Any]:
        """Wait until an order has a status, and return it."""

        def found() -> Any:
            order = self.read(f"orders/{order_id}")
            return order if order["status"] == status else None

        return wait_until(found, timeout_s=timeout_s, what=f"order {order_id} is {status}")


@pytest.fixture
def trader_of(account: Callable[..., Any]) -> Callable[..., Trader]:
    """Return a function that makes a client with an account of its own."""
    return lambda web, balance="1000000.00": Trader(web, account(balance).token)
