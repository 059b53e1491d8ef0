"""Placements at the same time."""

import functools

import pytest

from models import database
from tests.support.trading import account_now, at_once, buy, execute_all, hold, one, rows, sell
from trading.rules.errors import DuplicateClientOrderId, InsufficientHoldings, InsufficientMargin
from trading.upkeep import verify

THREADS = 20


def split(results):
    refused = [result for result in results if isinstance(result, Exception)]
    return [result for result in results if not isinstance(result, Exception)], refused


@pytest.fixture(autouse=True)
def books_are_right(clean):
    yield
    assert verify.verify() == []


@pytest.mark.parametrize("round_number", range(2))
def test_of_200_orders_at_once_with_margin_for_100_exactly_100_are_accepted(account, round_number):
    sample = buy(account().id, 10, "100.00")
    trader = account(str((sample["blocked_margin"] + sample["charges"]) * 100)).id

    def place_ten():
        accepted = 0
        for _ in range(200 // THREADS):
            try:
                buy(trader, 10, "100.00")
            except InsufficientMargin:
                continue
            accepted += 1
        return accepted

    assert sum(at_once([place_ten] * THREADS)) == 100
    assert account_now(trader)["available_margin"] == 0
    assert one("SELECT count(*) FROM trading_order WHERE account_id = %s", trader) == 100


def test_a_holding_is_promised_once(trader):
    hold(trader, "BUY", 10, "100.00", product="DELIVERY")
    accepted, refused = split(at_once([functools.partial(sell, trader, 3, "100.00", product="DELIVERY")] * 12))
    assert len(accepted) == 3
    assert {type(refusal) for refusal in refused} == {InsufficientHoldings}


def test_of_orders_at_once_with_one_client_order_id_one_is_accepted(trader):
    accepted, refused = split(at_once([functools.partial(buy, trader, 1, "10.00", client_order_id="mine")] * 12))
    assert len(accepted) == 1
    assert [refusal.details for refusal in refused] == [{"order_id": accepted[0]["id"]}] * 11
    assert {type(refusal) for refusal in refused} == {DuplicateClientOrderId}


@pytest.mark.parametrize("symbol", [f"NEW{number}" for number in range(10)])
def test_orders_at_once_create_an_unknown_stock_once(account, symbol):
    traders = [account().id for _ in range(4)]
    orders = at_once([functools.partial(buy, trader, 1, "10.00", symbol=symbol) for trader in traders])
    assert len({order["stock_id"] for order in orders}) == 1
    assert one("SELECT count(*) FROM stock WHERE symbol = %s", symbol) == 1


def test_a_stock_stays_creatable_when_its_first_order_is_rolled_back(trader, account):
    poor = account("0.00").id
    results = at_once([functools.partial(buy, who, 1, "10.00", symbol="FRESH") for who in (poor, trader)] * 6)
    accepted, refused = split(results)
    assert (len(accepted), len(refused)) == (6, 6)


@pytest.fixture
def no_second_attempt(monkeypatch):
    """Try a transaction only once, so that a deadlock fails the test."""
    monkeypatch.setattr(database, "MAX_ATTEMPTS", 1)


@pytest.mark.usefixtures("no_second_attempt")
def test_placements_and_executions_in_opposite_order_do_not_deadlock(account):
    traders = [account().id for _ in range(4)]

    def trade(turn):
        for number in range(8):
            ordered = traders[turn:] + traders[:turn]
            orders = [buy(trader, 1, "10.00", symbol=f"S{number % 3}") for trader in ordered]
            if turn % 2:
                orders.reverse()
            assert execute_all(*orders) == len(orders)

    at_once([functools.partial(trade, turn) for turn in range(4)] * 2)
    assert {row["status"] for row in rows("SELECT DISTINCT status FROM trading_order")} == {"EXECUTED"}


@pytest.mark.usefixtures("no_second_attempt")
def test_batches_over_the_same_accounts_in_opposite_order_do_not_deadlock(account):
    traders = [account().id for _ in range(3)]
    for _ in range(10):
        mine, others = ([buy(trader, 1, "10.00") for trader in traders] for _ in range(2))
        executed = at_once([functools.partial(execute_all, *mine), functools.partial(execute_all, *reversed(others))])
        assert executed == [3, 3]
