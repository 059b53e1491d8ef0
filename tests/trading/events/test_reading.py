"""Reading of events."""

from decimal import Decimal

from tests.support.trading import account_now, buy, execute, order_now, row_of
from trading.events.reading import events_since

# The marks that the matching and the workers keep for themselves.
HOUSEKEEPING = {"opened_number", "watch_price", "watch_trigger", "trigger_is_told", "match_sequence", "match_class"}
HOUSEKEEPING |= {"match_price", "due_at", "attempts", "retry_at"}


def test_the_events_of_an_order_come_in_order(trader):
    since = account_now(trader)["last_event_id"]
    order = buy(trader, 10, "100.00")
    execute(order)
    told = events_since(trader, since, 100)
    assert [event["type"] for event in told] == [
        "account.updated",
        "order.pending",
        "position.updated",
        "order.executed",
    ]
    assert [event["id"] for event in told] == list(range(since + 1, since + 5))


def test_an_order_event_has_the_values_of_the_row(trader):
    order = buy(trader, 10, "100.00")
    pending = next(event for event in events_since(trader, 0, 100) if event["type"] == "order.pending")
    row = order_now(order)
    assert set(pending["data"]) == set(row) - HOUSEKEEPING
    assert pending["data"]["id"] == str(row["id"])
    assert pending["data"]["price"] == row["price"]
    assert isinstance(pending["data"]["price"], Decimal)
    assert pending["data"]["charge_items"] == row["charge_items"]


def test_an_account_event_carries_the_available_margin_after_the_change(trader):
    buy(trader, 10, "100.00")
    account = account_now(trader)
    told = [event for event in events_since(trader, 0, 100) if event["type"] == "account.updated"][-1]
    assert told["data"]["available_margin"] == account["available_margin"]
    assert told["data"]["last_event_id"] == told["id"]
    assert set(told["data"]) == set(account)


def test_a_position_event_has_the_values_of_the_row(trader):
    execute(buy(trader, 10, "100.00"))
    told = next(event for event in events_since(trader, 0, 100) if event["type"] == "position.updated")
    position = row_of("position", told["data"]["id"])
    assert told["data"]["cost"] == position["cost"]
    buckets = ("bucket", "today", "t1", "later", "settled", "figures_day")  # are kept without an event
    assert set(told["data"]) == {name for name in position if not name.startswith(buckets)}


def test_events_are_read_after_a_number_and_up_to_a_limit(trader):
    for _ in range(3):
        buy(trader, 1, "10.00")
    everything = [event["id"] for event in events_since(trader, 0, 100)]
    assert everything == list(range(1, len(everything) + 1))
    assert [event["id"] for event in events_since(trader, 3, 2)] == [4, 5]
    assert events_since(trader, everything[-1], 100) == []


def test_events_of_other_accounts_are_left_out(trader, account):
    other = account().id
    buy(other, 1, "10.00")
    assert {event["account_id"] for event in events_since(trader, 0, 100)} == {trader}
