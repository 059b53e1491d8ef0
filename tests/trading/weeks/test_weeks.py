"""Random weeks end as an independent reckoning says, and the books are right after each day, with restarts as well."""

import random
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest

from models.database import fetch_all, session
from tests.trading.weeks.calendar_of_weeks import INDIA, SQUARE_OFF, times
from tests.trading.weeks.generating import CLASSES, random_week
from tests.trading.weeks.market import Market
from trading.day import closing_orders, settling, square_off
from trading.execution import ends, executing, second_look, sweeping
from trading.market import calendars
from trading.market.quotes import GivenQuote
from trading.market.stocks import import_stocks
from trading.matching.feed import MarketRules
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.orders.modification import OrderChange
from trading.orders.placement_types import FillSettings
from trading.replay import books
from trading.replay.clock import VirtualClock
from trading.replay.driver import Replay
from trading.replay.inputs import Action, QuoteInput
from trading.replay.preparing import fixed_times, make_days, prepared
from trading.replay.timers import Timers, midnight
from trading.replay.trader import Terms, Trader
from trading.rules.decision import OrderRequest
from trading.rules.sessions import Session
from trading.upkeep.verify import verify

BALANCE = Decimal("4000.00")  # so that some orders are refused, and some are rejected when they would fill
ONE_DAY = timedelta(days=1)
POSITIONS = "SELECT *, %s::date AS present_day FROM position WHERE account_id = %s"


class Killed(BaseException):
    """The process of a worker dies here."""


class Played(Replay):
    """A replay that is compared with the reckoning at each midnight, and whose workers may die."""

    def __init__(self, market, deaths, *given):
        super().__init__(*given)
        self.market, self.ends, self.deaths = market, market.play(), deaths
        self.died = 0

    def _tick(self, at):
        # The first tick is the beginning of the first day.
        if at.astimezone(INDIA).time() == midnight(at.date()).time() and self.quotes_taken:
            with self.clock.standing():
                self.compare(at)
        self.survive(partial(super()._tick, at))

    def _end(self):
        super()._end()
        self.compare(self.timers.ends_at)

    def compare(self, at):
        assert next(self.ends) == at
        assert list(map(str, verify())) == []
        day = (at - ONE_DAY).date()
        for name, owner in self.market.owners.items():
            (account,) = fetch_all("SELECT * FROM account WHERE name = %s", (name,))
            positions = fetch_all(POSITIONS, (day, account["id"]))
            owner.money.assert_agrees(account, positions)
            owner.money.end_day()

    def _work_off(self):
        self.survive(super()._work_off)

    def survive(self, work):
        """Do work as processes do of which one dies now and then, and another one goes on."""
        while True:
            try:
                self.deaths.are_due = True
                return work()
            except Killed:
                self.died += 1
                executing.final_orders.discard(list(executing.final_orders._ids))
                square_off._found_at.clear()
                calendars._remembered.clear()
            finally:
                self.deaths.are_due = False


class Deaths:
    """Let a process die now and then at its next write: before it, or after it, before the commit."""

    WRITES = (
        (executing, "write_batch"), (second_look, "write_batch"), (ends, "save_ledgers"),
        (closing_orders, "save_ledgers"), (settling, "update_buckets"),
    )  # fmt: skip

    def __init__(self, monkeypatch, seed, share):
        self.chance, self.share, self.are_due = random.Random(seed), share, False
        monkeypatch.setattr(sweeping, "RETRY_PAUSE", timedelta(0))  # nobody waits for the dead one
        for module, name in self.WRITES:
            monkeypatch.setattr(module, name, self.deadly(getattr(module, name)))

    def deadly(self, write):
        def run(*given):
            dies = self.are_due and self.chance.random() < self.share
            is_before = self.chance.random() < 0.5
            if dies and is_before:
                raise Killed
            write(*given)
            if dies:
                raise Killed

        return run


def play(week, deaths):
    clock, market = VirtualClock(), Market(week, BALANCE)
    days = week.days
    holidays = [calendars.Holiday("NSE", day, "closed") for day in days.closed]
    holidays += [calendars.Holiday("NSE", day, "unsettled", "SETTLEMENT") for day in days.unsettled]
    with prepared(clock), session():
        make_days("NSE", days.first, days.last, holidays)
        calendars.import_sessions("NSE", [special(day, name) for day in days.special for name in SQUARE_OFF])
        import_stocks(("NSE", symbol) for symbol in CLASSES)
        set_facts([ImportedFacts("NSE", symbol, session_class=name) for symbol, name in CLASSES.items()])
        fixed = fixed_times(calendars.days("NSE"), days.first, days.last)
        timers = Timers(fixed, ends_at=midnight(days.last + ONE_DAY))
        terms = Terms("NSE", FillSettings(), BALANCE, "QUOTES")
        replay = Played(market, deaths, clock, timers, Trader(terms), MarketRules(60, "NSE"))
        replay.run(map(given, week.quotes), map(action, week.wishes))
        compare_orders(market, books.orders(replay.trader.refusals, replay.trader.names))
        compare_holdings(market, days.last)
    return replay


