"""Nudges to listeners."""

from decimal import Decimal

import pytest

from runtime import redis_link
from tests.support.processes import wait_until
from tests.support.trading import buy, cancel, execute
from trading.accounts import administration
from trading.events.publishing import CALL, nudge
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


def nudge_of(pubsub):
    """Return the channel of a nudge that has come; a call, as the hub of an earlier test sends it, is none."""
    message = pubsub.get_message(timeout=0.1)
    if message is not None and message["channel"].decode() != channel(CALL):
        return message["channel"].decode()
    return None


def nudged(pubsub):
    return wait_until(lambda: nudge_of(pubsub), what="a nudge")


def channel(account_id):
    return f"tradepost:events:{account_id}"


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
    assert nudge_of(listener) is None


def test_no_change_sends_no_nudge(trader, listener):
    execute_orders([trader])
    nudge([])
    assert nudge_of(listener) is None


def test_trading_goes_on_without_redis(trader, linked):
    redis_link.configure("redis://127.0.0.1:1")
    order = buy(trader, 1, "10.00")
    assert execute(order).executed == 1
