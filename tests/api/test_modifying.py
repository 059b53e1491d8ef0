"""Changing an order over HTTP, and reading its life."""

import pytest

from tests.support.trading import execute_orders

STALE = '"0123456789abcdef0123456789abcdef"'


@pytest.fixture
def trader(account):
    """Return an account with a token."""
    return account()


@pytest.fixture
def order_id(trader, place):
    """Return the id of a PENDING order of that account: 10 at 100.00."""
    return place(trader).get_json()["orderId"]


@pytest.fixture
def read(client, trader):
    """Return a function that reads an order, or something of it."""
    return lambda path: client.get(f"/api/trading/orders/{path}", headers=trader.headers)


@pytest.fixture
def change(client, trader, read):
    """Return a function that changes an order, by default as it is now."""

    def make(order_id, tag=None, *, headers=None, **body):
        tag = read(order_id).headers["ETag"] if tag is None else tag
        sent = (headers or trader.headers) | ({"If-Match": tag} if tag else {})
        return client.patch(f"/api/trading/orders/{order_id}", json=body, headers=sent)

    return make


def test_the_response_to_a_change_equals_the_read_order(change, read, order_id):
    answer = change(order_id, quantity=20, price="99.95")
    assert answer.status_code == 200
    now = read(order_id)
    assert (answer.data, answer.headers["ETag"]) == (now.data, now.headers["ETag"])
    order = answer.get_json()
    assert (order["quantity"], order["price"], order["blockedMargin"]) == (20, "99.95", "399.80")
    assert [row["kind"] for row in order["transactions"]] == ["MARGIN_BLOCK", "CHARGES"] * 2


def test_the_etag_of_a_response_is_valid_for_the_next_change(change, order_id):
    first = change(order_id, quantity=20)
    second = change(order_id, first.headers["ETag"], quantity=30)
    assert (second.status_code, second.get_json()["quantity"]) == (200, 30)


def test_a_change_to_equal_values_keeps_the_etag(change, read, order_id):
    before = read(order_id)
    answer = change(order_id, quantity=10, price=100)
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (200, before.data, before.headers["ETag"])
    assert change(order_id).data == before.data


def test_a_change_is_never_answered_with_304(client, trader, read, order_id):
    tag = read(order_id).headers["ETag"]
    headers = trader.headers | {"If-Match": tag, "If-None-Match": "*"}
    assert client.patch(f"/api/trading/orders/{order_id}", json={}, headers=headers).status_code == 200


@pytest.mark.parametrize("tag", ["", " "])
def test_a_change_without_if_match_is_refused(change, read, order_id, tag):
    answer = change(order_id, tag, quantity=20)
    assert (answer.status_code, answer.get_json()["code"]) == (428, "precondition_required")
    assert read(order_id).get_json()["quantity"] == 10


@pytest.mark.parametrize("tag", [STALE, "unquoted", f'W/{STALE}, "x"'])
def test_a_change_with_the_etag_of_another_version_is_refused(change, read, order_id, tag):
    answer = change(order_id, tag, quantity=20)
    assert (answer.status_code, answer.get_json()["code"]) == (412, "precondition_failed")
    assert read(order_id).get_json()["quantity"] == 10


def test_a_weak_etag_does_not_match(change, read, order_id):
    assert change(order_id, "W/" + read(order_id).headers["ETag"], quantity=20).status_code == 412


@pytest.mark.parametrize("make", ["*", "{tag}", f"{STALE}, {{tag}}"])
def test_if_match_may_be_a_list_of_etags_or_a_star(change, read, order_id, make):
    assert change(order_id, make.format(tag=read(order_id).headers["ETag"]), quantity=20).status_code == 200


@pytest.mark.parametrize("body", [{}, {"quantity": 10}, {"quantity": 10, "price": "100.00"}, {"quantity": 20}])
def test_a_suspended_account_may_not_change_an_order_even_to_equal_values(
    client, change, read, trader, headers_for, order_id, body
):
    before = read(order_id).data
    suspend = {"json": {"status": "SUSPENDED"}, "headers": headers_for("admin")}
    assert client.patch(f"/api/admin/accounts/{trader.id}", **suspend).status_code == 200
    answer = change(order_id, **body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "account_suspended")
    assert read(order_id).data == before


@pytest.mark.parametrize("body", [{}, {"quantity": 20}])
def test_in_a_closed_market_no_order_is_changed_even_to_equal_values(change, market_closed, order_id, body):
    market_closed()
    answer = change(order_id, **body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "market_closed")
    assert answer.get_json()["nextOpen"].endswith("Z")


