"""Two bots written for Kite Connect trade a whole past day, and their books are those of an independent reckoning."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.kite_days import recorded
from tests.kite_days.reckoned import play, requests_of_clients
from tests.kite_days.recorded import CLASSES, DAY, DAY_AFTER, DAY_BEFORE
from tests.kite_days.rehearsal import Bot, Rehearsal
from tests.support.kite import kite_headers
from tests.support.kite_clients import NoClientError, python_path
from tests.support.market_clock import moving_clock
from tests.support.processes import ProcessStarter, wait_until
from tests.support.trading import rows
from tests.trading.weeks.calendar_of_weeks import at
from trading.day import settling
from trading.market.calendars import make_sessions
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts
from trading.upkeep.verify import verify

__all__ = ["moving_clock"]

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

BALANCE = "1000000.00"
BREAKOUTS, BASKET = ["RELIANCE", "INFY", "SBIN"], ["TCS:20", "HDFCBANK:30", "ITC:100"]
ONE_DAY, WEEK = timedelta(days=1), timedelta(days=7)
ORDERS = "SELECT trading_order.* FROM trading_order JOIN account ON account.id = account_id WHERE account.name = %s"


@pytest.fixture
def packages() -> str:
    """Return the path of the newest client for Python."""
    try:
        return python_path("5.2.2")
    except NoClientError as error:
        pytest.skip(str(error))


@pytest.fixture
def day(start: ProcessStarter, moving_clock: Any, headers_for: Any) -> Rehearsal:
    """Return the day before its first quote, with its stocks, its sessions and its processes."""
    moving_clock(at(DAY_BEFORE, 15, 0))
    make_sessions("NSE", DAY - WEEK, DAY + WEEK)
    import_stocks(("NSE", symbol) for symbol in CLASSES)
    set_facts([ImportedFacts("NSE", symbol, recorded.TICK, session_class=name) for symbol, name in CLASSES.items()])
    settings = {"MARKET_CALENDAR": "NSE"}
    start.worker(**settings)
    return Rehearsal(start.web(**settings), moving_clock, headers_for("feed"))


@pytest.fixture
def bots(day: Rehearsal, account: Any, packages: str, tmp_path: Path) -> Iterator[dict[str, tuple[Bot, Any]]]:
    """Start the bots, each with an account of its own, on the evening before the day."""
    opening = recorded.moments()[0]
    day.feed(opening)
    started = {}
    for name, program, arguments in (
        ("breakout", "kite_opening_range.py", BREAKOUTS),
        ("basket", "kite_basket.py", BASKET),
    ):
        owner = account(BALANCE, name=name, fill_model="QUOTES")
        options = {"url": day.web.base_url, "token": owner.token, "packages": packages, "folder": tmp_path}
        started[name] = (Bot(program, arguments, **options), owner)
    yield started
    for bot, _ in started.values():
        bot.stop()


def test_two_bots_trade_a_whole_day_and_their_books_are_those_of_the_reckoning(day: Rehearsal, bots: Any) -> None:
    (breakout, first), (basket, second) = bots["breakout"], bots["basket"]
    moments = recorded.moments()
    for symbol in BREAKOUTS:
        breakout.require(lambda symbol=symbol: f"15:29:30 {symbol} at " in breakout.log, f"snapshot of {symbol}")
    for earlier, moment in pairwise(moments):
        day.pass_times(earlier.at, moment.at)
        day.follow(moment, breakout, BREAKOUTS, basket)
    day.pass_times(moments[-1].at, at(DAY, 15, 30))
    assert basket.process.wait(10) == 0, basket.log
    assert "Traceback" not in breakout.log, breakout.log
    assert verify() == []

    market = play(moments, requests_of_clients(), Decimal(BALANCE))
    for name, account in (("breakout", first), ("basket", second)):
        _orders_are_as_reckoned(name, market.owners[name])
        _the_door_shows_them(day, account, market.owners[name], moments[-1])
    _the_day_had_every_end(market)
    _shares_settle(day, second)


def _orders_are_as_reckoned(name: str, owner: Any) -> None:
    found, closings = {}, []
    for row in rows(ORDERS, name):
        rule = (row["fill"] or {}).get("rule")
        if row["origin"] == "SQUARE_OFF":
            closings.append((row["average_price"], rule))
        else:
            found[str(row["id"])] = (row["status"], row["average_price"], rule, row["rejection_reason"])
    client = {key: one for key, one in owner.orders.items() if not one.is_square_off}
    assert found == {key: (one.status, one.average, one.rule, one.reason) for key, one in client.items()}
    reckoned = [(one.average, one.rule) for one in owner.orders.values() if one.is_square_off]
    assert sorted(closings) == sorted(reckoned)


STATUSES = {"EXECUTED": "COMPLETE", "CANCELLED": "CANCELLED", "EXPIRED": "CANCELLED", "REJECTED": "REJECTED"}


def _the_door_shows_them(day: Rehearsal, account: Any, owner: Any, last: Any) -> None:
    orders = _read(day, account, "/orders")
    seen = sorted((one["tradingsymbol"], one["status"], one["average_price"]) for one in orders)
    reckoned = [(one.wish.symbol, STATUSES[one.status], float(one.average or 0)) for one in owner.orders.values()]
    assert seen == sorted(reckoned)
    executed = [one for one in owner.orders.values() if one.status == "EXECUTED"]
    trades = sorted(
        (one["tradingsymbol"], one["quantity"], one["average_price"]) for one in _read(day, account, "/trades")
    )
    assert trades == sorted((one.wish.symbol, one.money["quantity"], float(one.average)) for one in executed)

    margins = _read(day, account, "/user/margins")["equity"]
    assert margins["net"] == margins["available"]["live_balance"] == float(owner.money.available())
    prices = {quote["symbol"]: Fraction(quote["lastPrice"]) for quote in last.quotes}
    positions = _read(day, account, "/portfolio/positions")["net"]
    assert {one["tradingsymbol"]: (one["quantity"], one["pnl"]) for one in positions} == {
        symbol: (quantity, pytest.approx(float(value + quantity * prices[symbol]), abs=0.005))
        for symbol, (quantity, value) in _totals(executed).items()
    }


def _totals(executed: list[Any]) -> dict[str, tuple[int, Fraction]]:
    """Return, by stock, the shares that are left and what they brought in."""
    totals: dict[str, tuple[int, Fraction]] = {}
    for order in executed:
        sign = 1 if order.money["side"] == "BUY" else -1
        quantity, value = totals.get(order.wish.symbol, (0, Fraction(0)))
        shares = sign * order.money["quantity"]
        totals[order.wish.symbol] = (quantity + shares, value - shares * Fraction(order.average))
    return totals


def _the_day_had_every_end(market: Any) -> None:
    """Require that the day led the bots where it should, so that no later change of its prices makes it a dull one."""
    ends: dict[str, list[tuple[str, str, str | None]]] = {}
    for owner in market.owners.values():
        for order in owner.orders.values():
            kind = "square-off" if order.is_square_off else order.money["order_type"]
            ends.setdefault(order.wish.symbol, []).append((kind, order.status, order.rule))
    bought, cancelled = ("MARKET", "EXECUTED", "market"), ("STOP_MARKET", "CANCELLED", None)
    assert ends == {
        "RELIANCE": [bought, cancelled, ("square-off", "EXECUTED", "market")],
        "INFY": [bought, ("STOP_MARKET", "EXECUTED", "stop")],
        "SBIN": [bought, cancelled, ("MARKET", "EXECUTED", "market")],
        "TCS": [("LIMIT", "EXECUTED", "book"), ("LIMIT", "EXECUTED", "book")],
        "HDFCBANK": [("LIMIT", "EXECUTED", "first_look"), ("LIMIT", "EXPIRED", None)],
        "ITC": [("LIMIT", "EXECUTED", "book"), ("LIMIT", "EXPIRED", None)],
    }
    changed = {
        market.owners[wish.owner].orders[wish.name].wish.symbol for wish in market.week.wishes if wish.kind == "modify"
    }
    assert changed >= {"RELIANCE", "SBIN", "HDFCBANK"}


def _shares_settle(day: Rehearsal, account: Any) -> None:
    """Let the next days come: the shares that are left of the basket are delivered on the day after the next."""
    left = {"HDFCBANK": 30, "ITC": 100}
    for moment, is_settled in ((at(DAY_AFTER, 9, 0), False), (at(DAY_AFTER + ONE_DAY, 9, 0), True)):
        day.move(moment)
        wait_until(lambda: settling.behind_s() == 0, what="settlement")
        holdings = {one["tradingsymbol"]: one for one in _read(day, account, "/portfolio/holdings")}
        quantity = {symbol: (one["quantity"], one["t1_quantity"]) for symbol, one in holdings.items()}
        assert quantity == {symbol: (count, 0) if is_settled else (0, count) for symbol, count in left.items()}
    assert verify() == []


def _read(day: Rehearsal, account: Any, path: str) -> Any:
    """Read from the door as a client of Kite's does, whose root address has no path."""
    answer = requests.get(f"{day.web.base_url}{path}", headers=kite_headers(account.token), timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]
