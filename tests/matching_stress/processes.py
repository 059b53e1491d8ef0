"""The run against real web and worker processes, of which workers are killed at random."""

import contextlib
import random
import threading
import time
from decimal import Decimal
from typing import Any
from uuid import UUID

import psutil
import requests

from tests.faults.checks import unbalanced
from tests.faults.system import System
from tests.matching_stress.connection import Link
from tests.matching_stress.product import ProductRun
from tests.matching_stress.running import Duty
from tests.matching_stress.schema import watch
from tests.matching_stress.settings import Settings
from trading.market.quotes import GivenQuote
from trading.rules.decision import OrderRequest

NAMES = {
    "last_price": "lastPrice", "last_traded_at": "lastTradedAt", "bid_price": "bidPrice", "ask_price": "askPrice",
    "quoted_at": "quotedAt", "low_price": "low", "lower_circuit": "lowerCircuit", "upper_circuit": "upperCircuit",
    "is_halted": "halted", "exchange": "exchange", "symbol": "symbol", "side": "side", "quantity": "quantity",
    "order_type": "orderType", "price": "price", "trigger_price": "triggerPrice", "validity": "validity",
    "validity_minutes": "validityMinutes", "market_protection": "marketProtection",
}  # fmt: skip
TIMEOUT_S = 15.0


class ProcessRun(ProductRun):
    """A run over HTTP; the workers are the deployment's own, and some of them are killed."""

    def __init__(self, system: System, settings: Settings) -> None:
        self.system = system
        self._local = threading.local()
        super().__init__(system.postgres.url(system.name), settings)

    def prepare(self) -> tuple[list[UUID], list[UUID]]:
        """Open accounts, make the stocks and the logs."""
        watch(self.link)
        self.tokens = {}
        for index in range(self.settings.accounts):
            body = {"name": f"A{index}", "openingBalance": "100000.00"}
            made = self._ask("POST", "/api/admin/accounts", body, self.system.admin_token).json()
            account_id, scopes = made["tradingAccountId"], {"scopes": ["trade", "read"]}
            path = f"/api/admin/accounts/{account_id}/tokens"
            self.tokens[UUID(account_id)] = self._ask("POST", path, scopes, self.system.admin_token).json()["token"]
        names = [f"S{index}" for index in range(self.settings.stocks)]
        self._put([GivenQuote("NSE", name, Decimal("100.00")) for name in names])
        self.symbols = {row["id"]: row["symbol"] for row in self.link.rows("SELECT id, symbol FROM stock")}
        return list(self.tokens), list(self.symbols)

    def duties(self) -> list[Duty]:
        """Return feeders, clients, an account's holder, and the killer of workers."""
        settings = self.settings
        return [
            Duty(self._feed, settings.feeders),
            Duty(self._place, settings.placers),
            Duty(self._modify, settings.modifiers),
            Duty(self._cancel, settings.cancellers),
            Duty(self._hold, 1),
            Duty(self._kill, 1),
        ]

    def finish(self) -> None:
        """Let the ledger check judge the money too."""
        self.report.judgement.violations += unbalanced(self.system)

    def _ask(self, method: str, path: str, body: Any, token: str, **headers: str) -> requests.Response:
        if not hasattr(self._local, "http"):
            self._local.http = requests.Session()
        headers["Authorization"] = f"Bearer {token}"
        url = self.system.base_url + path
        answer: requests.Response = self._local.http.request(method, url, json=body, headers=headers, timeout=TIMEOUT_S)
        self.report.counts[f"{method} {answer.status_code}"] += 1
        if answer.status_code == 500:
            self.report.errors[f"{method} {path.rsplit('/', 1)[0]}: {answer.text[:200]}"] += 1
        return answer

    def _put(self, quotes: list[GivenQuote]) -> tuple[int, int]:
        body = {"quotes": [_json(quote._asdict()) for quote in quotes]}
        answer = self._ask("PUT", "/api/market/quotes", body, self.system.admin_token)
        if answer.status_code != 200:
            return 0, 0
        return answer.json()["accepted"], answer.json()["matched"]

    def _feed(self, link: Link, chance: random.Random) -> None:
        stocks = chance.sample(self.stocks, chance.randint(1, len(self.stocks)))
        with_book = chance.random() < 0.8
        self.timed(lambda: self._put([self._quote(chance, stock_id, with_book=with_book) for stock_id in stocks]))
        time.sleep(chance.random() * 0.01)

    def _place_one(self, link: Link, chance: random.Random, account_id: UUID) -> None:
        body = _json(_columns(self._request(chance)))
        answer = self._ask("POST", "/api/trading/orders", body, self.tokens[account_id])
        if answer.status_code == 202 and body["validity"] == "TTL":
            link.rows(
                "UPDATE trading_order SET expires_at = clock_timestamp() + %s * interval '1 s' WHERE id = %s"
                " AND status = 'PENDING'",
                chance.uniform(0.2, 5.0),
                answer.json()["orderId"],
            )

    def _modify(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            [now] = link.rows("SELECT * FROM trading_order WHERE id = %s", order["id"])
            change = self._change(chance, now)
            body = _json(_columns(change))
            path, token = f"/api/trading/orders/{order['id']}", self.tokens[order["account_id"]]
            self._ask("PATCH", path, body, token, **{"If-Match": "*"})
        time.sleep(chance.random() * 0.02)

    def _cancel(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            path, token = f"/api/trading/orders/{order['id']}", self.tokens[order["account_id"]]
            self._ask("DELETE", path, None, token)
        time.sleep(chance.random() * 0.1)

    def _kill(self, link: Link, chance: random.Random) -> None:
        """Kill a process that executes orders, as kill -9 does; the platform starts it again."""
        self.is_over.wait(chance.uniform(4.0, 12.0))
        with contextlib.suppress(psutil.Error):  # one has just ended
            chance.choice(self.system.worker_children()).kill()
            self.report.counts["workers killed"] += 1


def _columns(terms: OrderRequest | Any) -> dict[str, Any]:
    return {name: getattr(terms, name) for name in terms.__slots__} if hasattr(terms, "__slots__") else vars(terms)


def _json(columns: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON body of a quote or an order: the names of the API, and no fields that are not given."""
    given = {NAMES[name]: value for name, value in columns.items() if name in NAMES and value is not None}
    return {name: value if isinstance(value, bool | int) else str(_text(value)) for name, value in given.items()}


def _text(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
