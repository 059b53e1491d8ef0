"""The run against the product's own functions: threads call them as the web and worker processes do.

Triggers of the database keep each quote and each step of an order, so that no code of the product takes part.
"""

import queue
import random
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from models.database import DatabaseUnavailable, db, session
from models.rows import OrderRow
from tests.matching_stress import after_market
from tests.matching_stress.connection import Link
from tests.matching_stress.requests import RolledBack
from tests.matching_stress.running import LIVE_ORDERS, TICK, Duty, Run
from tests.matching_stress.schema import watch
from tests.matching_stress.settings import Settings
from trading.accounts import administration
from trading.accounts.ledgers import write_rows
from trading.execution import expiry, looks, second_look
from trading.execution.patience import execute_patiently
from trading.execution.sweeping import sweep_once
from trading.market.quotes import GivenQuote
from trading.market.stocks import ensure_stocks
from trading.matching import level_sweep
from trading.matching.crossing import Match
from trading.matching.feed import MarketRules, receive_quotes
from trading.orders import cancellation, modification, placement
from trading.orders.modification import OrderChange
from trading.orders.open_orders import Attempt
from trading.orders.placement_types import DEFAULT_FILLS, FillSettings
from trading.rules.decision import OrderRequest
from trading.rules.errors import Refused
from trading.upkeep import verify

RULES = MarketRules(max_age_s=60)
LOST = 0.3  # the part of the messages that never arrive
TYPES = ("LIMIT", "STOP_LIMIT", "STOP_MARKET", "MARKET")
# The product's shortest life of an order is a minute.
SHORTEN = """
UPDATE trading_order SET validity_minutes = 1, expires_at = clock_timestamp() + %s * interval '1 s'
WHERE id = %s AND status = 'PENDING'
"""


