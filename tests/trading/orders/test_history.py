"""An order's history, with its events and without them."""

from uuid import uuid4

import pytest

from tests.support.trading import buy, cancel, execute, hold, modify, money, order_now, rows, sell
from trading.events.reading import ORDER_EVENTS
from trading.orders.cancellation import reject_order
from trading.orders.history import order_history
from trading.rules.errors import NotFound


@pytest.fixture
def forget(cleaner):
    """Return a function that deletes events as retention does, up to and including one."""

    def up_to(event_id):
        with cleaner.cursor() as cursor:
            cursor.execute("DELETE FROM event WHERE id <= %s", (event_id,))

    return up_to


def life(order):
    return order_history(order["account_id"], order["id"])


def outline(order):
    """Return the type, the status and the kinds of transactions of each entry."""
    return [(each["type"], each["status"], [entry["kind"] for entry in each["transactions"]]) for each in life(order)]


def all_transactions(order):
    return [entry for each in life(order) for entry in each["transactions"]]


def as_text(changes):
    """Return changes as text without the time, which events and rows write differently."""
    return {name: str(value) for name, value in changes.items() if name != "executed_at"}


BOTH = ["MARGIN_BLOCK", "CHARGES"]
BACK = ["MARGIN_RELEASE", "CHARGES_REFUND"]


def test_a_pending_order_has_only_its_placement(trader):
    order = buy(trader, 10, "100.00")
    (placed,) = life(order)
    (event,) = rows("SELECT * FROM event WHERE type = 'order.pending'")
    assert (placed["event_id"], placed["at"]) == (event["id"], event["at"])
    assert placed["changes"] == {
        "order_type": "LIMIT",
        "quantity": 10,
        "price": money("100.00"),
        "blocked_margin": money("200.00"),
        "charges": order["charges"],
    }
    assert outline(order) == [("order.pending", "PENDING", BOTH)]


def test_every_change_has_its_new_values_and_its_ledger_entries(trader):
    order = buy(trader, 10, "100.00")
    modify(order, quantity=20)
    modify(order, quantity=10, price="200.00")  # moves no money
    modify(order, price="50.00")
    execute(order)
    done = order_now(order)
    assert outline(order) == [
        ("order.pending", "PENDING", BOTH),
        ("order.modified", "PENDING", BOTH),
        ("order.modified", "PENDING", []),
        ("order.modified", "PENDING", BACK),
        ("order.executed", "EXECUTED", []),
    ]
    changes = [each["changes"] for each in life(order)]
    assert set(changes[1]) == {"quantity", "blocked_margin", "charges"}
    assert changes[2] == {"quantity": 10, "price": money("200.00")}
    assert changes[3]["price"] == money("50.00")
    assert changes[4] == {
        "filled_quantity": 10,
        "average_price": money("50.00"),
        "position_id": str(done["position_id"]),
        "executed_at": changes[4]["executed_at"],
    }
    ids = [each["event_id"] for each in life(order)]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (cancel, "CANCELLED"),
        (lambda order: reject_order(order["account_id"], order["id"], "execution_failed"), "REJECTED"),
    ],
)
def test_an_order_that_ended_without_a_fill_has_the_entries_of_its_refund(trader, ending, status):
    order = buy(trader, 10, "100.00")
    ending(order)
    assert outline(order)[1:] == [(f"order.{status.lower()}", status, BACK)]
    reason = {"rejection_reason": "execution_failed"} if status == "REJECTED" else {"end_reason": "client"}
    assert life(order)[1]["changes"] == reason


def closed_at_a_profit(trader):
    hold(trader, "BUY", 10, "100.00")
    order = sell(trader, 10, "110.00")
    execute(order)
    return order, [
        ("order.pending", "PENDING", ["CHARGES"]),
        ("order.executed", "EXECUTED", ["PROFIT", "MARGIN_RELEASE"]),
    ]


def executed_at_another_price(trader, quote):
    quote()
    order = buy(trader, 10)
    quote(last_price="2600.00")
    execute(order)
    return order, [("order.pending", "PENDING", BOTH), ("order.executed", "EXECUTED", BOTH)]


def cancelled_after_nothing_was_taken(trader):
    order = buy(trader, 1, "0.02")
    cancel(order)
    return order, [("order.pending", "PENDING", []), ("order.cancelled", "CANCELLED", [])]


@pytest.fixture(params=["plain", "profit", "other price", "small change", "cancelled", "waiting"])
def lived(request, trader, quote):
    """Return an order that was never modified, with the outline of its history."""
    order = buy(trader, 10, "100.00", symbol="TCS")
    placed = ("order.pending", "PENDING", BOTH)
    match request.param:
        case "plain":
            execute(order)
            return order, [placed, ("order.executed", "EXECUTED", [])]
        case "profit":
            return closed_at_a_profit(trader)
        case "other price":
            return executed_at_another_price(trader, quote)
        case "small change":
            return cancelled_after_nothing_was_taken(trader)
        case "cancelled":
            cancel(order)
            return order, [placed, ("order.cancelled", "CANCELLED", BACK)]
    return order, [placed]


def test_without_events_the_history_keeps_the_placement_and_the_end(lived, forget):
    order, expected = lived
    assert outline(order) == expected
    before = life(order)
    forget(10**9)
    assert outline(order) == expected
    after, row = life(order), order_now(order)
    assert {each["event_id"] for each in after} == {None}
    assert (after[0]["at"], after[0]["changes"]) == (row["placed_at"], None)
    if len(after) > 1:
        assert after[-1]["at"] == row["updated_at"]
        assert as_text(before[-1]["changes"]).items() <= as_text(after[-1]["changes"]).items()


def test_entries_before_the_oldest_kept_event_belong_to_the_placement(trader, forget):
    order = buy(trader, 10, "100.00")
    for quantity in (20, 30, 40):
        modify(order, quantity=quantity)
    execute(order)
    whole = all_transactions(order)
    forget(life(order)[1]["event_id"])  # up to the first change
    assert outline(order) == [
        ("order.pending", "PENDING", BOTH * 3),
        ("order.modified", "PENDING", []),
        ("order.modified", "PENDING", BOTH),
        ("order.executed", "EXECUTED", []),
    ]
    assert [each["event_id"] is None for each in life(order)] == [True, False, False, False]
    assert life(order)[1]["changes"].keys() == {"order_type", "quantity", "price", "blocked_margin", "charges"}
    forget(10**9)
    assert outline(order) == [("order.pending", "PENDING", BOTH * 4), ("order.executed", "EXECUTED", [])]
    assert all_transactions(order) == whole


def test_an_order_changed_very_often_has_the_newest_events(trader, monkeypatch):
    monkeypatch.setattr("trading.orders.history.MAX_EVENTS", 2)
    order = buy(trader, 10, "100.00")
    for quantity in (20, 30, 40):
        modify(order, quantity=quantity)
    assert [each["changes"] and each["changes"]["quantity"] for each in life(order)] == [None, 30, 40]
    assert outline(order)[-1] == ("order.modified", "PENDING", BOTH)


def test_another_accounts_order_has_no_history(trader, account):
    order = buy(trader, 10, "100.00")
    for account_id, order_id in ((account().id, order["id"]), (trader, uuid4())):
        with pytest.raises(NotFound):
            order_history(account_id, order_id)


def test_events_are_found_by_their_index(trader, cleaner):
    order = buy(trader, 10, "100.00")
    with cleaner.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        cursor.execute("EXPLAIN " + ORDER_EVENTS, (str(order["id"]), str(trader), 10))
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("RESET enable_seqscan")
    assert "event_of_order" in plan, plan