def special(day, name):
    opens_at, square_off_at, closes_at = times(day, name)
    return Session(day, name, opens_at, closes_at, square_off_at, "SPECIAL")


def given(quote):
    values = {"last_price": quote.last, "bid_price": quote.bid, "ask_price": quote.ask, "is_halted": quote.halted}
    values |= {"low_price": quote.low, "high_price": quote.high, "quoted_at": quote.at}
    return QuoteInput(quote.at, GivenQuote("NSE", quote.symbol, **values))


def action(wish):
    base = Action(0, wish.at, wish.kind, wish.owner, wish.name)
    if wish.kind == "place":
        return base._replace(
            request=OrderRequest(
                "NSE", wish.symbol, wish.side, wish.quantity, wish.order_type, wish.price, wish.product, wish.name,
                wish.trigger, wish.validity, wish.minutes, after_market=wish.after_market,
            )
        )  # fmt: skip
    if wish.kind == "modify":
        return base._replace(change=OrderChange(quantity=wish.quantity, price=wish.price))
    if wish.kind == "close":
        return base._replace(position=("NSE", wish.symbol, wish.product))
    return base


def compare_orders(market, lines):
    found = {}
    for line in lines:
        name = line["clientOrderId"]
        if name.startswith("squareoff-"):
            continue
        end = (line["status"], line["averagePrice"], line["fillRule"], line["rejectionReason"])
        assert found.setdefault((line["account"], name), end) == end
    expected = {}
    for name, owner in market.owners.items():
        for order in owner.orders.values():
            if not order.is_square_off:
                status = "PENDING" if order.waits_for_session and order.status == "OPEN" else order.status
                end = (status, order.average, order.rule, order.reason)
                expected[name, order.wish.name] = end
        for refused, code in owner.refused.items():
            expected[name, refused] = ("REJECTED", None, None, code)
    assert found == expected
    closed = sorted(
        (line["account"], line["averagePrice"], line["fillRule"])
        for line in lines
        if line["clientOrderId"].startswith("squareoff-")
    )
    wanted = sorted(
        (name, order.average, order.rule)
        for name, owner in market.owners.items()
        for order in owner.orders.values()
        if order.is_square_off
    )
    assert closed == wanted


def compare_holdings(market, day):
    """Compare the settlement buckets, as of a day, with the days on which the shares were bought."""
    names = {row["id"]: row["name"] for row in fetch_all("SELECT id, name FROM account")}
    # At the weekend the shares of Friday are still those of the trading day.
    trading_day = max(one for one in market.days.all() if market.days.has_session(one))
    lines = {(line["account"], line["symbol"]): line for line in books.holdings(names, "NSE")}
    for name, owner in market.owners.items():
        for symbol, shares in owner.shares.items():
            settled = sum(count for bought, count in shares if market.days.settles_on(bought) < day)
            unsettled = sum(
                count for bought, count in shares if bought < trading_day and market.days.settles_on(bought) >= day
            )
            line = lines.get((name, symbol), {"settledQuantity": 0, "t1Quantity": 0})
            assert (line["settledQuantity"], line["t1Quantity"]) == (settled, unsettled), (name, symbol, shares)


@pytest.mark.parametrize("seed", range(5))
def test_a_week_ends_as_reckoned(own_database, monkeypatch, seed):
    replay = play(random_week(seed), Deaths(monkeypatch, seed, 0))
    assert len(replay.market.owners) == 3


@pytest.mark.parametrize("seed", range(100, 103))
def test_a_week_with_dying_workers_ends_as_reckoned(own_database, monkeypatch, seed):
    replay = play(random_week(seed), Deaths(monkeypatch, seed, 0.15))
    assert replay.died > 5


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_060))
def test_many_weeks_end_as_reckoned(own_database, monkeypatch, seed):
    play(random_week(seed), Deaths(monkeypatch, seed, 0.1 if seed % 2 else 0))