def test_a_change_of_an_order_that_has_changed_meanwhile_is_refused(change, read, order_id):
    tag = read(order_id).headers["ETag"]
    assert change(order_id, tag, quantity=20).status_code == 200
    assert change(order_id, tag, quantity=30).get_json()["code"] == "precondition_failed"


def test_a_final_order_is_not_open_for_any_etag(change, order_id):
    execute_orders([order_id])
    for tag in (None, STALE):
        answer = change(order_id, tag, quantity=20)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "order_not_open")
        assert answer.get_json()["orderStatus"] == "EXECUTED"


@pytest.mark.parametrize(
    "body",
    [
        {"quantity": 0},
        {"quantity": 1_000_001},
        {"quantity": True},
        {"quantity": None},
        {"price": "0"},
        {"price": None},
        {"price": "1.001"},
        {"price": "10000000.01"},
        {"side": "SELL"},
        {"orderType": "LATER"},
        {"triggerPrice": "0"},
        {"triggerPrice": None},
        {"triggerPrice": "99.00"},
    ],
)
def test_an_invalid_change_names_its_field(change, order_id, body):
    answer = change(order_id, **body)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, set(body))


def test_a_market_order_takes_no_price(change, trader, place, quote):
    quote()
    order_id = place(trader, orderType="MARKET").get_json()["orderId"]
    answer = change(order_id, price="1.00")
    document = answer.get_json()
    assert (answer.status_code, document["code"], set(document["errors"])) == (422, "validation_failed", {"price"})
    assert change(order_id, quantity=3).get_json()["blockedMargin"] == "1500.00"


def test_insufficient_margin_is_refused_with_the_amounts(change, order_id):
    document = change(order_id, quantity=1_000_000).get_json()
    assert document["code"] == "insufficient_margin"
    assert document["available"] == "1000000.00"


def test_an_administrator_names_the_account_in_the_body(change, headers_for, trader, order_id):
    admin = headers_for("admin")
    assert change(order_id, "*", headers=admin, quantity=20).status_code == 422
    answer = change(order_id, "*", headers=admin, quantity=20, tradingAccountId=str(trader.id))
    assert answer.get_json()["quantity"] == 20


def test_the_history_of_an_order_is_listed_oldest_first(change, read, order_id):
    change(order_id, quantity=20)
    execute_orders([order_id])
    placed, modified, executed = read(f"{order_id}/history").get_json()["data"]
    assert [placed["type"], modified["type"], executed["type"]] == ["order.pending", "order.modified", "order.executed"]
    assert [placed["status"], modified["status"], executed["status"]] == ["PENDING", "PENDING", "EXECUTED"]
    assert placed["eventId"] < modified["eventId"] < executed["eventId"]
    assert placed["at"] < modified["at"] < executed["at"]
    assert placed["changes"]["price"] == "100.00"
    assert modified["changes"] == {
        "quantity": 20,
        "blockedMargin": "400.00",
        "charges": read(order_id).get_json()["charges"],
    }
    assert executed["changes"]["averagePrice"] == "100.00"
    assert executed["changes"]["executedAt"].endswith("Z")
    assert [row["kind"] for row in placed["transactions"]] == ["MARGIN_BLOCK", "CHARGES"]
    rows = [row for each in (placed, modified, executed) for row in each["transactions"]]
    assert rows == read(order_id).get_json()["transactions"]


def test_an_order_whose_events_are_deleted_still_has_a_history(read, order_id, cleaner):
    execute_orders([order_id])
    with cleaner.cursor() as cursor:
        cursor.execute("DELETE FROM event")
    placed, executed = read(f"{order_id}/history").get_json()["data"]
    order = read(order_id).get_json()
    assert (placed["eventId"], placed["changes"], placed["at"]) == (None, None, order["placedAt"])
    assert (executed["eventId"], executed["status"], executed["at"]) == (None, "EXECUTED", order["updatedAt"])
    assert executed["changes"]["positionId"] == order["positionId"]


def test_an_order_that_has_changed_is_not_cancelled_with_the_old_etag(client, trader, read, change, order_id):
    known = read(order_id).headers["ETag"]
    change(order_id, quantity=20)
    path = f"/api/trading/orders/{order_id}"
    refused = client.delete(path, headers=trader.headers | {"If-Match": known})
    assert (refused.status_code, refused.get_json()["code"]) == (412, "precondition_failed")
    assert read(order_id).get_json()["status"] == "PENDING"
    cancelled = client.delete(path, headers=trader.headers | {"If-Match": read(order_id).headers["ETag"]})
    assert (cancelled.status_code, cancelled.get_json()["status"]) == (200, "CANCELLED")
