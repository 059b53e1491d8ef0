"""Two bots and a feeder on real processes, whose market clock goes through a past day as fast as the bots follow.

After each quote the day waits until nothing is due and each bot has looked at it, so that every run is the same.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import requests

from tests.kite_days.recorded import DAY, Moment
from tests.support.processes import ROOT, Running, wait_until
from tests.support.trading import one
from tests.trading.weeks.calendar_of_weeks import at

DUE = """
SELECT count(*) FROM trading_order WHERE status IN ('PENDING', 'OPEN') AND waiting_for IS DISTINCT FROM 'session'
    AND (due_at <= market_now() OR matched_at IS NOT NULL OR expires_at <= market_now())
"""
INTRADAY = """
SELECT count(*) FROM position JOIN stock ON stock.id = stock_id
WHERE product = 'INTRADAY' AND quantity <> 0 AND session_class = %s
"""
EARLY = "SELECT count(*) FROM trading_order WHERE waiting_for = 'session'"
IDLE = re.compile(r"^\S+ nothing to do$", re.MULTILINE)


class Bot:
    """A program of examples/ with a client of Kite's; its output says which times of the market it has seen."""

    def __init__(self, name: str, arguments: list[str], *, url: str, token: str, packages: str, folder: Path) -> None:
        self.path = folder / f"{name}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": packages,
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "*",
            "TZ": "America/New_York",  # the times of the market are India's wherever a bot runs
            "TRADEPOST_URL": url,
            "TRADEPOST_TOKEN": token,
            "PAUSE_S": "0.1",
        }
        with self.path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", str(ROOT / "examples" / name), *arguments],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

    @property
    def log(self) -> str:
        """Return what the bot has said."""
        return self.path.read_text(errors="replace")

    def require(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until something is so, while the bot runs."""

        def check() -> bool:
            assert self.process.poll() is None or is_so(), f"{what}: the bot has ended\n{self.log}"
            return is_so()

        wait_until(check, timeout_s=30, what=f"{what}\n{self.log}")

    def stop(self) -> None:
        """End the bot."""
        self.process.kill()
        self.process.wait(10)


class Rehearsal:
    """The day: its clock, its feeder, and the bots that must keep up."""

    def __init__(self, web: Running, move: Callable[[datetime], None], feeder: dict[str, str]) -> None:
        self.web, self.move = web, move
        self.http = requests.Session()
        self.http.headers.update(feeder)

    def feed(self, moment: Moment) -> None:
        """Let it be a time, and send its quotes."""
        self.move(moment.at)
        answer = self.http.put(f"{self.web.base_url}/api/market/quotes", json={"quotes": moment.quotes}, timeout=30)
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(moment.quotes), answer.text

    def settle(self) -> None:
        """Wait until no order is due."""
        wait_until(lambda: one(DUE) == 0, what="no order is due")

    def follow(self, moment: Moment, watcher: Bot, symbols: list[str], poller: Bot) -> None:
        """Feed a moment, and wait until the bots have nothing left to do about it."""
        self.feed(moment)
        clock = f"{moment.at:%H:%M:%S}"
        for symbol in symbols:
            watcher.require(lambda symbol=symbol: f"{clock} {symbol} at " in watcher.log, f"{clock} {symbol}")
        while True:
            self.settle()
            before = len(IDLE.findall(poller.log))
            poller.require(
                lambda before=before: len(IDLE.findall(poller.log)) >= before + 2 or poller.process.poll() == 0, clock
            )
            if one(DUE) == 0:
                return

    def pass_times(self, after: datetime, until: datetime) -> None:
        """Let the times of the sessions come that lie between two times, and wait until what they make due is done."""
        times = (((9, 15), None), ((15, 12), "AUCTION"), ((15, 15), None), ((15, 25), "NORMAL"), ((15, 30), None))
        for clock, name in times:
            moment = at(DAY, *clock)
            if after < moment <= until:
                self.move(moment)
                wait_until(lambda: one(EARLY) == 0, what="the orders that waited for the open are released")
                if name is not None:
                    wait_until(lambda name=name: one(INTRADAY, name) == 0, what=f"square-off of {name}")
                self.settle()
