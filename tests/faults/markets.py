"""An account that trades against quotes, with a feeder, over HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.faults.system import System
from tests.faults.workload import Client, Request, Workload
from tests.support.processes import wait_until

SYMBOL = "RELIANCE"
QUOTES = {"FILL_MODEL": "QUOTES"}


class Market:
    """A trader and a feeder of one stock; the trader's account and orders belong to the workload's record."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.workload = Workload(system, clients=1)
        self.trader: Client = self.workload.clients[0]
        self.trader.is_idle = True
        self.quote("99.95", "101.00", "100.00")

    def quote(self, bid: str | None, ask: str | None, last: str, **more: Any) -> dict[str, Any]:
        """Put a quote until it is answered, and return what became of it."""
        return self.put(bid, ask, last, **more).document

    def put(self, bid: str | None, ask: str | None, last: str, **more: Any) -> Request:
        """Put a quote until it is answered, and return the settled request."""
        quote = {"exchange": "NSE", "symbol": SYMBOL, "bidPrice": bid, "askPrice": ask, "lastPrice": last} | more
        request = Request("quotes", "PUT", "/api/market/quotes", {"quotes": [quote]}, None)
        assert self.trader.settle(request).status == 200, request
        return request

    def rest(self, price: str = "99.00", **body: Any) -> str:
        """Place a BUY LIMIT that rests, wait until it does, and return its id."""
        order_id = self.place(price, **body)
        wait_until(lambda: self.status(order_id) == "OPEN", timeout_s=20, what="the order rests")
        return order_id

    def place(self, price: str = "99.00", **body: Any) -> str:
        """Place a BUY LIMIT, and return its id."""
        request = self.trader.place(**({"side": "BUY", "symbol": SYMBOL, "quantity": 10, "price": price} | body))
        assert request.status == 202, request
        return str(request.document["orderId"])

    def order(self, order_id: str) -> dict[str, Any]:
        """Return an order's row as JSON."""
        [(row,)] = self.system.sql("SELECT to_jsonb(trading_order) FROM trading_order WHERE id = %s", order_id)
        return row

    def status(self, order_id: str) -> str:
        """Return an order's status."""
        return str(self.order(order_id)["status"])

    def wait_for(self, order_id: str, status: str, timeout_s: float = 20.0) -> dict[str, Any]:
        """Wait until an order has a status, and return its row."""
        wait_until(lambda: self.status(order_id) == status, timeout_s=timeout_s, what=f"the order is {status}")
        return self.order(order_id)

    def events(self, order_id: str) -> list[str]:
        """Return the types of an order's events."""
        found = "SELECT type FROM event WHERE type LIKE 'order.%%' AND data ->> 'id' = %s ORDER BY id"
        return [row[0] for row in self.system.sql(found, order_id)]


def moment(seconds: float = 0.0) -> str:
    """Return the time of a feeder whose clock is so many seconds ahead."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
