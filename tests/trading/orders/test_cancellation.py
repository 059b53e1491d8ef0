"""Cancelling and rejecting."""

import functools
from uuid import uuid4

import pytest

from tests.support.trading import (
    account_now,
    at_once,
    buy,
    cancel,
    execute,
    hold,
    ledger_of,
    order_now,
    rows,
    run,
    sell,
)
from trading.orders.cancellation import cancel_order, reject_order
from trading.orders.closing import close_position
from trading.orders.mass_cancellation import cancel_orders
from trading.orders.selection import OrderFilter
from trading.rules.errors import NotClosable, NotFound, OrderNotOpen, Refused
from trading.upkeep import verify

MONEY = ("balance", "blocked_margin", "available_margin")


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


def test_a_cancelled_order_gives_its_margin_and_charges_back(trader):
    before = account_now(trader)
    order = buy(trader, 10, "2500.00")
    cancelled = cancel(order)
    assert cancelled == order_now(order)
    assert (cancelled["status"], cancelled["rejection_reason"], cancelled["executed_at"]) == ("CANCELLED", None, None)
    assert ledger_of(order)[2:] == [("MARGIN_RELEASE", order["blocked_margin"]), ("CHARGES_REFUND", order["charges"])]
    after = account_now(trader)
    assert [after[name] for name in MONEY] == [before[name] for name in MONEY]


def test_a_cancelled_order_keeps_its_margin_and_charges_on_record(trader):
    order = buy(trader, 10, "2500.00")
    cancelled = cancel(order)
    assert (cancelled["blocked_margin"], cancelled["charges"]) == (order["blocked_margin"], order["charges"])
    assert cancelled["updated_at"] > order["updated_at"]


def test_a_cancelled_closing_order_gives_only_its_charges_back(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 10, "100.00")
    cancel(order)
    assert ledger_of(order)[1:] == [("CHARGES_REFUND", order["charges"])]


def test_an_order_without_margin_and_charges_is_cancelled_without_ledger_entries(trader):
    order = buy(trader, 1, "0.02")
    cancel(order)
    assert ledger_of(order) == []


def test_cancelling_twice_is_refused_and_changes_nothing(trader):
    order = buy(trader, 10, "100.00")
    cancel(order)
    before = (order_now(order), account_now(trader))
    with pytest.raises(OrderNotOpen) as refusal:
        cancel(order)
    assert refusal.value.details == {"order_status": "CANCELLED"}
    assert (order_now(order), account_now(trader)) == before


def test_an_executed_order_cannot_be_cancelled(trader):
    order = buy(trader, 10, "100.00")
    execute(order)
    with pytest.raises(OrderNotOpen) as refusal:
        cancel(order)
    assert refusal.value.details == {"order_status": "EXECUTED"}


def test_an_order_of_another_account_is_not_found(trader, account):
    order = buy(trader, 10, "100.00")
    with pytest.raises(NotFound):
        cancel_order(account().id, order["id"])
    with pytest.raises(NotFound):
        cancel_order(trader, uuid4())
    assert order_now(order)["status"] == "PENDING"


def test_a_suspended_account_may_cancel(trader):
    order = buy(trader, 10, "100.00")
    run("UPDATE account SET status = 'SUSPENDED'")
    assert cancel(order)["status"] == "CANCELLED"


def test_an_unknown_order_is_not_rejected(clean):
    assert reject_order(uuid4(), uuid4(), "execution_failed") is False


def test_when_cancel_and_execution_race_exactly_one_wins(trader):
    balance, executed = account_now(trader)["balance"], []
    for _ in range(60):
        order = buy(trader, 1, "10.00")
        cancelled, outcome = at_once([functools.partial(cancel, order), functools.partial(execute, order)])
        winners = {"CANCELLED": not isinstance(cancelled, OrderNotOpen), "EXECUTED": outcome.executed == 1}
        status = order_now(order)["status"]
        assert [name for name, has_won in winners.items() if has_won] == [status]
        executed += [order] if status == "EXECUTED" else []
    # A cancelled order has cost nothing and has no position; an executed one has its charges, margin and position.
    after = account_now(trader)
    assert after["balance"] == balance - sum(order["charges"] for order in executed)
    assert after["blocked_margin"] == sum(order["blocked_margin"] for order in executed)
    assert [row["quantity"] for row in rows("SELECT quantity FROM position")] == ([len(executed)] if executed else [])


def test_an_order_cancelled_and_rejected_at_once_is_refunded_once(trader):
    for _ in range(10):
        order = buy(trader, 10, "100.00")
        before = account_now(trader)
        reject = functools.partial(reject_order, trader, order["id"], "execution_failed")
        actions = [functools.partial(cancel, order), reject]
        results = at_once(actions * 4)
        assert sum(bool(result) and not isinstance(result, Refused) for result in results) == 1
        assert account_now(trader)["balance"] == before["balance"] + order["charges"]


def told(logged):
    """Return the ends of orders that the log tells, each with its event, quantity and reason."""
    ends = [line for line in logged if line["event"] in ("order_ended", "order_rejected")]
    return [(line["event"], line["order_id"], line["side"], line["quantity"], line["reason"]) for line in ends]


def test_each_way_to_end_an_order_is_logged_with_its_terms(trader, logged):
    one, other, bad = buy(trader, 1, "100.00"), buy(trader, 2, "100.00"), buy(trader, 3, "100.00")
    cancel_order(trader, one["id"])
    with pytest.raises(OrderNotOpen):
        cancel_order(trader, one["id"])
    reject_order(trader, bad["id"], "execution_failed")
    cancel_orders(trader, OrderFilter())
    assert told(logged) == [
        ("order_ended", str(one["id"]), "BUY", 1, "client"),
        ("order_rejected", str(bad["id"]), "BUY", 3, "execution_failed"),
        ("order_ended", str(other["id"]), "BUY", 2, "client"),
    ]


def test_a_cancellation_that_is_rolled_back_is_not_logged(trader, quote, logged):
    quote("RELIANCE", "100.00")
    position = hold(trader, "BUY", 10, "100.00")
    promised = sell(trader, 4, "100.00")
    with pytest.raises(NotClosable):
        close_position(trader, position["id"], calendar=None, quantity=11, cancel_open_orders=True)
    assert (told(logged), order_now(promised)["status"]) == ([], "PENDING")
    close_position(trader, position["id"], calendar=None, cancel_open_orders=True)
    assert told(logged) == [("order_ended", str(promised["id"]), "SELL", 4, "client")]
