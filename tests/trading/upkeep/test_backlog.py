"""The backlog of PENDING orders."""

from tests.support.trading import buy, execute
from trading.upkeep.backlog import count_pending, read_backlog


def test_pending_orders_are_counted(trader):
    assert count_pending() == 0
    orders = [buy(trader, 1, "10.00") for _ in range(3)]
    execute(orders[0])
    assert count_pending() == read_backlog().pending == 2


def test_the_count_of_pending_orders_ends_at_its_limit(trader):
    for _ in range(3):
        buy(trader, 1, "10.00")
    assert [count_pending(limit) for limit in (0, 2, 3, 4)] == [0, 2, 3, 3]
