"""Conversions of positions between INTRADAY and DELIVERY."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import pytest

from tests.support.identifiers import NOT_THERE
from tests.support.market_clock import clock
from tests.support.trading import account_now, at_once, buy, execute, hold, money, row_of, rows, run, sell
from tests.trading.settlement.days import buckets_of, let_days_pass, position_of
from trading.accounts.administration import change_account, set_status
from trading.day.conversion import convert_position
from trading.market.calendars import make_sessions
from trading.rules.errors import (
    AccountSuspended,
    InsufficientMargin,
    IntradayNotAllowed,
    MarketClosed,
    NotConvertible,
    NotFound,
    Refused,
    SquareOffPassed,
)
from trading.rules.sessions import INDIAN_TIME
from trading.rules.terms import AccountStatus
from trading.upkeep.verify import verify

__all__ = ["clock"]


def convert(account_id: UUID, position_id: UUID, quantity: int | None = None, **options: Any) -> Any:
    """Convert a quantity of a position, and return the change's row."""
    return convert_position(account_id, position_id, quantity, **{"calendar": None} | options)[0]


def entries(account_id: UUID) -> list[tuple[Any, ...]]:
    """Return the ledger entries of an account that belong to no order, without its deposits."""
    found = rows(
        "SELECT kind, amount, position_id FROM fund_transaction"
        " WHERE account_id = %s AND order_id IS NULL AND kind <> 'DEPOSIT' ORDER BY id",
        account_id,
    )
    return [tuple(row.values()) for row in found]


