"""If-Match is read in one way for cancelling and modifying; an unreadable one is never ignored."""

from typing import Any

import pytest

from api.http.responses import strong_tags

STALE = '"0123456789abcdef0123456789abcdef"'
# `TAG` stands for the order's own ETag with its quotes, `BARE` for the same without them.
HOLD = ["TAG", "BARE", "*", " * ", f"{STALE}, TAG", f"{STALE},TAG", 'W/"x", TAG', ", TAG ,", "TAG\t", '"a,b", TAG']
HOLD_NOT = [
    *(STALE, "unquoted", f'{STALE}, "x"', "W/TAG", 'W/"x"', '""', "*, *", f"{STALE}, *"),
    # A new order has version 1.
    *('"0"', '"2"', '"01"', '"1 "', '"+1"', '"1.0"', '"-1"', '"10000000000000000000000"'),
    # Conditions that cannot be read, alone or beside the right tag.
    *('"0123', '"a"b', ",", " , ,", '"', "'TAG'", "W/", 'TAG"', '"TAG', "TAG TAG", "TAG; x", 'TAG, "open', '"a"b, TAG'),
]


@pytest.fixture
def ask(client: Any, account: Any, place: Any) -> Any:
    """Return a function that cancels or changes a new order on a condition, and returns both answers."""
    trader = account()

    def make(method: str, condition: str) -> tuple[Any, Any]:
        path = f"/api/trading/orders/{place(trader).get_json()['orderId']}"
        tag = client.get(path, headers=trader.headers).headers["ETag"]
        given = condition.replace("TAG", tag).replace("BARE", tag.strip('"'))
        body = {"json": {"quantity": 20}} if method == "PATCH" else {}
        answer = client.open(path, method=method, headers=trader.headers | {"If-Match": given}, **body)
        return answer, client.get(path, headers=trader.headers).get_json()

    return make


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
@pytest.mark.parametrize("condition", HOLD)
def test_a_condition_that_holds_is_accepted(ask: Any, method: str, condition: str) -> None:
    answer, order = ask(method, condition)
    assert answer.status_code == 200, answer.text
    assert (order["status"], order["quantity"]) in (("CANCELLED", 10), ("PENDING", 20))


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
@pytest.mark.parametrize("condition", HOLD_NOT)
def test_a_condition_that_does_not_hold_or_cannot_be_read_changes_nothing(
    ask: Any, method: str, condition: str
) -> None:
    answer, order = ask(method, condition)
    assert (answer.status_code, answer.get_json()["code"]) == (412, "precondition_failed")
    assert (order["status"], order["quantity"]) == ("PENDING", 10)


@pytest.mark.parametrize("condition", ["", " ", "\t"])
@pytest.mark.parametrize(("method", "code"), [("DELETE", "precondition_failed"), ("PATCH", "precondition_required")])
def test_an_empty_condition_is_not_ignored(ask: Any, method: str, code: str, condition: str) -> None:
    answer, order = ask(method, condition)
    assert answer.get_json()["code"] == code
    assert (order["status"], order["quantity"]) == ("PENDING", 10)


@pytest.mark.parametrize("path", ["", "/history"])
def test_the_version_is_in_the_etag_and_in_no_answer(client: Any, account: Any, place: Any, path: str) -> None:
    trader = account()
    order_path = f"/api/trading/orders/{place(trader).get_json()['orderId']}"
    answer = client.get(order_path, headers=trader.headers)
    assert answer.headers["ETag"] == '"1"'
    client.delete(order_path, headers=trader.headers)
    assert int(client.get(order_path, headers=trader.headers).headers["ETag"].strip('"')) > 1
    events = client.get("/api/trading/events?since=0", headers=trader.headers)
    assert "version" not in answer.text + client.get(order_path + path, headers=trader.headers).text + events.text


def test_a_condition_of_many_tags_is_read_quickly() -> None:
    assert strong_tags(",".join(f'"{number}"' for number in range(1_000))) == {str(number) for number in range(1_000)}
    for odd in ("," * 8_000, '"' * 8_000, " " * 8_000 + "x y", "a" * 8_000 + " b", '"a",' * 2_000 + '"'):
        assert strong_tags(odd) == frozenset()
