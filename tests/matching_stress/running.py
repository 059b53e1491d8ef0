"""The threads of a run, and its report."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tests.matching_stress import market, requests, workers
from tests.matching_stress.connection import DEADLOCK, LOCK_TIMEOUT, Link
from tests.matching_stress.judgement import MAX_SHOWN, Judgement, judge
from tests.matching_stress.requests import TICK
from tests.matching_stress.schema import prepare
from tests.matching_stress.settings import Settings

DRAIN_S = 30.0
IS_RESTING = "status IN ('PENDING', 'OPEN') AND matched_at IS NULL"
# Orders whose price the market is near, because those are the ones over which a quote and a client meet.
NEAR = f"""
SELECT * FROM (
    SELECT trading_order.id, account_id, stock_id FROM trading_order JOIN stock ON stock.id = stock_id
    WHERE {IS_RESTING} ORDER BY abs(coalesce(watch_price, watch_trigger) - last_price) LIMIT 10) AS near
ORDER BY random() LIMIT 1
"""
NEAR_OF_ACCOUNT = NEAR.replace("ORDER BY abs", "AND account_id = %s ORDER BY abs")
LIVE_ORDERS = "SELECT count(*) FROM trading_order WHERE status IN ('PENDING', 'OPEN')"
DUE = "SELECT count(*) FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND due_at IS NOT NULL"


@dataclass
class Report:
    """The figures of a run; `problems` are the sentences that make it a failure."""

    judgement: Judgement = field(default_factory=Judgement)
    counts: Counter[str] = field(default_factory=Counter)
    quote_ms: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def problems(self) -> list[str]:
        """Return every sentence that makes this run a failure."""
        problems = [f"{count} times: {error}" for error, count in self.errors.most_common(MAX_SHOWN)]
        problems += self.judgement.violations[:MAX_SHOWN]
        for name in ("deadlocks", "quote lock time-outs", "found late", "left over"):
            if self.counts[name]:
                problems.append(f"{name}: {self.counts[name]}")
        return problems

    def __str__(self) -> str:
        judgement = self.judgement
        times = sorted(self.quote_ms) or [0.0]
        p50, p95, p99 = (times[int(len(times) * part)] for part in (0.5, 0.95, 0.99))
        lines = [
            f"matches {judgement.matches}, missed {judgement.missed}, violations {len(judgement.violations)}",
            f"deadlocks {self.counts['deadlocks']}",
            f"filled by looks {judgement.looks}, ended {judgement.ended}, resting {judgement.resting}",
            f"quote transactions {len(times)}: p50 {p50:.1f}, p95 {p95:.1f}, p99 {p99:.1f}, longest {times[-1]:.1f} ms",
            ", ".join(f"{name} {count}" for name, count in sorted(self.counts.items())),
        ]
        return "\n".join(lines + [f"PROBLEM {problem}" for problem in self.problems])


class Stress:
    """A run: its threads, its random prices and its report."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url, self.settings = url, settings
        self.report = Report()
        self.is_over, self.is_drained = threading.Event(), threading.Event()
        self.link = Link(url)
        self.accounts, self.stocks = prepare(self.link, settings)
        self.last = {stock_id: Decimal("100.00") for stock_id in self.stocks}

    def run(self) -> Report:
        """Run all threads for the settings' time, drain, and judge."""
        settings = self.settings
        trading = [
            *[self._thread(self._feed, index) for index in range(settings.feeders)],
            *[self._thread(self._place, index) for index in range(settings.placers)],
            *[self._thread(self._modify, index) for index in range(settings.modifiers)],
            *[self._thread(self._cancel, index) for index in range(settings.cancellers)],
            self._thread(self._hold, 0),
        ]
        working = [
            *[self._thread(self._work, index) for index in range(settings.workers)],
            self._thread(self._rescue, 0),
            self._thread(self._expire, 0),
            self._thread(self._sweep, 0),
        ]
        for thread in trading + working:
            thread.start()
        self.is_over.wait(settings.seconds)
        self.is_over.set()
        for thread in trading:
            thread.join()
        self._drain()
        for thread in working:
            thread.join()
        self.report.judgement = judge(self.link)
        self.link.close()
        return self.report

    def _drain(self) -> None:
        end = time.monotonic() + DRAIN_S
        while (due := self.link.value(DUE)) and time.monotonic() < end:
            time.sleep(0.05)
        self.report.counts["left over"] = due
        self.is_drained.set()

    def _thread(self, repeat: Callable[[Link, random.Random], None], index: int) -> threading.Thread:
        """Return a thread that repeats a function with a connection and a seeded chance of its own."""
        is_over = self.is_drained if repeat in (self._work, self._rescue, self._expire, self._sweep) else self.is_over
        chance = random.Random(f"{self.settings.seed} {repeat.__name__} {index}")

        def run() -> None:
            link = Link(self.url)
            while not is_over.is_set():
                try:
                    repeat(link, chance)
                except DEADLOCK:
                    self.report.counts["deadlocks"] += 1
                except Exception as error:  # noqa: BLE001  # whatever it is, the run has failed, and goes on
                    self.report.errors[f"{repeat.__name__}: {type(error).__name__} {str(error).strip()}"] += 1
            link.close()

        return threading.Thread(target=run, daemon=True)

    def _feed(self, link: Link, chance: random.Random) -> None:
        count = chance.randint(1, len(self.stocks))
        quotes = [self._quote(chance, stock_id) for stock_id in chance.sample(self.stocks, count)]
        start = time.monotonic()
        try:
            stored, matched = market.put_quotes(link, self.settings, quotes)
            self.report.counts["quotes"] += stored
            self.report.counts["matched"] += matched
        except LOCK_TIMEOUT:
            self.report.counts["quote lock time-outs"] += 1
        self.report.quote_ms.append((time.monotonic() - start) * 1000)
        time.sleep(chance.random() * 0.01)

    def _quote(self, chance: random.Random, stock_id: UUID) -> market.Quote:
        """Return a step of a random walk between 95 and 105, with now and then a missing side or a useless quote."""
        last = self.last[stock_id] + TICK * chance.choice((-3, -2, -1, -1, 0, 1, 1, 2, 3))
        last = self.last[stock_id] = min(max(last, Decimal("95.00")), Decimal("105.00"))
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

    def _some_order(self, link: Link, chance: random.Random) -> Sequence[requests.Order]:
        return link.rows(NEAR_OF_ACCOUNT, self.accounts[0]) if chance.random() < 0.2 else link.rows(NEAR)

    def _modify(self, link: Link, chance: random.Random) -> None:
        for order in self._some_order(link, chance):
            self.report.counts["modified"] += requests.modify(link, self.settings, chance, order)
        time.sleep(chance.random() * 0.004)

    def _cancel(self, link: Link, chance: random.Random) -> None:
        for order in self._some_order(link, chance):
            self.report.counts["cancelled"] += requests.cancel(link, self.settings, order)
        time.sleep(chance.random() * 0.05)

    def _hold(self, link: Link, chance: random.Random) -> None:
        """Hold the row of an account with resting orders again and again, as an operator's open transaction does."""
        for _ in range(10):
            stock_id = chance.choice(self.stocks)
            requests.place(link, chance, self.accounts[0], stock_id, self.last[stock_id])
        self.is_over.wait(0.5)
        with link.transaction():
            link.rows(requests.LOCK_ACCOUNT, self.accounts[0])
            self.is_over.wait(self.settings.hold_s)

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
