"""The closing order of a square-off over HTTP: its client sees it, and can neither cancel nor change it."""

from typing import Any

from models import buckets
from tests.support.market_clock import clock, set_up  # noqa: F401  fixtures
from tests.support.trading import execute
from tests.trading.execution.market import quote
from tests.trading.orders.quotes_account import place as place_on
from trading.day import square_off

ORDERS = "/api/trading/orders"


def test_a_closing_order_that_waits_is_shown_and_refuses_its_client(
    client: Any,
    account: Any,
    clock: Any,  # noqa: F811
    set_up: Any,  # noqa: F811
) -> None:
    clock("2026-11-02 15:00")
    quote("99.95", "100.00", "99.98")
    trader = account(fill_model="QUOTES")
    execute(place_on(trader.id, "BUY", 10, price="100.00"))
    clock("2026-11-02 15:12")  # the quote is too old now
    for _ in buckets.each():
        square_off.run_once()

    def send(method: str, path: str, body: Any = None) -> Any:
        return client.open(path, method=method, json=body, headers=trader.headers | {"If-Match": "*"})

    order, _ = send("GET", ORDERS).get_json()["data"]
    assert (order["origin"], order["status"], order["waitingFor"]) == ("SQUARE_OFF", "OPEN", "quote")
    for method, body in (("DELETE", None), ("PATCH", {"quantity": 1})):
        answer = send(method, f"{ORDERS}/{order['orderId']}", body)
        problem = answer.get_json()
        assert (answer.status_code, problem["code"], problem["origin"]) == (409, "order_not_open", "SQUARE_OFF")
        assert problem["detail"].startswith("The order closes the position for the square-off")
    close = f"/api/trading/positions/{send('GET', '/api/trading/positions').get_json()['data'][0]['positionId']}/close"
    answer = client.post(close, json={"cancelOpenOrders": True}, headers=trader.headers)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "nothing_to_close")
    now = send("GET", f"{ORDERS}/{order['orderId']}").get_json()
    assert {name: now[name] for name in order} == order