def test_a_part_of_an_intraday_position_becomes_a_delivery(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    before = account_now(trader)
    change = convert(trader, source["id"], 4)
    delivery, intraday = position_of(trader), position_of(trader, "INTRADAY")
    assert (change["quantity"], change["cost"], change["kind"]) == (4, money("400.00"), "CONVERSION")
    assert (change["from_position"], change["to_position"]) == (intraday["id"], delivery["id"])
    assert (intraday["quantity"], intraday["cost"], intraday["blocked_margin"]) == (
        6,
        money("600.00"),
        money("120.00"),
    )
    assert (delivery["quantity"], delivery["cost"], delivery["blocked_margin"]) == (4, money("400.00"), money("400.00"))
    assert (delivery["exchange"], delivery["symbol"]) == ("NSE", "RELIANCE")
    assert buckets_of(delivery) == {"today": 4}
    assert (intraday["day_buy_quantity"], delivery["day_buy_quantity"]) == (6, 4)
    assert entries(trader) == [("MARGIN_BLOCK", money("320.00"), delivery["id"])]
    after = account_now(trader)
    assert (after["balance"], after["blocked_margin"]) == (before["balance"], before["blocked_margin"] + 320)
    assert verify() == []


def test_all_of_a_delivery_of_today_becomes_intraday_and_releases_margin(trader: UUID) -> None:
    hold(trader, "BUY", 5, "100.00", product="DELIVERY")
    let_days_pass()
    source = hold(trader, "BUY", 10, "110.00", product="DELIVERY")
    convert(trader, source["id"])
    delivery, intraday = position_of(trader), position_of(trader, "INTRADAY")
    assert buckets_of(delivery) == {"t1": 5}
    assert (intraday["quantity"], intraday["cost"]) == (10, money("1066.67"))
    assert entries(trader) == [("MARGIN_RELEASE", money("853.34"), intraday["id"])]
    assert verify() == []


def test_a_conversion_there_and_back_changes_nothing(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    before = account_now(trader)
    change = convert(trader, source["id"])
    convert(trader, change["to_position"])
    after = account_now(trader)
    assert (after["balance"], after["blocked_margin"]) == (before["balance"], before["blocked_margin"])
    assert position_of(trader)["quantity"] == 0
    names = ("quantity", "cost", "blocked_margin", "day_buy_quantity", "day_buy_value")
    assert [row_of("position", source["id"])[name] for name in names] == [source[name] for name in names]
    assert verify() == []


def test_the_profit_of_the_day_moves_with_the_purchases(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00")
    source = hold(trader, "SELL", 4, "110.00")
    convert(trader, source["id"], 6)
    intraday, delivery = position_of(trader, "INTRADAY"), position_of(trader)
    assert (intraday["day_buy_quantity"], intraday["day_buy_value"]) == (4, money("400.00"))
    assert (intraday["day_sell_quantity"], intraday["quantity"]) == (4, 0)
    assert (delivery["day_buy_quantity"], delivery["day_buy_value"]) == (6, money("600.00"))


def test_what_orders_will_sell_is_not_converted(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 7, "110.00")
    with pytest.raises(NotConvertible) as refusal:
        convert(trader, source["id"], 4)
    assert refusal.value.details == {"convertible": 3}
    assert convert(trader, source["id"])["quantity"] == 3
    assert execute(order).executed == 1
    assert verify() == []


def test_shorts_are_not_converted(trader: UUID) -> None:
    source = hold(trader, "SELL", 10, "100.00")
    with pytest.raises(NotConvertible):
        convert(trader, source["id"])


def test_a_delivery_of_earlier_days_stays(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    let_days_pass()
    with pytest.raises(NotConvertible) as refusal:
        convert(trader, source["id"], 1)
    assert refusal.value.details == {"convertible": 0}


def test_a_conversion_beyond_the_margin_changes_nothing(account: Callable[..., Any]) -> None:
    trader = account("300.00").id
    source = hold(trader, "BUY", 10, "100.00")
    available = account_now(trader)["available_margin"]
    with pytest.raises(InsufficientMargin) as refusal:
        convert(trader, source["id"])
    assert refusal.value.details == {"required": money("800.00"), "available": available}
    assert row_of("position", source["id"])["quantity"] == 10
    assert rows("SELECT 1 FROM position_change") == []
    assert convert(trader, source["id"], 1)["quantity"] == 1
    assert verify() == []


def test_a_negative_margin_does_not_stop_a_conversion_that_releases_margin(account: Callable[..., Any]) -> None:
    trader = account("1100.00").id
    source = hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    other = buy(trader, 1, "400.00")
    execute(other)
    execute(sell(trader, 1, "1.00"))
    assert account_now(trader)["available_margin"] < 0
    convert(trader, source["id"], 1)
    assert verify() == []


def test_refusals_come_before_any_change(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    run("UPDATE stock SET allows_intraday = false")
    with pytest.raises(IntradayNotAllowed):
        convert(trader, source["id"])
    run("UPDATE stock SET allows_intraday = true")
    set_status(trader, AccountStatus.SUSPENDED)
    with pytest.raises(AccountSuspended):
        convert(trader, source["id"])


def test_the_position_of_another_account_is_not_found(account: Callable[..., Any], trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    for owner, position_id in ((account().id, source["id"]), (trader, NOT_THERE), (NOT_THERE, source["id"])):
        with pytest.raises(NotFound):
            convert(owner, position_id)


def test_simultaneous_conversions_move_no_more_than_there_is(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    results = at_once([lambda: convert(trader, source["id"], 4)] * 4)
    refused = [result for result in results if isinstance(result, Refused)]
    assert [type(refusal) for refusal in refused] == [NotConvertible] * 2
    assert (position_of(trader)["quantity"], position_of(trader, "INTRADAY")["quantity"]) == (8, 2)
    assert verify() == []


def test_the_check_finds_a_change_that_no_position_shows(trader: UUID) -> None:
    source = hold(trader, "BUY", 10, "100.00")
    change = convert(trader, source["id"], 4)
    run(
        "INSERT INTO position_change (account_id, from_position, to_position, quantity, cost, kind)"
        " VALUES (%s, %s, %s, 1, 100, 'CONVERSION')",
        trader,
        change["from_position"],
        change["to_position"],
    )
    assert [violation.rule for violation in verify()] == ["a position is the sum of its fills"] * 2


@pytest.fixture
def delivery(trader: UUID, clock: Callable[[str], None]) -> Any:
    """Return a DELIVERY position that was bought on a Friday with sessions."""
    make_sessions("NSE", date(2026, 11, 1), date(2026, 11, 30))
    clock("2026-11-06 10:00")
    return hold(trader, "BUY", 10, "100.00", product="DELIVERY")


@pytest.mark.parametrize("moment", ["2026-11-06 09:14:00", "2026-11-06 15:30:00"])
def test_a_conversion_needs_an_open_market(
    trader: UUID, delivery: Any, clock: Callable[[str], None], moment: str
) -> None:
    clock(moment)
    with pytest.raises(MarketClosed) as refusal:
        convert(trader, delivery["id"], calendar="NSE")
    assert refusal.value.details["next_open"] in [indian(6, 9, 15), indian(9, 9, 15)]


def test_nothing_becomes_intraday_after_the_square_off_of_its_class(
    trader: UUID, delivery: Any, clock: Callable[[str], None]
) -> None:
    clock("2026-11-06 15:24:59")
    intraday = convert(trader, delivery["id"], 4, calendar="NSE")["to_position"]
    clock("2026-11-06 15:25:00")
    for fill_model in ("IMMEDIATE", "QUOTES"):
        change_account(trader, {"fill_model": fill_model})
        with pytest.raises(SquareOffPassed):
            convert(trader, delivery["id"], calendar="NSE")
    assert convert(trader, intraday, calendar="NSE")["quantity"] == 4
    run("UPDATE stock SET session_class = 'AUCTION'")
    clock("2026-11-06 15:12:00")
    with pytest.raises(SquareOffPassed):
        convert(trader, delivery["id"], calendar="NSE")
    clock("2026-11-06 15:11:00")
    assert convert(trader, delivery["id"], calendar="NSE")["quantity"] == 10
    assert verify() == []


def test_without_a_calendar_the_square_off_has_its_own_time(
    trader: UUID, delivery: Any, clock: Callable[[str], None], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = replace(settings, square_off_time=time(15, 12))
    monkeypatch.setattr("trading.day.conversion.settings", lambda: chosen)
    change_account(trader, {"fill_model": "QUOTES"})
    clock("2026-11-06 15:12:00")
    with pytest.raises(SquareOffPassed):
        convert(trader, delivery["id"])
    clock("2026-11-06 15:11:00")
    assert convert(trader, delivery["id"])["quantity"] == 10


def indian(day: int, hour: int, minute: int) -> datetime:
    """Return a time of November 2026."""
    return datetime(2026, 11, day, hour, minute, tzinfo=INDIAN_TIME)
