"""Reading events, and telling listeners to look."""

from decimal import Decimal

import pytest

from runtime import redis_link
from tests.support.processes import wait_until
from tests.support.trading import account_now, buy, cancel, execute, order_now, row_of
from trading.accounts import administration
from trading.events.publishing import events_since, nudge
from trading.execution.executing import execute_orders


@pytest.fixture
def linked(configured, servers):
    redis_link.configure(servers.redis_url)
    yield
    redis_link.configure(servers.redis_url)


@pytest.fixture
def listener(redis_client, linked):
    with redis_client.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.psubscribe("tradepost:events:*")
        wait_until(lambda: pubsub.get_message(timeout=0.1) or pubsub.subscribed, what="the subscription")
        wait_until(redis_client.pubsub_numpat, what="the subscription")
        pubsub.get_message(timeout=0.1)  # the confirmation
        yield pubsub


def nudged(pubsub):
    message = wait_until(lambda: pubsub.get_message(timeout=0.1), what="a nudge")
    return message["channel"].decode()


def channel(account_id):
    return f"tradepost:events:{account_id}"


def test_an_orders_life_is_told_in_order(trader):
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


def test_an_event_says_what_the_row_said(trader):
    order = buy(trader, 10, "100.00")
    pending = next(event for event in events_since(trader, 0, 100) if event["type"] == "order.pending")
    row = order_now(order)
    assert set(pending["data"]) == set(row)
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


def test_a_position_event_says_what_the_position_says(trader):
    execute(buy(trader, 10, "100.00"))
    told = next(event for event in events_since(trader, 0, 100) if event["type"] == "position.updated")
    position = row_of("position", told["data"]["id"])
    assert told["data"]["cost"] == position["cost"]
    assert set(told["data"]) == set(position)


def test_events_are_read_from_a_number_on_and_up_to_a_limit(trader):
    for _ in range(3):
        buy(trader, 1, "10.00")
    everything = [event["id"] for event in events_since(trader, 0, 100)]
    assert everything == list(range(1, len(everything) + 1))
    assert [event["id"] for event in events_since(trader, 3, 2)] == [4, 5]
    assert events_since(trader, everything[-1], 100) == []


def test_events_of_others_are_not_told(trader, account):
    other = account().id
    buy(other, 1, "10.00")
    assert {event["account_id"] for event in events_since(trader, 0, 100)} == {trader}


def test_every_writing_function_nudges_the_account_after_its_commit(trader, listener):
    order = buy(trader, 1, "10.00")
    assert nudged(listener) == channel(trader)
    cancel(order)
    assert nudged(listener) == channel(trader)
    order = buy(trader, 1, "10.00")
    nudged(listener)
    execute(order)
    assert nudged(listener) == channel(trader)
    administration.move_funds(trader, "DEPOSIT", Decimal("1.00"))
    assert nudged(listener) == channel(trader)
    administration.set_status(trader, "SUSPENDED")
    assert nudged(listener) == channel(trader)


def test_a_batch_nudges_each_account_once(trader, account, listener):
    other = account().id
    nudged(listener)
    orders = []
    for who in (trader, other, trader):
        orders.append(buy(who, 1, "10.00"))
        assert nudged(listener) == channel(who)  # before the next, with which it would be told together
    execute(*orders)
    assert {nudged(listener), nudged(listener)} == {channel(trader), channel(other)}
    assert listener.get_message(timeout=0.1) is None


def test_what_changes_nothing_nudges_nobody(trader, listener):
    execute_orders([trader])
    nudge([])
    assert listener.get_message(timeout=0.1) is None


def test_trading_goes_on_without_redis(trader, linked):
    redis_link.configure("redis://127.0.0.1:1")
    order = buy(trader, 1, "10.00")
    assert execute(order).executed == 1
