"""Closing a position while a fill changes it."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.processes import wait_until
from tests.support.trading import close, hold, one


def test_a_position_turned_around_by_a_fill_is_closed_from_its_new_side(trader, connect):
    position = hold(trader, "BUY", 10, "100.00")
    fill = connect()
    with ThreadPoolExecutor(1) as pool, fill.cursor() as cursor:
        cursor.execute("SELECT FROM account WHERE id = %s FOR UPDATE", (str(trader),))
        closing = pool.submit(close, trader, position["id"])
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%order_facts%%'"
        wait_until(lambda: one(waits), what="the close waits for the account")
        cursor.execute(
            "UPDATE stock SET last_price = 100, last_price_at = now();"
            "UPDATE position SET quantity = -3, cost = 300 WHERE id = %s",
            (str(position["id"]),),
        )
        fill.commit()
        order = closing.result(10)
    assert (order["side"], order["quantity"], order["closing_quantity"]) == ("BUY", 3, 3)
