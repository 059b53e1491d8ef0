"""The examples of the OpenAPI document show what the routes answer: the same members, with values of the same kinds."""

import dataclasses
from typing import Any

import pytest

from tests.support.sessions import open_market
from trading.execution.executing import execute_orders
from trading.market.stocks import import_stocks
from trading.matching.stock_changes import ImportedFacts, set_facts

QUOTE = {"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "2500.00", "bidPrice": "2499.95", "askPrice": "2500.05"}
READS = {
    "/api/market/stocks": "?limit=1",
    "/api/market/stocks?search": "=rel",
    "/api/market/stocks?symbols": "=NSE:RELIANCE",
    "/api/market/stocks/{exchange}/{symbol}": "/NSE/RELIANCE",
    "/api/market/clock": "",
    "/api/trading/account": "",
    "/api/trading/positions": "",
}


@pytest.fixture
def document(client: Any) -> dict[str, Any]:
    """Return the served document."""
    found: dict[str, Any] = client.get("/openapi.json").get_json()
    return found


@pytest.fixture
def trader(account: Any, place: Any, client: Any, headers_for: Any) -> Any:
    """Return an account that holds ten RELIANCE, of which a name and a whole quote are known."""
    import_stocks([("NSE", "RELIANCE")], {("NSE", "RELIANCE"): "Reliance Industries"})
    set_facts([ImportedFacts("NSE", "RELIANCE", lot_size=1)])
    whole = QUOTE | {"bidQuantity": 120, "askQuantity": 75, "volume": 1_250_000}
    client.put("/api/market/quotes", json={"quotes": [whole]}, headers=headers_for("feed"))
    trader = account()
    execute_orders([place(trader, quantity=10, price="2500.00").get_json()["orderId"]])
    return trader


def example(document: dict[str, Any], path: str, method: str, status: int) -> Any:
    """Return the example of a route's answer."""
    answer = document["paths"][path][method]["responses"][str(status)]
    reference = answer["content"]["application/json"]["schema"]["$ref"]
    (shown,) = document["components"]["schemas"][reference.rpartition("/")[2]]["examples"]
    return shown


def differences(shown: Any, answered: Any, place: str = "") -> list[str]:
    """Return the places in which an example and an answer are not alike; a null is like anything."""
    if shown is None or answered is None:
        return []
    if type(shown) is not type(answered):
        return [f"{place}: {shown!r} is shown, {answered!r} was answered"]
    if isinstance(shown, dict):
        odd = [f"{place}.{name}: in one of them only" for name in sorted(shown.keys() ^ answered.keys())]
        both = shown.keys() & answered.keys()
        return odd + [found for name in both for found in differences(shown[name], answered[name], f"{place}.{name}")]
    if isinstance(shown, list):
        return [found for one in answered for found in differences(shown[0], one, f"{place}[]")]
    return []


@pytest.mark.parametrize("route", READS)
def test_an_example_shows_what_a_route_answers(
    route: str, app: Any, settings: Any, client: Any, trader: Any, document: dict[str, Any], monkeypatch: Any
) -> None:
    open_market()
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))
    path = route.partition("?")[0]
    address = path.partition("/{")[0] + READS[route] if "{" in path else route + READS[route]
    answer = client.get(address, headers=trader.headers)
    assert answer.status_code == 200
    assert differences(example(document, path, "get", 200), answer.get_json()) == []
    for name in ("data", "sessions"):
        assert answer.get_json().get(name) != []


def test_the_example_of_a_close_shows_its_body_and_its_answer(
    client: Any, trader: Any, document: dict[str, Any]
) -> None:
    (position,) = client.get("/api/trading/positions", headers=trader.headers).get_json()["data"]
    path = "/api/trading/positions/{position_id}/close"
    operation = document["paths"][path]["post"]
    reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    (body,) = document["components"]["schemas"][reference.rpartition("/")[2]]["examples"]
    assert body["quantity"] <= position["quantity"]
    answer = client.post(path.format(position_id=position["positionId"]), json=body, headers=trader.headers)
    assert answer.status_code == 202
    assert answer.get_json()["order"]["quantity"] == body["quantity"]
    assert differences(example(document, path, "post", 202), answer.get_json()) == []


def test_the_example_of_a_refused_close_has_the_members_of_the_refusal(
    client: Any, trader: Any, document: dict[str, Any]
) -> None:
    (position,) = client.get("/api/trading/positions", headers=trader.headers).get_json()["data"]
    path = f"/api/trading/positions/{position['positionId']}/close"
    answer = client.post(path, json={"quantity": 11}, headers=trader.headers)
    refusal = document["paths"]["/api/trading/positions/{position_id}/close"]["post"]["responses"]["409"]
    shown = refusal["content"]["application/problem+json"]["examples"]["not_closable"]
    assert answer.get_json()["closable"] == 10
    assert differences(shown["value"], answer.get_json()) == []
    assert shown["value"]["detail"] == answer.get_json()["detail"]


def test_the_example_of_a_history_has_the_members_of_a_filled_orders_history(
    client: Any, account: Any, place: Any, headers_for: Any, document: dict[str, Any]
) -> None:
    trader = account(fill_model="QUOTES")
    client.put("/api/market/quotes", json={"quotes": [QUOTE]}, headers=headers_for("feed"))
    order_id = place(trader, quantity=1, price="2600.00").get_json()["orderId"]
    execute_orders([order_id])
    path = "/api/trading/orders/{order_id}"
    order = client.get(path.format(order_id=order_id), headers=trader.headers).get_json()
    assert order["averagePrice"] == order["fill"]["ask"] == "2500.05"
    assert differences(example(document, path, "get", 200), order) == []
    (fill,) = document["components"]["schemas"]["Fill"]["examples"]
    assert differences(fill, order["fill"]) == []
    history = client.get(f"{path.format(order_id=order_id)}/history", headers=trader.headers).get_json()
    members = document["components"]["schemas"]["OrderChanges"]["properties"]
    assert all(moment["changes"].keys() <= members.keys() for moment in history["data"])
    assert history["data"][-1]["changes"]["fill"] == order["fill"]
