"""Reading, listing and cancelling orders."""

from datetime import datetime, timedelta
from urllib.parse import quote as quoted

import pytest

from tests.support.identifiers import NOT_THERE
from tests.support.trading import execute_orders


@pytest.fixture
def trader(account):
    """Return an account with a token."""
    return account()


@pytest.fixture
def get(client, trader):
    """Return a function that gets a path below /api/trading."""
    return lambda path, **headers: client.get(f"/api/trading/{path}", headers=trader.headers | headers)


def test_one_order_is_shown_with_its_charges_and_its_ledger(get, trader, place):
    placed = place(trader, product="DELIVERY").get_json()
    order = get(f"orders/{placed['orderId']}").get_json()
    assert {name: order[name] for name in placed["order"]} == placed["order"]
    assert set(order) - set(placed["order"]) == {"transactions", "chargeItems"}
    assert order["chargeItems"] == {
        "brokerage": "0.00",
        "transactionTax": "1.00",
        "exchangeCharge": "0.03",
        "regulatoryFee": "0.00",
        "stampDuty": "0.15",
        "gst": "0.01",
    }
    assert [row["kind"] for row in order["transactions"]] == ["MARGIN_BLOCK", "CHARGES"]
    assert [row["id"] for row in order["transactions"]] == sorted(row["id"] for row in order["transactions"])
    assert {row["orderId"] for row in order["transactions"]} == {placed["orderId"]}
    assert order["transactions"][0]["amount"] == "1000.00"


def test_an_executed_order_names_its_position(get, trader, place):
    order_id = place(trader).get_json()["orderId"]
    execute_orders([order_id])
    order = get(f"orders/{order_id}").get_json()
    assert (order["status"], order["filledQuantity"], order["averagePrice"]) == ("EXECUTED", 10, "100.00")
    assert order["executedAt"] is not None
    assert {row["positionId"] for row in order["transactions"]} == {order["positionId"]}


def test_an_unchanged_order_is_a_304_for_its_etag(get, trader, place):
    order_id = place(trader).get_json()["orderId"]
    tag = get(f"orders/{order_id}").headers["ETag"]
    assert tag.startswith('"')
    again = get(f"orders/{order_id}", **{"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    assert again.headers["X-Request-Id"]
    assert get(f"orders/{order_id}", **{"If-None-Match": '"other"'}).status_code == 200
    execute_orders([order_id])
    changed = get(f"orders/{order_id}", **{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != tag


@pytest.mark.parametrize("order_id", ["abc", "1", str(NOT_THERE), f"{{{NOT_THERE}}}", NOT_THERE.hex, "%00", "%FF", "é"])
def test_an_unknown_order_is_not_found(client, get, trader, order_id):
    assert get(f"orders/{order_id}").get_json()["code"] == "not_found"
    deleted = client.delete(f"/api/trading/orders/{order_id}", headers=trader.headers)
    assert deleted.get_json()["code"] == "not_found"


def test_a_cancelled_order_gives_everything_back(client, get, trader, place):
    before = get("account").get_json()
    order_id = place(trader).get_json()["orderId"]
    response = client.delete(f"/api/trading/orders/{order_id}", headers=trader.headers)
    assert response.status_code == 200
    assert response.get_json()["status"] == "CANCELLED"
    assert get("account").get_json() == before


@pytest.mark.parametrize("ending", ["cancel", "execute"])
def test_a_final_order_cannot_be_cancelled(client, trader, place, ending):
    order_id = place(trader).get_json()["orderId"]
    if ending == "cancel":
        client.delete(f"/api/trading/orders/{order_id}", headers=trader.headers)
    else:
        execute_orders([order_id])
    response = client.delete(f"/api/trading/orders/{order_id}", headers=trader.headers)
    assert (response.status_code, response.get_json()["code"]) == (409, "order_not_open")


def test_orders_are_listed_newest_first_page_by_page(get, trader, place):
    placed = [place(trader, quantity=number).get_json()["orderId"] for number in range(1, 8)]
    seen, path = [], "orders?limit=3"
    while True:
        page = get(path).get_json()
        assert set(page) == {"data", "nextCursor"}
        assert len(page["data"]) <= 3
        seen += [order["orderId"] for order in page["data"]]
        if page["nextCursor"] is None:
            break
        path = f"orders?limit=3&cursor={page['nextCursor']}"
    assert seen == placed[::-1]


def test_a_page_that_is_just_full_is_the_last(get, trader, place):
    for _ in range(2):
        place(trader)
    assert get("orders?limit=2").get_json()["nextCursor"] is None


def test_an_order_placed_between_two_pages_does_not_move_the_next_page(get, trader, place):
    placed = [place(trader).get_json()["orderId"] for _ in range(4)]
    first = get("orders?limit=2").get_json()
    place(trader)
    second = get(f"orders?limit=2&cursor={first['nextCursor']}").get_json()
    assert [order["orderId"] for order in second["data"]] == [placed[1], placed[0]]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "AAAA",
        "é",
        "%00",
        "W10",  # []
        "WzEsMl0",  # [1,2]
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwIiwiYSJd",  # a time without offset, no UUID
        "eyJhIjoxfQ",  # {"a":1}
        "a" * 513,
        "W" * 512,
        "A===",
        "W10=W10=",
    ],
)
def test_an_invalid_cursor_is_refused(get, cursor):
    response = get(f"orders?cursor={quoted(cursor, safe='%')}")
    assert response.status_code == 422
    assert set(response.get_json()["errors"]) == {"cursor"}


def test_a_cursor_of_another_list_is_refused(get, trader, place):
    place(trader)
    cursor = get("transactions?limit=1").get_json()["nextCursor"]
    assert get(f"orders?cursor={cursor}").status_code == 422
    assert get(f"transactions?limit=1&cursor={cursor}").status_code == 200


def test_orders_are_filtered_by_their_fields(get, trader, place):
    place(trader, symbol="AAA")
    place(trader, symbol="BBB", side="SELL")
    place(trader, symbol="CCC", product="DELIVERY")
    execute_orders([get("orders?symbol=aaa").get_json()["data"][0]["orderId"]])

    def symbols(query):
        return [order["symbol"] for order in get(f"orders?{query}").get_json()["data"]]

    assert symbols("") == ["CCC", "BBB", "AAA"]
    assert symbols("symbol=bbb") == ["BBB"]
    assert symbols("side=SELL") == ["BBB"]
    assert symbols("product=CNC") == symbols("product=DELIVERY") == ["CCC"]
    assert symbols("status=EXECUTED") == ["AAA"]
    assert symbols("status=PENDING&side=BUY") == ["CCC"]
    assert symbols("status=REJECTED") == []


def test_orders_are_filtered_by_the_time_of_placement(get, trader, place):
    orders = [place(trader).get_json()["order"] for _ in range(3)]
    ids, times = [order["orderId"] for order in orders], [order["placedAt"] for order in orders]

    def listed(query):
        return [order["orderId"] for order in get(f"orders?{query}").get_json()["data"]]

    assert listed(f"from={times[1]}") == [ids[2], ids[1]]
    assert listed(f"to={times[1]}") == [ids[0]]
    assert listed(f"from={times[1]}&to={times[2]}") == [ids[1]]
    indian = (datetime.fromisoformat(times[1]) + timedelta(hours=5, minutes=30)).replace(tzinfo=None).isoformat()
    assert listed(f"from={quoted(indian + '+05:30')}&to={times[2]}") == [ids[1]]
