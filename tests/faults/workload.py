"""Clients that trade over HTTP from a seed and remember every request with its answers."""

import contextlib
import random
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import requests

from tests.faults.system import System

SYMBOLS = ("RELIANCE", "TCS", "INFY", "M&M", "SBIN")
OPENING_BALANCE = Decimal("5000000.00")
# Longer than every time-out of the service: a request without an answer by then gets none.
TIMEOUT_S = 15.0
# Refusals after which a client tries again.
UNSETTLED = (500, 502, 503, 504, 429)


@dataclass
class Request:
    """A request of a client, sent until its outcome is known."""

    kind: str
    method: str
    path: str
    body: dict[str, Any] | None
    key: str | None
    answers: list[int | None] = field(default_factory=list)  # each attempt's status, None for no answer
    seconds: list[float] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int | None:
        """Return the final status, None while the outcome is unknown."""
        last = self.answers[-1] if self.answers else None
        if last is None or last in UNSETTLED or self.document.get("code") == "idempotency_in_progress":
            return None
        return last


class Client:
    """A client with an account, alone or shared, whose seed decides its sequence of requests."""

    def __init__(self, base_url: str, account_id: str, token: str, admin_token: str, seed: int) -> None:
        self.base_url = base_url
        self.account_id = account_id
        self.random = random.Random(seed)
        self.requests: list[Request] = []
        self.is_idle = False  # an idle client does not trade by itself
        self._headers = {"Authorization": f"Bearer {token}"}
        self._admin_headers = {"Authorization": f"Bearer {admin_token}"}
        self._http = requests.Session()
        self._order_ids: list[str] = []

    def place(self, **body: Any) -> Request:
        """Place an order and return its settled request."""
        return self.settle(self._placing(body))

    def act(self) -> Request:
        """Send the next request of the sequence."""
        kinds = ("limit", "market", "delivery", "wait", "modify", "cancel", "close", "funds", "quotes", "bad")
        kind = self.random.choices(kinds, weights=(40, 15, 10, 5, 8, 12, 6, 5, 4, 3))[0]
        return self.settle(self.wish(kind))

    def wish(self, kind: str) -> Request:
        """Return a new request of a kind."""
        match kind:
            case "modify" if self._order_ids:
                body = {"quantity": self.random.randint(1, 20)}
                return Request(kind, "PATCH", f"/api/trading/orders/{self._order_ids[-1]}", body, None)
            case "cancel" if self._order_ids:
                return Request(kind, "DELETE", f"/api/trading/orders/{self._order_ids[-1]}", None, None)
            case "close" if (position := self._some_position()) is not None:
                return Request(kind, "POST", f"/api/trading/positions/{position}/close", None, uuid4().hex)
            case "funds":
                body = {"kind": self.random.choice(("DEPOSIT", "WITHDRAWAL")), "amount": self._money(1, 5000)}
                return Request(kind, "POST", f"/api/admin/accounts/{self.account_id}/funds", body, uuid4().hex)
            case "quotes":
                quotes = [{"exchange": "NSE", "symbol": name, "lastPrice": self._money(90, 110)} for name in SYMBOLS]
                return Request(kind, "PUT", "/api/market/quotes", {"quotes": quotes}, None)
            case "bad":
                return self._placing({"quantity": 1_000_000, "price": "9000000.00"})  # nobody has the margin for it
            case "market":
                return self._placing({"orderType": "MARKET", "price": None})
            case "delivery":
                return self._placing({"product": "DELIVERY"})
            case "wait":
                return self._placing({}, kind="wait")
        return self._placing({})

    def settle(self, request: Request, patience_s: float = 120.0) -> Request:
        """Send a request, with the same key, until its outcome is known."""
        self.requests.append(request)
        end = time.monotonic() + patience_s
        while True:
            self._send(request)
            if request.status is not None:
                if request.status in (200, 202) and "orderId" in request.document:
                    self._order_ids.append(request.document["orderId"])
                return request
            if time.monotonic() > end:
                raise AssertionError(f"no outcome within {patience_s} s: {request}")
            time.sleep(0.1 + self.random.random() * 0.3)

    def _send(self, request: Request) -> None:
        is_admin = request.kind in ("funds", "quotes")
        headers = dict(self._admin_headers if is_admin else self._headers)
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        if request.kind == "wait":
            headers["Prefer"] = "wait=2"
        if request.kind == "modify":
            headers["If-Match"] = "*"
        start = time.monotonic()
        status, document = None, {}
        with contextlib.suppress(requests.RequestException):
            answer = self._http.request(
                request.method, self.base_url + request.path, json=request.body, headers=headers, timeout=TIMEOUT_S
            )
            document = answer.json() if answer.content else {}
            status = answer.status_code
        request.seconds.append(time.monotonic() - start)
        request.document = document
        request.answers.append(status)

    def _placing(self, changes: dict[str, Any], kind: str = "place") -> Request:
        body = {
            "exchange": "NSE",
            "symbol": self.random.choice(SYMBOLS),
            "side": self.random.choice(("BUY", "SELL")),
            "quantity": self.random.randint(1, 20),
            "orderType": "LIMIT",
            "price": self._money(90, 110),
        } | changes
        body = {name: value for name, value in body.items() if value is not None}
        return Request(kind, "POST", "/api/trading/orders", body, uuid4().hex)

    def _money(self, low: int, high: int) -> str:
        return f"{self.random.randint(low * 100, high * 100) / 100:.2f}"

    def _some_position(self) -> str | None:
        """Return the id of one of the positions, None without an answer or a position."""
        with contextlib.suppress(requests.RequestException, ValueError, KeyError):
            url = f"{self.base_url}/api/trading/positions"
            answer = self._http.get(url, headers=self._headers, timeout=TIMEOUT_S)
            positions = answer.json()["data"] if answer.status_code == 200 else []
            if positions:
                return str(self.random.choice(positions)["positionId"])
        return None


