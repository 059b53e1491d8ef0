"""The threads of a run, and its report."""

import abc
import contextlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.matching_stress.connection import DEADLOCK, Link
from tests.matching_stress.judgement import MAX_SHOWN, Judgement, judge
from tests.matching_stress.settings import Settings
from tests.support.processes import wait_until

DRAIN_S = 30.0
PATIENCE_S = 90.0
TICK = Decimal("0.05")
LOCK_ACCOUNT = "SELECT FROM account WHERE id = %s FOR NO KEY UPDATE"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
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
DUE = """
SELECT count(*) FROM trading_order
WHERE status IN ('PENDING', 'OPEN') AND (due_at IS NOT NULL OR waiting_for = 'session')
"""


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

    @property
    def losses(self) -> list[str]:
        """Return the problems but for time-outs of quotes, which a busy machine has too."""
        return [problem for problem in self.problems if not problem.startswith("quote lock time-outs")]

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


@dataclass(frozen=True, slots=True)
class Duty:
    """A function that so many threads repeat, until the trading or the draining is over."""

    repeat: Callable[[Link, random.Random], None]
    threads: int
    is_trading: bool = True


class Run(abc.ABC):
    """A run: its threads, its random prices and its report."""

    def __init__(self, url: str, settings: Settings) -> None:
        self.url, self.settings = url, settings
        self.report = Report()
        self.is_over, self.is_drained = threading.Event(), threading.Event()
        self.link = Link(url)
        self.accounts, self.stocks = self.prepare()
        self.last = {stock_id: Decimal("100.00") for stock_id in self.stocks}

    @abc.abstractmethod
    def prepare(self) -> tuple[list[UUID], list[UUID]]:
        """Make accounts and stocks, and return both lists of ids."""

    def finish(self) -> None:  # noqa: B027  # most runs have nothing more to judge
        """Add to the judgement."""

    @abc.abstractmethod
    def duties(self) -> list[Duty]:
        """Return the functions that the threads repeat."""

    def run(self) -> Report:
        """Run all threads for the settings' time, drain, and judge."""
        deadlocks = self.link.value(DEADLOCKS)
        threads = [(duty, self._thread(duty, index)) for duty in self.duties() for index in range(duty.threads)]
        for _, thread in threads:
            thread.start()
        self.is_over.wait(self.settings.seconds)
        with contextlib.suppress(AssertionError):  # the test judges
            wait_until(self._has_traded_enough, timeout_s=PATIENCE_S)
        self.is_over.set()
        for duty, thread in threads:
            if duty.is_trading:
                thread.join()
        self._drain()
        for _, thread in threads:
            thread.join()
        self.report.counts["deadlocks"] = max(
            self.report.counts["deadlocks"], self.link.value(DEADLOCKS) - deadlocks
        )  # the server's own count comes late, the threads' own misses what is tried again
        self.report.judgement = judge(self.link)
        self.finish()
        self.link.close()
        return self.report

    def _has_traded_enough(self) -> bool:
        counts, settings = self.report.counts, self.settings
        return counts["matched"] >= settings.matches and counts["released"] >= settings.releases

    def hold(self, link: Link, account_id: UUID) -> None:
        """Hold an account's row, as an operator's open transaction does."""
        with link.transaction():
            link.rows(LOCK_ACCOUNT, account_id)
            self.is_over.wait(self.settings.hold_s)

    def near_order(self, link: Link, chance: random.Random) -> Sequence[Mapping[str, Any]]:
        """Return an order that the market is near, now and then one of the account that is held."""
        return link.rows(NEAR_OF_ACCOUNT, self.accounts[0]) if chance.random() < 0.2 else link.rows(NEAR)

    def timed(self, store: Callable[[], tuple[int, int]]) -> None:
        """Store and match quotes, and count them and their time."""
        start = time.monotonic()
        try:
            stored, matched = store()
            self.report.counts["quotes"] += stored
            self.report.counts["matched"] += matched
        finally:
            self.report.quote_ms.append((time.monotonic() - start) * 1000)

    def step_price(self, chance: random.Random, stock_id: UUID) -> Decimal:
        """Move a stock's price by a step of a random walk between 95 and 105."""
        last = self.last[stock_id] + TICK * chance.choice((-3, -2, -1, -1, 0, 1, 1, 2, 3))
        self.last[stock_id] = min(max(last, Decimal("95.00")), Decimal("105.00"))
        return self.last[stock_id]

    def _drain(self) -> None:
        end = time.monotonic() + DRAIN_S
        while (due := self.link.value(DUE)) and time.monotonic() < end:
            time.sleep(0.05)
        self.report.counts["left over"] = due
        self.is_drained.set()

    def _thread(self, duty: Duty, index: int) -> threading.Thread:
        """Return a thread that repeats a duty with a connection and a seeded chance of its own."""
        is_over = self.is_over if duty.is_trading else self.is_drained
        name = duty.repeat.__name__.strip("_")
        chance = random.Random(f"{self.settings.seed} {name} {index}")

        def run() -> None:
            link = Link(self.url)
            while not is_over.is_set():
                try:
                    duty.repeat(link, chance)
                except DEADLOCK:
                    self.report.counts["deadlocks"] += 1
                except Exception as error:  # noqa: BLE001  # whatever it is, the run has failed, and goes on
                    self.report.errors[f"{name}: {type(error).__name__} {str(error).strip()}"] += 1
            link.close()

        return threading.Thread(target=run, daemon=True)
