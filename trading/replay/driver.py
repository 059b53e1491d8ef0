"""The replay: it calls the product's functions in the order of virtual time, each at the time of its row.

At the same time quotes come first, then the periodic work, then the actions of the owners. Between two quotes that
reach an order nothing can fill, so that the quotes between them are stored together (trading.matching.stretches).
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime

from models.database import session
from trading.day import release, settling, square_off
from trading.execution import expiry
from trading.execution.sweeping import MAX_BATCH, sweep_once
from trading.market.quotes import GivenQuote, NotStored
from trading.market.stocks import ensure_stocks
from trading.matching.feed import MarketRules, receive_quotes
from trading.matching.stretches import TimedQuote, store_stretch
from trading.replay.clock import MICROSECOND, VirtualClock
from trading.replay.curve import Curve
from trading.replay.inputs import Action, QuoteInput, Waiting
from trading.replay.timers import Timers
from trading.replay.trader import Trader

MAX_STRETCH = 500
RELEASED_AT_ONCE = 100_000
# Those of trading.day.daily, with time enough: what is done at a virtual time may not depend on the machine's speed.
DAILY_WORKS = (square_off.run_once, settling.run_once)
PATIENCE_S = 3_600.0
NOT_STORED = frozenset(map(str, NotStored))


class StuckOrders(Exception):
    """Orders stay due although a worker has tried them."""


class Replay:
    """One run over quotes and actions."""

    def __init__(self, clock: VirtualClock, timers: Timers, trader: Trader, rules: MarketRules) -> None:
        self.clock, self.timers, self.trader, self.rules = clock, timers, trader, rules
        self.curve = Curve()
        self.quotes_refused: dict[str, int] = {}
        self.quotes_taken = 0
        self.quotes_s = 0.0

    def run(self, quotes: Iterable[QuoteInput], actions: Iterable[Action]) -> None:
        """Run all quotes and actions, and the periodic work up to the end of the last day."""
        waiting_quotes, waiting_actions = Waiting[QuoteInput](quotes), Waiting[Action](actions)
        with session():
            while True:
                timer_at, action_at = self.timers.next_at, waiting_actions.next_at
                limit = min((at for at in (timer_at, action_at) if at is not None), default=None)
                began = time.perf_counter()
                stretch = waiting_quotes.take_until(limit, MAX_STRETCH)
                if stretch:
                    self._receive(stretch)
                    self.quotes_s += time.perf_counter() - began
                elif timer_at is not None and timer_at == limit:
                    self._tick(timer_at)
                elif action_at is not None:
                    self._act(waiting_actions.take())
                else:
                    break
            self._end()

    def _end(self) -> None:
        """End the last day: its orders expire, its positions are closed, and no work of the next day begins."""
        self.curve.pass_time(self.timers.ends_at)
        self.clock.move(self.timers.ends_at)
        _expire()
        square_off.run_once(patience_s=PATIENCE_S)
        self._work_off()
        self.curve.add_points(self.clock.now)
        self.clock.stop(self.timers.ends_at - MICROSECOND)

    def _receive(self, quotes: Sequence[QuoteInput]) -> None:
        """Take quotes, each one that reaches an order by itself and with the clock at its time."""
        stock_ids = ensure_stocks({(one.quote.exchange, one.quote.symbol) for one in quotes})
        timed = [TimedQuote(at, stock_ids[quote.exchange, quote.symbol], quote) for at, quote in quotes]
        while timed:
            stretch = store_stretch(timed, self.rules)
            for place, one in enumerate(timed[: stretch.taken]):
                self._note(one.at, one.quote, stretch.outcomes.get(place))
            if stretch.taken < len(timed):
                self._receive_one(timed[stretch.taken])
            timed = timed[stretch.taken + 1 :]

    def _receive_one(self, one: TimedQuote) -> None:
        self.clock.move(one.at)
        refused = receive_quotes([one.quote], self.rules).not_matched
        self._note(one.at, one.quote, refused[0].outcome if refused else None)
        self._work_off()

    def _note(self, at: datetime, quote: GivenQuote, outcome: str | None) -> None:
        """Count a quote, and let the curve follow it."""
        self.curve.pass_time(at)
        self.quotes_taken += 1
        if outcome is not None:
            self.quotes_refused[outcome] = self.quotes_refused.get(outcome, 0) + 1
        if quote.last_price is not None and outcome not in NOT_STORED:
            self.curve.set_price((quote.exchange, quote.symbol), quote.last_price)

    def _act(self, action: Action) -> None:
        self.curve.pass_time(action.at)
        self.clock.move(action.at)
        self.trader.act(action)
        self._work_off()
        self.timers.look_again()

    def _tick(self, at: datetime) -> None:
        """Do the periodic work that is due."""
        self.curve.pass_time(at)
        self.clock.move(at)
        _expire()
        release.run_once(RELEASED_AT_ONCE, calendar=self.rules.calendar)
        are_done = [work(patience_s=PATIENCE_S) for work in DAILY_WORKS]
        self._work_off()
        self.timers.pass_time(at)
        self.timers.look_again()
        if not all(are_done):
            self.timers.add_try(at)

    def _work_off(self) -> None:
        """Execute the orders for which a worker is due, as workers do."""
        while counts := sweep_once(limit=MAX_BATCH):
            if counts.failed or counts.busy:
                raise StuckOrders(str(counts._asdict()))
            if not counts.claimed:
                break
        self.curve.read_again()


def _expire() -> None:
    while expiry.run_once(expiry.MAX_BATCH).expired == expiry.MAX_BATCH:
        pass
