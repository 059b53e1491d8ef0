"""Deliveries over dated sessions and holidays, by the market's clock."""

import dataclasses
from collections.abc import Callable
from datetime import date, time
from typing import Any
from uuid import UUID

import pytest

from tests.support.market_clock import clock
from tests.support.sessions import session_of
from tests.support.trading import hold, one, rows, run
from tests.trading.settlement.days import buckets_of, position_of
from trading.accounts.portfolio import HOLDINGS, IS_HOLDING, value_holding
from trading.day import jobs, settling
from trading.day.daily import behind_s, do_daily_work
from trading.market.calendars import import_holidays, import_sessions, make_sessions
from trading.market.trading_days import trading_days
from trading.rules.settlement import last_trading_day
from trading.upkeep.verify import verify

__all__ = ["clock"]

DELIVERY = {"product": "DELIVERY"}
READERS = ("trading.execution.position_days", "trading.day.settling")


@pytest.fixture
def november(clean: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MARKET_CALENDAR be NSE, with the sessions of November 2026; the 10th is a holiday."""
    import_holidays([("NSE", date(2026, 11, 10), "Diwali-Balipratipada")])
    make_sessions("NSE", date(2026, 11, 1), date(2026, 11, 30))
    chosen = dataclasses.replace(settings, market_calendar="NSE")
    for module in READERS:
        monkeypatch.setattr(f"{module}.settings", lambda: chosen)


def held(account_id: UUID) -> list[tuple[int, ...]]:
    """Return the settled quantity, that of t1 and that which was sold today of each holding."""
    found = rows(
        f"{HOLDINGS} WHERE account_id = %s AND {IS_HOLDING} ORDER BY position.id", "NSE", account_id, "DELIVERY"
    )
    for row in found:
        value_holding(row, trading_days("NSE"))
    return [(row["settled_quantity"], row["t1_quantity"], row["sold_today"]) for row in found]


def test_the_example_of_a_week_with_a_holiday(trader: UUID, november: None, clock: Callable[[str], None]) -> None:
    clock("2026-11-06 10:00")
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    assert held(trader) == []
    clock("2026-11-08 10:00")
    assert held(trader) == []
    clock("2026-11-09 10:00")
    assert held(trader) == [(0, 10, 0)]
    hold(trader, "BUY", 10, "1010.00", **DELIVERY)
    assert buckets_of(position_of(trader)) == {"today": 10, "t1": 10}
    clock("2026-11-10 10:00")
    assert held(trader) == [(10, 0, 0)]
    clock("2026-11-11 10:00")
    assert held(trader) == [(10, 10, 0)]
    hold(trader, "SELL", 15, "1050.00", **DELIVERY)
    assert held(trader) == [(0, 5, 15)]
    clock("2026-11-12 00:00")
    assert held(trader) == [(5, 0, 0)]
    assert buckets_of(position_of(trader)) == {"t1": 5}
    assert verify() == []


def test_the_daily_work_writes_the_same_days(trader: UUID, november: None, clock: Callable[[str], None]) -> None:
    expected = {
        "2026-11-06": {"today": 10},
        "2026-11-07": {"today": 10},
        "2026-11-08": {"today": 10},
        "2026-11-09": {"t1": 10},
        "2026-11-10": {"settled": 10},
        "2026-11-11": {"settled": 10},
    }
    clock("2026-11-06 10:00")
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    for day, buckets in expected.items():
        clock(f"{day} 15:29:59")
        assert do_daily_work()
        assert buckets_of(position_of(trader)) == buckets, day
    assert verify() == []


def test_a_session_on_a_sunday_settles_after_the_friday_before(
    trader: UUID, november: None, clock: Callable[[str], None]
) -> None:
    import_sessions("NSE", [session_of(date(2026, 11, 8), opens=time(18), closes=time(19))])
    clock("2026-11-06 10:00")
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    clock("2026-11-08 18:30")
    assert held(trader) == [(0, 10, 0)]
    hold(trader, "BUY", 5, "1000.00", **DELIVERY)
    clock("2026-11-09 10:00")
    assert do_daily_work()
    assert buckets_of(position_of(trader)) == {"t1": 10, "later": 5}
    assert held(trader) == [(0, 15, 0)]
    clock("2026-11-10 10:00")
    assert do_daily_work()
    assert buckets_of(position_of(trader)) == {"settled": 10, "t1": 5}
    clock("2026-11-12 10:00")
    assert held(trader) == [(15, 0, 0)]
    assert verify() == []


def test_settlement_is_a_work_of_each_day_that_is_done_once(
    trader: UUID, november: None, clock: Callable[[str], None]
) -> None:
    clock("2026-11-09 00:00:30")
    assert 29 < behind_s()["settlement"] < 60
    assert settling.run_once()
    assert behind_s()["settlement"] == 0
    assert jobs.is_done("settlement", date(2026, 11, 9))
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    run("UPDATE position SET bucket_day = bucket_day - 7")
    assert settling.run_once()
    assert buckets_of(position_of(trader)) == {"today": 10}
    assert jobs.repeat("settlement", date(2026, 11, 9))
    assert settling.run_once()
    assert buckets_of(position_of(trader)) == {"settled": 10}


def test_a_settlement_whose_accounts_are_busy_is_not_done(
    trader: UUID, november: None, clock: Callable[[str], None], connect: Callable[[], Any], monkeypatch: Any
) -> None:
    monkeypatch.setattr(settling, "PASS_S", 0.1)
    clock("2026-11-09 10:00")
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    clock("2026-11-11 10:00")
    other = connect()
    other.cursor().execute("SELECT 1 FROM account FOR UPDATE")
    assert not settling.run_once()
    other.rollback()
    assert settling.run_once()
    assert buckets_of(position_of(trader)) == {"t1": 10}
    assert one("SELECT count(*) FROM job_run WHERE finished_at IS NOT NULL") == 1


@pytest.mark.parametrize(("day", "expected"), [(9, 9), (10, 9), (11, 11), (8, 6), (7, 6)])
def test_a_day_without_trading_belongs_to_the_trading_day_before(november: None, day: int, expected: int) -> None:
    assert last_trading_day(date(2026, 11, day), trading_days("NSE")) == date(2026, 11, expected)