class Workload:
    """Several clients, two for each account, that trade until they are stopped."""

    def __init__(self, system: System, *, clients: int = 4, seed: int = 1, opening: Decimal = OPENING_BALANCE) -> None:
        self.system = system
        self.seed = seed
        self.opening = opening
        self.accounts: dict[str, str] = {}
        self.failures: list[str] = []
        self._client_count = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        holders = [self.open_account(f"Account {number}") for number in range(max(1, clients // 2))]
        self.clients = [self.client_of(holders[number % len(holders)]) for number in range(clients)]
        self.quote()

    @property
    def requests(self) -> list[Request]:
        """Return the requests of all clients."""
        return [request for client in self.clients for request in client.requests]

    def open_account(self, name: str) -> str:
        """Open an account with a token, over HTTP."""
        made = self._administer("/api/admin/accounts", {"name": name, "openingBalance": str(self.opening)})
        account_id = made["tradingAccountId"]
        scopes = {"scopes": ["trade", "read"]}
        self.accounts[account_id] = self._administer(f"/api/admin/accounts/{account_id}/tokens", scopes)["token"]
        return account_id

    def client_of(self, account_id: str) -> Client:
        """Return a new client of an account."""
        self._client_count += 1
        seed, system = self.seed * 1000 + self._client_count, self.system
        return Client(system.base_url, account_id, self.accounts[account_id], system.admin_token, seed)

    def add_client(self, account_id: str | None = None) -> Client:
        """Add a client that does not trade by itself, on the first account unless another is named."""
        client = self.client_of(account_id or next(iter(self.accounts)))
        client.is_idle = True
        self.clients.append(client)
        return client

    def quote(self, price: str = "100.00") -> None:
        """Give every symbol a last price."""
        client = self.clients[0]
        quotes = [{"exchange": "NSE", "symbol": name, "lastPrice": price} for name in SYMBOLS]
        assert client.settle(Request("quotes", "PUT", "/api/market/quotes", {"quotes": quotes}, None)).status == 204

    @contextlib.contextmanager
    def running(self, pause_s: float = 0.0):
        """Let the clients trade while the block runs, with a pause after each request."""
        self.begin(pause_s)
        try:
            yield self
        finally:
            self.finish()

    def begin(self, pause_s: float = 0.0) -> None:
        """Let the clients trade."""
        self._stopping.clear()
        self._threads = [
            threading.Thread(target=self._trade, args=(client, pause_s))
            for client in self.clients
            if not client.is_idle
        ]
        for thread in self._threads:
            thread.daemon = True
            thread.start()

    def finish(self, patience_s: float = 150.0) -> None:
        """Stop trading, and wait until each client's last request is settled; the faults must be over for that."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(patience_s)
            if thread.is_alive():
                self.failures.append("a client does not come to its end")
        self._threads = []

    def _trade(self, client: Client, pause_s: float) -> None:
        try:
            while not self._stopping.is_set():
                client.act()
                if pause_s:
                    time.sleep(pause_s)
        except Exception as error:  # noqa: BLE001  whatever it is, the check must hear of it
            self.failures.append(f"a client failed: {error!r}")

    def _administer(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.system.admin_token}"}
        answer = requests.post(self.system.base_url + path, json=body, headers=headers, timeout=30)
        assert answer.status_code == 201, answer.text
        return answer.json()
