"""The daily work moves the settlement buckets of all deliveries on, in parts that may end anywhere."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from tests.support.trading import buy, execute, hold, one, rows, run
from tests.trading.settlement.days import buckets_of, let_days_pass, position_of
from trading.day import settling
from trading.day.settling import Settlement, settle
from trading.upkeep.verify import verify

DELIVERY = {"product": "DELIVERY"}


def test_a_purchase_settles_two_days_later(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    assert settle(None, limit_s=5) == Settlement(0, 0)
    let_days_pass()
    assert settle(None, limit_s=5) == Settlement(1, 0)
    assert buckets_of(position_of(trader)) == {"t1": 10}
    assert settle(None, limit_s=5) == Settlement(0, 0)
    let_days_pass()
    assert settle(None, limit_s=5) == Settlement(1, 0)
    assert buckets_of(position_of(trader)) == {"settled": 10}
    assert verify() == []


def test_missed_days_are_made_up_for_at_once(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass(9)
    assert settle(None, limit_s=5) == Settlement(1, 0)
    assert buckets_of(position_of(trader)) == {"settled": 10}


def test_settlement_makes_no_event_and_leaves_intraday_alone(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00")
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass()
    before = (one("SELECT last_event_id FROM account"), position_of(trader)["updated_at"])
    settle(None, limit_s=5)
    assert (one("SELECT last_event_id FROM account"), position_of(trader)["updated_at"]) == before
    assert position_of(trader, "INTRADAY")["bucket_day"] is None


def test_a_busy_account_is_left_and_settles_later(
    account: Callable[..., Any], connect: Callable[[], Any], clean: None
) -> None:
    accounts = [account() for _ in range(2)]
    for each in accounts:
        hold(each.id, "BUY", 10, "100.00", **DELIVERY)
    let_days_pass()
    other = connect()
    other.cursor().execute("SELECT 1 FROM account WHERE id = %s FOR UPDATE", (str(accounts[0].id),))
    assert settle(None, limit_s=0.2) == Settlement(1, 1)
    assert buckets_of(position_of(accounts[1].id)) == {"t1": 10}
    other.rollback()
    assert settle(None, limit_s=5) == Settlement(1, 0)
    assert buckets_of(position_of(accounts[0].id)) == {"t1": 10}


@pytest.mark.parametrize(("positions", "of_account", "parts"), [(500, 50, 1), (2, 50, 4), (500, 2, 3), (3, 1, 7)])
def test_a_part_has_few_positions_and_few_of_one_account(
    account: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, positions: int, of_account: int, parts: int
) -> None:
    for _ in range(2):
        trader = account().id
        orders = [buy(trader, 1, "10.00", symbol=f"S{number}", **DELIVERY) for number in range(4)]
        assert execute(*orders).executed == 4
    let_days_pass()
    monkeypatch.setattr(settling, "MAX_POSITIONS", positions)
    monkeypatch.setattr(settling, "MAX_OF_ACCOUNT", of_account)
    counts = []
    usual = settling._move_on
    monkeypatch.setattr(settling, "_move_on", lambda due, *rest: counts.append(len(due)) or usual(due, *rest))
    assert settle(None, limit_s=5) == Settlement(8, 0)
    assert (len(counts), max(counts) <= positions) == (parts, True)


def test_what_was_done_before_the_end_of_the_time_stays(trader: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = [buy(trader, 1, "10.00", symbol=f"S{number}", **DELIVERY) for number in range(4)]
    execute(*orders)
    let_days_pass()
    monkeypatch.setattr(settling, "MAX_OF_ACCOUNT", 1)
    usual, calls = settling._move_on, []

    def die_at_the_third(due: Any, *rest: Any) -> int:
        calls.append(due)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return usual(due, *rest)

    monkeypatch.setattr(settling, "_move_on", die_at_the_third)
    with pytest.raises(RuntimeError):
        settle(None, limit_s=5)
    assert [row["count"] for row in rows("SELECT count(*) FROM position WHERE t1_quantity > 0")] == [2]
    assert verify() == []
    assert settle(None, limit_s=5) == Settlement(2, 0)


def test_settlement_repairs_what_the_release_before_has_sold(trader: UUID) -> None:
    hold(trader, "BUY", 10, "100.00", **DELIVERY)
    run("UPDATE position SET quantity = 4, cost = 400, blocked_margin = 400")
    assert settle(None, limit_s=5) == Settlement(1, 0)
    assert buckets_of(position_of(trader)) == {"today": 4}
