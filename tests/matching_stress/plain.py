"""The run in plain SQL: its threads do what the product's processes do, by the statements beside this module."""

import random
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.matching_stress import market, requests, workers
from tests.matching_stress.connection import LOCK_TIMEOUT, Link
from tests.matching_stress.running import LIVE_ORDERS, TICK, Duty, Run
from tests.matching_stress.schema import prepare


class PlainRun(Run):
    """A run of the protocol in plain SQL."""

    def prepare(self) -> tuple[list[UUID], list[UUID]]:
        """Make the logs, accounts and stocks."""
        return prepare(self.link, self.settings)

    def duties(self) -> list[Duty]:
        """Return feeders, clients, an account's holder, and the workers."""
        settings = self.settings
        return [
            Duty(self._feed, settings.feeders),
            Duty(self._place, settings.placers),
            Duty(self._modify, settings.modifiers),
            Duty(self._cancel, settings.cancellers),
            Duty(self._hold, 1),
            Duty(self._work, settings.workers, is_trading=False),
            Duty(self._rescue, 1, is_trading=False),
            Duty(self._expire, 1, is_trading=False),
            Duty(self._sweep, 1, is_trading=False),
        ]

    def _feed(self, link: Link, chance: random.Random) -> None:
        count = chance.randint(1, len(self.stocks))
        quotes = [self._quote(chance, stock_id) for stock_id in chance.sample(self.stocks, count)]
        try:
            self.timed(lambda: market.put_quotes(link, self.settings, quotes))
        except LOCK_TIMEOUT:
            self.report.counts["quote lock time-outs"] += 1
        time.sleep(chance.random() * 0.01)

    def _quote(self, chance: random.Random, stock_id: UUID) -> market.Quote:
        """Return a stock's next quote, with now and then a missing side or nothing to match."""
        last = self.step_price(chance, stock_id)
        bid, ask = last - TICK * chance.randint(0, 3), last + TICK * chance.randint(0, 3)
        kind = chance.random()
        if kind < 0.04:
            bid, ask = ask + TICK, bid  # a crossed book
        now = datetime.now(UTC)
        return market.Quote(
            stock_id,
            None if kind > 0.9 else bid,
            None if kind > 0.96 or 0.84 < kind < 0.9 else ask,
            last,
            now if chance.random() < 0.6 else now - timedelta(seconds=5) if chance.random() < 0.5 else None,
            now - timedelta(seconds=0.05) if chance.random() < 0.03 else None,
            0.04 < kind < 0.08,
        )

    def _place(self, link: Link, chance: random.Random) -> None:
        if link.value(LIVE_ORDERS) > self.settings.live_orders:
            time.sleep(0.02)
            return
        for _ in range(20):
            stock_id = chance.choice(self.stocks)
            requests.place(link, chance, chance.choice(self.accounts), stock_id, self.last[stock_id])

    def _modify(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            self.report.counts["modified"] += requests.modify(link, self.settings, chance, order)
        time.sleep(chance.random() * 0.004)

    def _cancel(self, link: Link, chance: random.Random) -> None:
        for order in self.near_order(link, chance):
            self.report.counts["cancelled"] += requests.cancel(link, self.settings, order)
        time.sleep(chance.random() * 0.05)

    def _hold(self, link: Link, chance: random.Random) -> None:
        """Hold the row of an account with resting orders again and again, as an operator's open transaction does."""
        for _ in range(10):
            stock_id = chance.choice(self.stocks)
            requests.place(link, chance, self.accounts[0], stock_id, self.last[stock_id])
        self.is_over.wait(0.5)
        self.hold(link, self.accounts[0])

    def _work(self, link: Link, chance: random.Random) -> None:
        if not workers.work(link, self.settings, chance):
            time.sleep(0.005)

    def _rescue(self, link: Link, chance: random.Random) -> None:
        workers.rescue(link, self.settings, chance)
        time.sleep(0.01)

    def _expire(self, link: Link, chance: random.Random) -> None:
        self.report.counts["expired"] += workers.expire(link, self.settings)
        time.sleep(0.05)

    def _sweep(self, link: Link, chance: random.Random) -> None:
        time.sleep(0.3)
        try:
            self.report.counts["found late"] += market.sweep_levels(link, self.settings, self.stocks)
        except LOCK_TIMEOUT:
            self.report.counts["quote lock time-outs"] += 1
