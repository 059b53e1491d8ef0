"""Fills enter the settlement buckets and the figures of the day of their positions."""

from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import config
from tests.support.trading import buy, close, execute, hold, ledger_of, money, order_now, rows, run, sell
from tests.trading.settlement.days import buckets_of, let_days_pass, position_of, today
from trading.orders.preview import preview_order
from trading.rules.decision import OrderRequest
from trading.rules.errors import InsufficientHoldings, NothingToClose
from trading.upkeep.verify import verify

DELIVERY = {"product": "DELIVERY"}


@pytest.fixture
def without_t1_sales(monkeypatch: pytest.MonkeyPatch, settings: config.Settings) -> None:
    """Set ALLOW_T1_SALES=off."""
    chosen = replace(settings, allow_t1_sales=False)
    for module in ("trading.execution.position_days", "trading.orders.unsettled", "trading.day.conversion"):
        monkeypatch.setattr(f"{module}.settings", lambda: chosen)


def figures_of(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the figures of a position's day."""
    names = ("day_buy_quantity", "day_buy_value", "day_sell_quantity", "day_sell_value")
    return tuple(row[name] for name in names)


def test_a_purchase_is_of_the_day_and_moves_on_with_the_next_fill(trader: UUID) -> None:
    hold(trader, "BUY", 10, "1000.00", **DELIVERY)
    assert buckets_of(position_of(trader)) == {"today": 10}
    let_days_pass()
    hold(trader, "BUY", 10, "1010.00", **DELIVERY)
    assert buckets_of(position_of(trader)) == {"today": 10, "t1": 10}
    let_days_pass()
    hold(trader, "SELL", 15, "1050.00", **DELIVERY)
    row = position_of(trader)
    assert buckets_of(row) == {"t1": 5}
    assert (row["bucket_day"], row["realized_pnl"]) == (today(), money("675.00"))
    assert figures_of(row) == (0, money(0), 15, money("15750.00"))
    assert verify() == []


def test_the_money_of_the_week_with_a_holiday(trader: UUID) -> None:
    first = buy(trader, 10, "1000.00", **DELIVERY)
    execute(first)
    let_days_pass()
    second = buy(trader, 10, "1010.00", **DELIVERY)
    execute(second)
    assert [order_now(order)["charges"] for order in (first, second)] == [money("11.88"), money("12.00")]
    let_days_pass()
    sale = sell(trader, 15, "1050.00", **DELIVERY)
    execute(sale)
    assert ledger_of(sale) == [
        ("CHARGES", money("16.34")),
        ("PROFIT", money("675.00")),
        ("MARGIN_RELEASE", money("15075.00")),
    ]


def test_a_batch_enters_each_of_its_fills(trader: UUID) -> None:
    orders = [buy(trader, 10, "100.00", **DELIVERY), buy(trader, 5, "101.00", **DELIVERY), buy(trader, 4, "90.00")]
    assert execute(*orders).executed == 3
    execute(sell(trader, 12, "102.00", **DELIVERY))
    assert buckets_of(position_of(trader)) == {"today": 3}
    assert figures_of(position_of(trader)) == (15, money("1505.00"), 12, money("1224.00"))
    assert figures_of(position_of(trader, "INTRADAY")) == (4, money("360.00"), 0, money(0))
    assert verify() == []


def test_an_intraday_position_has_figures_and_no_buckets(trader: UUID) -> None:
    hold(trader, "SELL", 10, "100.00")
    let_days_pass()
    hold(trader, "BUY", 4, "99.00")
    row = position_of(trader, "INTRADAY")
    assert figures_of(row) == (4, money("396.00"), 0, money(0))
    assert (row["bucket_day"], buckets_of(row)) == (None, {})
    assert verify() == []


def test_the_figures_of_yesterday_are_not_counted_again(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00")
    let_days_pass()
    hold(trader, "BUY", 1, "100.00")
    assert figures_of(position_of(trader, "INTRADAY")) == (1, money("100.00"), 0, money(0))


def test_without_t1_sales_unsettled_shares_cannot_be_sold(trader: UUID, without_t1_sales: None) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass()
    with pytest.raises(InsufficientHoldings):
        sell(trader, 1, "100.00", **DELIVERY)
    hold(trader, "BUY", 2, "100.00", **DELIVERY)
    execute(sell(trader, 2, "100.00", **DELIVERY))
    let_days_pass()
    execute(sell(trader, 10, "100.00", **DELIVERY))
    assert position_of(trader)["quantity"] == 0


def test_a_sale_that_was_accepted_before_t1_sales_were_switched_off_is_rejected(
    trader: UUID, request: pytest.FixtureRequest
) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass()
    order = sell(trader, 1, "100.00", **DELIVERY)
    request.getfixturevalue("without_t1_sales")
    assert execute(order).rejected == 1
    assert order_now(order)["rejection_reason"] == "insufficient_holdings"


def test_a_position_of_the_release_before_has_settled(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    run("UPDATE position SET bucket_day = NULL, today_quantity = 0, figures_day = NULL, day_buy_quantity = 0")
    assert verify() == []
    hold(trader, "BUY", 1, "100.00", **DELIVERY)
    assert buckets_of(position_of(trader)) == {"settled": 10, "today": 1}
    assert verify() == []


def test_buckets_make_no_event(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    counted = "SELECT count(*) FROM event"
    before = rows(counted)
    run("UPDATE position SET today_quantity = 0, t1_quantity = 10, t1_settles_on = now()")
    assert rows(counted) == before
    (event,) = rows("SELECT data FROM event WHERE type = 'position.updated'")
    assert event["data"]["day_buy_value"] == Decimal("1000.00")
    assert not [name for name in event["data"] if name.startswith(("bucket", "today", "t1", "later", "settled"))]


@pytest.mark.parametrize(
    "change",
    ["today_quantity = 9", "settled_quantity = 1", "t1_quantity = 1, today_quantity = 9", "bucket_day = NULL"],
)
def test_the_check_finds_buckets_that_do_not_sum_to_the_position(trader: UUID, change: str) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    assert verify() == []
    run(f"UPDATE position SET {change}")
    assert [violation.rule for violation in verify()] == ["the buckets of a delivery sum to its position"]


def test_without_t1_sales_a_close_and_a_preview_leave_what_is_unsettled(
    trader: UUID, without_t1_sales: None, quote: Any
) -> None:
    quote()
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass()
    position = hold(trader, "BUY", 2, "100.00", **DELIVERY)
    request = OrderRequest("NSE", "RELIANCE", "SELL", 3, product="DELIVERY")
    assert isinstance(preview_order(trader, request, calendar=None).refusal, InsufficientHoldings)
    assert preview_order(trader, replace(request, quantity=2), calendar=None).refusal is None
    assert close(trader, position["id"])["quantity"] == 2
    with pytest.raises(NothingToClose):
        close(trader, position["id"])
