"""The positions of an account on a day."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.support.market_clock import clock
from tests.support.trading import hold
from trading.accounts.day_book import read_day_book
from trading.accounts.funds import read_funds
from trading.rules.sessions import TradingDays, default_sessions

__all__ = ["clock"]

NOVEMBER = TradingDays(default_sessions(date(2026, 11, 1), date(2026, 11, 30), ()))
THURSDAY, FRIDAY, SATURDAY, MONDAY = (f"2026-11-{day:02} 10:00" for day in (5, 6, 7, 9))


@pytest.fixture
def trader(account: Callable[..., Any], clock: Callable[[str], None]) -> Any:
    """Return an account that bought on a Thursday and sold some of it on the Friday."""
    clock(THURSDAY)
    trader = account()
    hold(trader.id, "BUY", 10, "100.00")
    hold(trader.id, "BUY", 10, "200.00", product="DELIVERY")
    clock(FRIDAY)
    hold(trader.id, "SELL", 4, "110.00")
    return trader


def test_on_a_saturday_the_day_is_still_the_friday(trader: Any, clock: Callable[[str], None]) -> None:
    clock(SATURDAY)
    intraday, delivery = read_day_book(trader.id, NOVEMBER)
    assert intraday.position.figures.sell_quantity == 4
    assert intraday.position.overnight_cost == Decimal("1000.00")
    assert delivery.holding is not None
    assert (delivery.holding.opening_quantity, delivery.is_shown) == (10, False)
    assert read_funds(trader.id, NOVEMBER).realized == Decimal("40.00")


def test_on_the_monday_a_new_day_has_begun(trader: Any, clock: Callable[[str], None]) -> None:
    clock(MONDAY)
    intraday, _ = read_day_book(trader.id, NOVEMBER)
    assert (intraday.position.overnight_quantity, intraday.position.has_trades) == (6, False)
    assert intraday.position.overnight_cost == Decimal("600.00")
    assert read_funds(trader.id, NOVEMBER).realized == 0
