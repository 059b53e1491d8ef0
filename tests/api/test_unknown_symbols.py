"""With UNKNOWN_SYMBOLS=refuse an order for a symbol that nobody has imported or quoted is refused."""

import dataclasses
from typing import Any

import pytest

from tests.support.trading import one, rows, run
from trading.market.stocks import import_stocks

RELIANCE = ("NSE", "RELIANCE")
NEAREST = [{"exchange": "NSE", "symbol": "RELIANCE", "name": "Reliance Industries"}]
MARKET = {"exchange": "NSE", "symbol": "RELAINCE", "side": "BUY", "quantity": 1, "orderType": "MARKET"}
MISSPELT = MARKET | {"orderType": "LIMIT", "price": "10.00"}


@pytest.fixture
def refusing(app: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let unknown symbols be refused, and import one stock."""
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, unknown_symbols="refuse"))
    import_stocks([RELIANCE], {RELIANCE: "Reliance Industries"})


def is_unknown(problem: dict[str, Any]) -> bool:
    """Return True if a problem document is the whole refusal of the misspelt symbol."""
    members = {name: problem[name] for name in ("status", "code", "detail", "exchange", "symbol", "nearest")}
    return members == {
        "status": 422,
        "code": "unknown_symbol",
        "detail": "Nobody has imported or quoted NSE:RELAINCE. Did you mean NSE:RELIANCE?",
        "exchange": "NSE",
        "symbol": "RELAINCE",
        "nearest": NEAREST,
    }


@pytest.mark.parametrize("fill_model", ["IMMEDIATE", "QUOTES"])
@pytest.mark.parametrize("order", [MISSPELT, MARKET, MISSPELT | {"side": "SELL", "product": "DELIVERY"}])
@pytest.mark.parametrize("path", ["orders", "orders/preview"])
def test_a_misspelt_symbol_is_refused_and_nothing_is_created(
    client: Any, account: Any, refusing: None, fill_model: str, order: dict[str, Any], path: str
) -> None:
    trader = account(fill_model=fill_model)
    response = client.post(f"/api/trading/{path}", json=order, headers=trader.headers)
    assert is_unknown(response.get_json())
    assert rows("SELECT symbol FROM stock") == [{"symbol": "RELIANCE"}]
    assert one("SELECT count(*) FROM trading_order") == 0


def test_each_order_of_a_basket_is_judged_by_itself(client: Any, account: Any, refusing: None) -> None:
    basket = {"orders": [MISSPELT, MISSPELT | {"symbol": "reliance"}]}
    response = client.post("/api/trading/orders/batch", json=basket, headers=account().headers)
    refused, accepted = response.get_json()["results"]
    assert is_unknown(refused["problem"])
    assert (refused["status"], accepted["status"]) == (422, 202)


def test_a_quote_makes_a_symbol_known(client: Any, account: Any, headers_for: Any, refusing: None) -> None:
    quotes = {"quotes": [{"exchange": "NSE", "symbol": "RELAINCE", "lastPrice": "10.00"}]}
    assert client.put("/api/market/quotes", json=quotes, headers=headers_for("feed")).status_code == 204
    assert client.post("/api/trading/orders", json=MISSPELT, headers=account().headers).status_code == 202


def test_the_earlier_refusals_come_first(client: Any, account: Any, refusing: None, market_closed: Any) -> None:
    trader = account()
    stop = MISSPELT | {"orderType": "STOP_LIMIT", "triggerPrice": "10.00"}
    assert client.post("/api/trading/orders", json=stop, headers=trader.headers).get_json()["code"] == "not_simulated"
    run("UPDATE account SET status = 'SUSPENDED' WHERE id = %s", trader.id)
    answer = client.post("/api/trading/orders", json=MISSPELT, headers=trader.headers)
    assert answer.get_json()["code"] == "account_suspended"
    preview = client.post("/api/trading/orders/preview", json=MISSPELT, headers=trader.headers)
    assert preview.get_json()["refusal"] == "account_suspended"


def test_an_unknown_symbol_comes_before_a_closed_market(
    app: Any, client: Any, account: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, market_closed: Any
) -> None:
    market_closed()
    refusing = dataclasses.replace(app.config["SETTINGS"], unknown_symbols="refuse")
    monkeypatch.setitem(app.config, "SETTINGS", refusing)
    answer = client.post("/api/trading/orders", json=MISSPELT, headers=account().headers)
    assert (answer.get_json()["code"], answer.get_json()["nearest"]) == ("unknown_symbol", [])


def test_an_order_that_was_accepted_is_replayed(
    app: Any, client: Any, account: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = account().headers | {"Idempotency-Key": "one"}
    first = client.post("/api/trading/orders", json=MISSPELT, headers=headers)
    run("DELETE FROM stock_search")
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, unknown_symbols="refuse"))
    again = client.post("/api/trading/orders", json=MISSPELT, headers=headers)
    assert (again.status_code, again.get_json()["orderId"]) == (202, first.get_json()["orderId"])
