"""The filters of the list of orders that go beyond one value, and the order by its clientOrderId."""

from typing import Any
from urllib.parse import quote as quoted

import pytest

from tests.support.trading import execute_orders, run


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with a token."""
    return account()


@pytest.fixture
def get(client: Any, trader: Any) -> Any:
    """Return a function that gets a path below /api/trading."""
    return lambda path, **headers: client.get(f"/api/trading/{path}", headers=trader.headers | headers)


@pytest.fixture
def symbols(get: Any) -> Any:
    """Return a function that lists the symbols of the selected orders."""
    return lambda query: [order["symbol"] for order in get(f"orders?{query}").get_json()["data"]]


@pytest.fixture
def three(get: Any, client: Any, trader: Any, place: Any) -> dict[str, str]:
    """Return the ids of three orders by symbol: A is executed, B cancelled, C pending."""
    ids = {name: place(trader, symbol=name).get_json()["orderId"] for name in "ABC"}
    execute_orders([ids["A"]])
    assert client.delete(f"/api/trading/orders/{ids['B']}", headers=trader.headers).status_code == 200
    return ids


@pytest.mark.parametrize(
    "query",
    ["status=PENDING,CANCELLED", "status=PENDING&status=CANCELLED", "status=CANCELLED,PENDING&status=CANCELLED"],
)
def test_several_statuses_are_given_with_commas_or_again(symbols: Any, three: Any, query: str) -> None:
    assert symbols(query) == ["C", "B"]


@pytest.mark.parametrize("query", ["status=", "status=PENDING,", "status=PENDING&status=pending", "status=,"])
def test_a_status_that_does_not_exist_is_refused(get: Any, query: str) -> None:
    refused = get(f"orders?{query}")
    assert (refused.status_code, set(refused.get_json()["errors"])) == (422, {"status"})
    assert "PENDING, OPEN, EXECUTED" in str(refused.get_json()["errors"])


def test_a_filter_of_one_value_is_not_given_twice(get: Any) -> None:
    refused = get("orders?symbol=A&symbol=B")
    assert refused.get_json()["errors"] == {"symbol": ["Given more than once."]}


def test_orders_are_filtered_by_exchange_and_by_client_order_id(symbols: Any, trader: Any, place: Any) -> None:
    place(trader, symbol="A", exchange="BSE", clientOrderId="a 1/2")
    place(trader, symbol="B")
    assert symbols("exchange=BSE") == ["A"]
    assert symbols("exchange=NSE") == ["B"]
    assert symbols("clientOrderId=a%201%2F2") == ["A"]
    assert symbols("clientOrderId=A%201%2F2") == []


def test_orders_are_filtered_by_the_time_of_their_last_change(get: Any, symbols: Any, three: Any) -> None:
    cancelled_at = get(f"orders/{three['B']}").get_json()["updatedAt"]
    executed_at = get(f"orders/{three['A']}").get_json()["updatedAt"]
    assert symbols(f"updatedFrom={executed_at}") == ["B", "A"]
    assert symbols(f"updatedFrom={cancelled_at}") == ["B"]
    assert symbols(f"updatedFrom={executed_at}&status=EXECUTED") == ["A"]
    assert symbols("updatedFrom=2000-01-01T00:00:00Z") == ["C", "B", "A"]
    assert symbols("updatedFrom=0001-01-01T00:00:00Z") == ["C", "B", "A"]


def test_an_old_order_that_changed_lately_is_found_by_that_time(
    get: Any, client: Any, symbols: Any, trader: Any, three: Any
) -> None:
    """It was placed more than a day before the change; its neighbours were neither."""
    run("UPDATE trading_order SET placed_at = placed_at - interval '40 days' WHERE symbol = 'C'")
    run("UPDATE trading_order SET updated_at = placed_at WHERE symbol = 'C'")
    executed_at = get(f"orders/{three['A']}").get_json()["updatedAt"]
    assert symbols(f"updatedFrom={executed_at}") == ["B", "A"]
    assert client.delete(f"/api/trading/orders/{three['C']}", headers=trader.headers).status_code == 200
    assert symbols(f"updatedFrom={executed_at}") == ["B", "A", "C"]
    first = get(f"orders?updatedFrom={executed_at}&limit=2").get_json()
    assert symbols(f"updatedFrom={executed_at}&limit=2&cursor={first['nextCursor']}") == ["C"]


@pytest.mark.parametrize("word", ["mine", "a b/c?d", "100%", "//", '"quoted"', "history", "~" * 64])
def test_an_order_is_read_by_its_client_order_id(get: Any, trader: Any, place: Any, word: str) -> None:
    order_id = place(trader, clientOrderId=word).get_json()["orderId"]
    found, same = get(f"orders/by-client-id/{quoted(word, safe='')}"), get(f"orders/{order_id}")
    assert (found.status_code, found.get_json()) == (200, same.get_json())
    assert found.headers["ETag"] == same.headers["ETag"]
    unchanged = get(f"orders/by-client-id/{quoted(word, safe='')}", **{"If-None-Match": same.headers["ETag"]})
    assert unchanged.status_code == 304


@pytest.mark.parametrize("word", ["nobody", "%00", "%C3%A9", "x" * 65, ""])
def test_an_order_with_another_client_order_id_is_not_found(get: Any, trader: Any, place: Any, word: str) -> None:
    place(trader, clientOrderId="mine")
    assert get(f"orders/by-client-id/{word}").get_json()["code"] == "not_found"
