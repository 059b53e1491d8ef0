"""The function order_opened places an order that only opens, and leaves every other one to the steps."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal

import pytest

from models.database import row_of
from tests.support.processes import wait_until
from tests.support.trading import buy, one, rows, sell

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%order_opened%%'"
POSITION = """
INSERT INTO position (id, account_id, stock_id, exchange, symbol, product, quantity, cost, blocked_margin)
VALUES (gen_random_uuid(), %s, %s, 'NSE', 'TCS', 'INTRADAY', %s, %s, 0)
"""
PARTS = "SELECT (%s::order_terms).*"


@pytest.mark.parametrize(("place", "held"), [(buy, -10), (sell, 10)])
def test_a_position_that_comes_while_the_account_is_locked_is_closed(account_id, stock_id, connect, place, held):
    fill = connect()
    with ThreadPoolExecutor(1) as pool, fill.cursor() as cursor:
        cursor.execute("SELECT FROM account WHERE id = %s FOR UPDATE", (str(account_id),))
        placement = pool.submit(place, account_id, 5, "10.00", symbol="TCS")
        wait_until(lambda: one(WAITS), what="the placement waits for the account")
        cursor.execute(POSITION, (str(account_id), str(stock_id), held, abs(held) * 100))
        fill.commit()
        assert placement.result(10)["closing_quantity"] == 5


@pytest.mark.parametrize("text", ["", " ", "NULL", 'a "b" c', "a\\b", "(a,b)", "a'b", "ä\n%s", "{}"])
def test_a_text_of_a_composite_value_arrives_as_it_is(database, text):
    given = row_of([None, None, text, "x", *[None] * 21])
    assert [rows(PARTS, given)[0][name] for name in ("exchange", "symbol", "tag")] == [text, "x", None]


def test_other_parts_of_a_composite_value_arrive_as_they_are(database):
    ends = (date(2026, 11, 28), None, "k", b"\\,")
    given = row_of([*[None] * 8, 7, Decimal("1E+2"), *[None] * 4, True, *[None] * 6, *ends])
    found = rows(PARTS, given)[0]
    assert bytes(found.pop("fingerprint")) == b"\\,"
    assert {name: value for name, value in found.items() if value is not None} == {
        "quantity": 7,
        "price": 100,
        "after_market": True,
        "charged_on": date(2026, 11, 28),
        "key": "k",
    }
