"""Two bots written for Kite Connect trade a whole past day, and their books are those of an independent reckoning."""

import re
from collections import Counter
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
from tests.kite_days.recorded import CLASSES, DAY, DAY_AFTER, DAY_BEFORE, VOLUME, Moment
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
EARLY_SHARES = 5
ONE_DAY, WEEK = timedelta(days=1), timedelta(days=7)
TOLD = re.compile(r"^(\w+): order \d{15} is ([A-Z ]+)$", re.MULTILINE)
ORDERS = "SELECT trading_order.* FROM trading_order JOIN account ON account.id = account_id WHERE account.name = %s"


@pytest.fixture
def packages() -> dict[str, str]:
    """Return the paths of the clients with which the bots trade: the newest one, and one before market protection."""
    try:
        return {"kite_opening_range.py": python_path("5.2.2"), "kite_basket.py": python_path("4.2.0")}
    except NoClientError as error:
        pytest.skip(str(error))


@pytest.fixture
def day(start: ProcessStarter, moving_clock: Any, headers_for: Any) -> Rehearsal:
    """Return the day before its first quote, with its stocks, its sessions and its processes."""
    moving_clock(at(DAY_BEFORE, 15, 0))
    make_sessions("NSE", DAY - WEEK, DAY + WEEK)
    import_stocks(("NSE", symbol) for symbol in CLASSES)
    set_facts([ImportedFacts("NSE", symbol, recorded.TICK, session_class=name) for symbol, name in CLASSES.items()])
    settings = {"MARKET_CALENDAR": "NSE", "RECORD_CANDLES": "on"}
    start.worker(**settings)
    return Rehearsal(start.web(**settings), moving_clock, headers_for("feed"))


@pytest.fixture
def bots(
    day: Rehearsal, account: Any, packages: dict[str, str], tmp_path: Path
) -> Iterator[dict[str, tuple[Bot, Any]]]:
    """Start the bots, each with an account of its own, on the evening before the day."""
    opening = recorded.moments()[0]
    day.feed(opening)
    started = {}
    for name, program, arguments in (
        ("breakout", "kite_opening_range.py", BREAKOUTS),
        ("basket", "kite_basket.py", BASKET),
    ):
        owner = account(BALANCE, name=name, fill_model="QUOTES")
        options = {"url": day.web.base_url, "token": owner.token, "packages": packages[program], "folder": tmp_path}
        started[name] = (Bot(program, arguments, **options), owner)
    yield started
    for bot, _ in started.values():
        bot.stop()


def test_two_bots_trade_a_whole_day_and_their_books_are_those_of_the_reckoning(day: Rehearsal, bots: Any) -> None:
    (breakout, first), (basket, second) = bots["breakout"], bots["basket"]
    moments = recorded.moments()
    for symbol in BREAKOUTS:
        breakout.require(lambda symbol=symbol: f"15:29:30 {symbol} at " in breakout.log, f"snapshot of {symbol}")
    _an_order_is_placed_before_the_open(day, second)
    for earlier, moment in pairwise(moments):
        day.pass_times(earlier.at, moment.at)
        day.follow(moment, breakout, BREAKOUTS, basket)
    day.pass_times(moments[-1].at, at(DAY, 15, 30))
    assert basket.process.wait(10) == 0, basket.log
    assert "Traceback" not in breakout.log, breakout.log
    _the_bot_was_told_of_its_orders(breakout)
    assert verify() == []

    market = play(moments, requests_of_clients(), Decimal(BALANCE))
    for name, account in (("breakout", first), ("basket", second)):
        _orders_are_as_reckoned(name, market.owners[name])
        _the_door_shows_them(day, account, market.owners[name], moments[-1])
    _the_day_had_every_end(market)
    _the_candles_are_those_of_the_quotes(day, second, moments[1:])
    _shares_settle(day, second)


def _the_bot_was_told_of_its_orders(breakout: Bot) -> None:
    """Require the updates of orders that ended: each stock's entry and exit, and two stops."""
    told = Counter(TOLD.findall(breakout.log))
    ends = {key: count for key, count in told.items() if key[1] in ("COMPLETE", "CANCELLED", "REJECTED")}
    expected = {(symbol, "COMPLETE"): 2 for symbol in BREAKOUTS}
    assert ends == expected | {("RELIANCE", "CANCELLED"): 1, ("SBIN", "CANCELLED"): 1}


def _an_order_is_placed_before_the_open(day: Rehearsal, account: Any) -> None:
    """Place an after-market order, as Kite's hint says once a regular one is refused."""
    day.move(at(DAY, 9, 5))
    terms = {"exchange": "NSE", "tradingsymbol": "ITC", "transaction_type": "BUY", "product": "CNC"}
    form = {**terms, "order_type": "LIMIT", "price": 452, "quantity": EARLY_SHARES}
    headers = kite_headers(account.token)
    refused = requests.post(f"{day.web.base_url}/orders/regular", form, headers=headers, timeout=30)
    assert (refused.status_code, refused.json()["data"]) == (400, {"hints": ["switch_to_amo"]})
    placed = requests.post(f"{day.web.base_url}/orders/amo", form, headers=headers, timeout=30)
    assert placed.status_code == 200, placed.text
    (order,) = _read(day, account, "/orders")
    assert (order["variety"], order["status"]) == ("amo", "AMO REQ RECEIVED")
    assert order["order_id"] == placed.json()["data"]["order_id"]


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
        "ITC": [("LIMIT", "EXECUTED", "first_look"), ("LIMIT", "EXECUTED", "book"), ("LIMIT", "EXPIRED", None)],
    }
    changed = {
        market.owners[wish.owner].orders[wish.name].wish.symbol for wish in market.week.wishes if wish.kind == "modify"
    }
    assert changed >= {"RELIANCE", "SBIN", "HDFCBANK"}


def _the_candles_are_those_of_the_quotes(day: Rehearsal, account: Any, moments: list[Moment]) -> None:
    """Compare the recorded candles of a stock with the quotes of the day, of which each brought a trade."""
    (token,) = [one["instrument_token"] for one in _read(day, account, "/quote?i=NSE:SBIN").values()]
    span = f"from={DAY} 09:15:00&to={DAY} 15:30:00"

    def candles(interval: str) -> list[list[Any]]:
        return _read(day, account, f"/instruments/historical/{token}/{interval}?{span}")["candles"]

    trades = [
        (moment.at.replace(second=0), float(quote["lastPrice"]))
        for moment in moments
        for quote in moment.quotes
        if quote["symbol"] == "SBIN"
    ]
    minutes = [[f"{minute:%Y-%m-%dT%H:%M:%S%z}", *[price] * 4, VOLUME] for minute, price in trades]
    wait_until(lambda: candles("minute") == minutes, what="the last minute is written")
    prices = [price for _, price in trades]
    (candle,) = candles("day")
    assert candle[1:] == [prices[0], max(prices), min(prices), prices[-1], VOLUME * len(prices)]
    opening = prices[:15]  # the range that the breakouts come from, with a trade in each of its minutes
    assert candles("15minute")[0][1:] == [opening[0], max(opening), min(opening), opening[-1], VOLUME * 15]


def _shares_settle(day: Rehearsal, account: Any) -> None:
    """Let the next days come: the shares that are left of the basket are delivered on the day after the next."""
    left = {"HDFCBANK": 30, "ITC": 100 + EARLY_SHARES}
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