class ProductRun(Run):
    """A run of the product's functions in the threads of one process."""

    def __init__(self, url: str, settings: Settings) -> None:
        super().__init__(url, settings)
        # No SimpleQueue: one of several takers was seen to wait for ever in spite of its time limit (Python 3.11).
        self.messages: queue.Queue[list[UUID]] = queue.Queue()

    def prepare(self) -> tuple[list[UUID], list[UUID]]:
        """Open accounts with money enough for almost every order, and make the stocks and the logs."""
        watch(self.link)
        keep_judgements()
        after_market.prepare()
        balance = Decimal("100000.00")
        accounts = [
            administration.create_account(f"A{index}", balance, fill_model="QUOTES")["id"]
            for index in range(self.settings.accounts)
        ]
        names = ensure_stocks({("NSE", f"S{index}") for index in range(self.settings.stocks)})
        self.symbols = {stock_id: symbol for (_, symbol), stock_id in names.items()}
        return accounts, list(self.symbols)

    def duties(self) -> list[Duty]:
        """Return feeders, clients, an account's holder, and workers with and without messages."""
        settings = self.settings
        return [
            Duty(self._feed, settings.feeders),
            Duty(self._place, settings.placers),
            Duty(self._modify, settings.modifiers),
            Duty(self._cancel, settings.cancellers),
            Duty(self._hold, 1),
            Duty(self._hold_waiting, 1),
            Duty(self._handle, settings.workers, is_trading=False),
            Duty(self._sweep_due, 1, is_trading=False),
            Duty(self._expire, 1, is_trading=False),
            Duty(self._release, 2, is_trading=False),
            Duty(self._sweep_levels, 1, is_trading=False),
        ]

    def finish(self) -> None:
        """Let the ledger check judge the money too."""
        violations = self.report.judgement.violations
        violations += [*after_market.out_of_turn(self.link), *map(str, verify.verify())]

    def _feed(self, link: Link, chance: random.Random) -> None:
        stocks = chance.sample(self.stocks, chance.randint(1, len(self.stocks)))
        with_book = chance.random() < 0.8
        quotes = [self._quote(chance, stock_id, with_book=with_book) for stock_id in stocks]
        if chance.random() < 0.1:
            quotes += [self._quote(chance, stock_id, with_book=True) for stock_id in stocks]

        def store() -> tuple[int, int]:
            reception = receive_quotes(quotes, RULES, tell=lambda matches: self._tell(chance, matches))
            return reception.accepted, reception.matched

        self._bounded("quote lock time-outs", self.timed, store)
        time.sleep(chance.random() * 0.01)

    def _quote(self, chance: random.Random, stock_id: UUID, *, with_book: bool) -> GivenQuote:
        """Return a stock's next quote, with now and then a missing side, circuits, or nothing to match."""
        last, symbol = self.step_price(chance, stock_id), self.symbols[stock_id]
        if not with_book:
            return GivenQuote("NSE", symbol, last)
        bid: Decimal | None = last - TICK * chance.randint(0, 3)
        ask: Decimal | None = last + TICK * chance.randint(0, 3)
        kind = chance.random()
        if kind < 0.04:
            bid, ask = last + TICK, last - TICK  # a crossed book
        elif kind > 0.9:
            bid = None
        if kind > 0.96 or 0.84 < kind < 0.9:
            ask = None
        now = datetime.now(UTC)
        has_circuits = symbol in ("S0", "S1")
        return GivenQuote(
            "NSE",
            symbol,
            last if chance.random() < 0.95 or bid is None or ask is None else None,
            last_traded_at=now if chance.random() < 0.6 else now - timedelta(seconds=5),
            bid_price=bid,
            ask_price=ask,
            quoted_at=now - timedelta(seconds=0.05) if chance.random() < 0.03 else None,
            low_price=last + 1 if 0.08 < kind < 0.1 else None,
            lower_circuit=Decimal("98.00") if has_circuits else None,
            upper_circuit=Decimal("102.00") if has_circuits else None,
            is_halted=0.04 < kind < 0.08,
        )

    def _tell(self, chance: random.Random, matches: Sequence[Match]) -> None:
        for match in matches:
            self._send(chance, match.order_id)

    def _send(self, chance: random.Random, order_id: UUID) -> None:
        if chance.random() > LOST:
            self.messages.put([order_id])

    def _place(self, link: Link, chance: random.Random) -> None:
        if link.value(LIVE_ORDERS) > self.settings.live_orders:
            time.sleep(0.02)
            return
        for _ in range(10):
            self._place_one(link, chance, chance.choice(self.accounts[1:]))

    def _place_one(self, link: Link, chance: random.Random, account_id: UUID) -> None:
        request = self._request(chance)
        if request.after_market:  # several of one account wait together
            account_id = chance.choice(self.accounts[1:4])
        fills = FillSettings(limit_fills=chance.choices(("book", "touch", "through"), weights=(4, 1, 1))[0])
        try:
            calendar = after_market.CALENDAR if request.after_market else None
            order = placement.place_order(account_id, request, calendar=calendar, fills=fills).order
        except Refused as refusal:
            self.report.counts[f"refused {type(refusal).__name__}"] += 1
            return
        if request.validity == "TTL":
            link.rows(SHORTEN, chance.uniform(0.2, 5.0), order["id"])
        self._send(chance, order["id"])

    def _request(self, chance: random.Random) -> OrderRequest:
        stock_id = chance.choice(self.stocks)
        last, side = self.last[stock_id], chance.choice(("BUY", "SELL"))
        order_type = chance.choices(TYPES, weights=(60, 15, 15, 10))[0]
        sign = 1 if side == "BUY" else -1
        trigger = last + sign * TICK * chance.randint(2, 7) if order_type.startswith("STOP") else None
        price = last - sign * TICK * chance.randint(-2, 6) if order_type == "LIMIT" else None
        if trigger is not None and order_type == "STOP_LIMIT":
            price = trigger + sign * TICK * chance.randint(0, 3)
        validity = chance.choices(("DAY", "TTL", "IOC", "GTC"), weights=(50, 30, 10, 10))[0]
        if (order_type == "MARKET" and validity in ("TTL", "GTC")) or (trigger is not None and validity == "IOC"):
            validity = "DAY"
        protection = Decimal(chance.choice(("0.05", "0.10", "1.00"))) if chance.random() < 0.5 else None
        return OrderRequest(
            exchange="NSE",
            symbol=self.symbols[stock_id],
            side=side,
            quantity=chance.randint(1, 20),
            order_type=order_type,
            price=price,
            trigger_price=trigger,
            validity=validity,
            validity_minutes=1 if validity == "TTL" else None,
            market_protection=protection if order_type in ("MARKET", "STOP_MARKET") else None,
            after_market=validity != "IOC" and chance.random() < 0.1,
        )

    def near_order(self, link: Link, chance: random.Random) -> Sequence[Mapping[str, Any]]:
        """Return an order that the market is near, or now and then one that waits for its session."""
        return link.rows(after_market.SOME) if chance.random() < 0.1 else super().near_order(link, chance)

    def _modify(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            [now] = link.rows("SELECT * FROM trading_order WHERE id = %s", order["id"])
            change = self._change(chance, now)
            if chance.random() < 0.4:
                self._bounded("given up", self._modify_and_roll_back, chance, now, change)
            else:
                self._bounded("given up", self._modify_one, chance, now, change)
        time.sleep(chance.random() * 0.004)

    def _change(self, chance: random.Random, order: dict[str, Any]) -> OrderChange:
        move = TICK * chance.choice((-3, -2, -1, 1, 2, 3))
        if chance.random() < 0.1 and order["order_type"] != "MARKET" and order["validity"] == "DAY":
            return OrderChange(order_type="MARKET")
        if order["trigger_price"] is not None and order["triggered_at"] is None:
            return OrderChange(trigger_price=order["trigger_price"] + move)
        if order["price"] is not None:
            return OrderChange(price=order["price"] + move)
        return OrderChange(quantity=chance.randint(1, 20))

    def _modify_one(self, chance: random.Random, order: dict[str, Any], change: OrderChange) -> None:
        modification.modify_order(order["account_id"], order["id"], change, calendar=None)
        self.report.counts["modified"] += 1
        self._send(chance, order["id"])

    def _modify_and_roll_back(self, chance: random.Random, order: dict[str, Any], change: OrderChange) -> None:
        """Change an order in a transaction whose process then gives up, while it holds the order's row."""
        modify = cast(Any, modification._modify).__wrapped__
        with session(), db.atomic():
            asked = modification.Asked(order["account_id"], order["id"], change, None, DEFAULT_FILLS, None)
            modify(asked, Attempt(account_first=False, wait_ms=3_000))
            time.sleep(chance.random() * 0.02)
            raise RolledBack

    def _cancel(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            self._bounded("given up", cancellation.cancel_order, order["account_id"], order["id"])
        time.sleep(chance.random() * 0.05)

    def _bounded(self, name: str, action: Callable[..., Any], *arguments: Any) -> None:
        """Run an action that may be refused, rolled back, or given up because of a lock."""
        try:
            action(*arguments)
        except RolledBack:
            self.report.counts["rolled back"] += 1
        except Refused as refusal:
            self.report.counts[f"refused {type(refusal).__name__}"] += 1
        except DatabaseUnavailable:
            self.report.counts[name] += 1
        except Exception as error:
            if type(error).__name__ != "Busy":
                raise
            self.report.counts["busy"] += 1

    def _hold(self, link: Link, chance: random.Random) -> None:
        for _ in range(10):
            self._place_one(link, chance, self.accounts[0])
        self.is_over.wait(0.5)
        self.hold(link, self.accounts[0])

    def _hold_waiting(self, link: Link, chance: random.Random) -> None:
        after_market.hold_one(link, chance.random() * 0.1)

    def _handle(self, link: Link, chance: random.Random) -> None:
        """Execute the orders of some messages as one batch, one message now and then twice."""
        try:
            order_ids = self.messages.get(timeout=0.05)
        except queue.Empty:
            return
        while len(order_ids) < 50 and not self.messages.empty():
            try:
                order_ids += self.messages.get_nowait()
            except queue.Empty:
                break
        execute_patiently(order_ids, unsuspected_only=True)
        if chance.random() < 0.1:
            self.messages.put(order_ids)

    def _sweep_due(self, link: Link, chance: random.Random) -> None:
        sweep_once(limit=100, older_than_ms=200, exclusive=True)
        time.sleep(0.1)

    def _expire(self, link: Link, chance: random.Random) -> None:
        self.report.counts["expired"] += expire_once()
        time.sleep(0.05)

    def _release(self, link: Link, chance: random.Random) -> None:
        self.report.counts["released"] += after_market.release_some()
        time.sleep(chance.random() * 0.4)

    def _sweep_levels(self, link: Link, chance: random.Random) -> None:
        time.sleep(0.3)
        self._bounded("quote lock time-outs", self._find_late)

    def _find_late(self) -> None:
        self.report.counts["found late"] += len(level_sweep.run_once(RULES))


def keep_judgements() -> None:
    """Keep the number of the quote that a second look judges: a later one could be there when the order opens."""
    if second_look.judge is not judge_and_keep:
        second_look.judge = judge_and_keep


def judge_and_keep(orders: list[OrderRow]) -> dict[UUID, looks.Judged]:
    """Judge as the product does, and note the quotes' numbers in the same transaction."""
    judged = looks.judge(orders)
    steps = [(str(order_id), one.quote.number) for order_id, one in judged.items()]
    write_rows("INSERT INTO stress.step (order_id, kind, number) VALUES %s", steps, template="(%s::uuid, 'judged', %s)")
    return judged


def expire_once() -> int:
    """Run the timer of orders once; return the number of orders that it ended."""
    return int(expiry.run_once(limit=100).expired)
