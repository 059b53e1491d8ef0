"""Holdings, the figures of a position's day, conversions and resets over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.identifiers import NOT_THERE
from tests.support.trading import execute_orders, hold, run, sell
from tests.trading.settlement.days import let_days_pass

DELIVERY = {"product": "DELIVERY"}
HELD = ("quantity", "settledQuantity", "t1Quantity", "soldToday")


@pytest.fixture
def trader(account: Callable[..., Any]) -> Any:
    """Return an account with a token."""
    return account()


@pytest.fixture
def read(client: Any, trader: Any) -> Callable[[str], Any]:
    """Return a function that reads a list of the trader."""
    return lambda path: client.get(f"/api/trading/{path}", headers=trader.headers).get_json()["data"]


def held(holding: dict[str, Any]) -> tuple[int, ...]:
    """Return the quantities of a holding."""
    return tuple(holding[name] for name in HELD)


def quote_with_close(client: Any, headers: dict[str, str], **prices: str) -> None:
    """Set the last price and the previous close of RELIANCE."""
    quote = {"exchange": "NSE", "symbol": "RELIANCE"} | prices
    assert client.put("/api/market/quotes", json={"quotes": [quote]}, headers=headers).status_code == 200


def test_a_purchase_is_a_holding_from_the_next_day_on(read: Any, trader: Any, client: Any, headers_for: Any) -> None:
    hold(trader.id, "BUY", 10, "1000.00", **DELIVERY)
    assert read("holdings") == []
    let_days_pass()
    hold(trader.id, "BUY", 10, "1010.00", **DELIVERY)
    quote_with_close(client, headers_for("feed"), lastPrice="1050.00", previousClose="1040.00")
    (holding,) = read("holdings")
    assert holding == {
        "positionId": holding["positionId"],
        "tradingAccountId": str(trader.id),
        "stockId": holding["stockId"],
        "exchange": "NSE",
        "symbol": "RELIANCE",
        "quantity": 10,
        "settledQuantity": 0,
        "t1Quantity": 10,
        "soldToday": 0,
        "averagePrice": "1005.00",
        "lastPrice": "1050.00",
        "previousClose": "1040.00",
        "dayChange": "10.00",
        "unrealizedPnl": "450.00",
    }
    let_days_pass()
    assert held(read("holdings")[0]) == (20, 10, 10, 0)
    execute_orders([sell(trader.id, 15, "1050.00", **DELIVERY)["id"]])
    assert held(read("holdings")[0]) == (5, 0, 5, 15)
    let_days_pass()
    assert held(read("holdings")[0]) == (5, 5, 0, 0)


def test_a_holding_that_was_sold_today_stays_until_tomorrow(read: Any, trader: Any) -> None:
    hold(trader.id, "BUY", 10, "1000.00", **DELIVERY)
    let_days_pass()
    execute_orders([sell(trader.id, 10, "1050.00", **DELIVERY)["id"]])
    (holding,) = read("holdings")
    assert (held(holding), holding["averagePrice"], holding["unrealizedPnl"]) == ((0, 0, 0, 10), None, "0.00")
    let_days_pass()
    assert read("holdings") == []


def test_what_was_bought_and_sold_today_is_no_holding(read: Any, trader: Any) -> None:
    hold(trader.id, "BUY", 10, "1000.00", **DELIVERY)
    execute_orders([sell(trader.id, 4, "1050.00", **DELIVERY)["id"]])
    hold(trader.id, "BUY", 10, "1000.00")
    let_days_pass()
    assert [held(holding) for holding in read("holdings")] == [(6, 0, 6, 0)]


def test_without_prices_a_holding_has_no_change_and_no_profit(read: Any, trader: Any) -> None:
    hold(trader.id, "BUY", 10, "1000.00", **DELIVERY)
    let_days_pass()
    (holding,) = read("holdings")
    assert [holding[name] for name in ("lastPrice", "previousClose", "dayChange", "unrealizedPnl")] == [None] * 4


def test_holdings_are_listed_page_by_page(client: Any, trader: Any) -> None:
    for symbol in ("AAA", "BBB", "CCC"):
        hold(trader.id, "BUY", 1, "10.00", symbol=symbol, **DELIVERY)
    let_days_pass()
    hold(trader.id, "BUY", 1, "10.00", symbol="DDD", **DELIVERY)
    first = client.get("/api/trading/holdings?limit=2", headers=trader.headers).get_json()
    assert [holding["symbol"] for holding in first["data"]] == ["CCC", "BBB"]
    path = f"/api/trading/holdings?limit=2&cursor={first['nextCursor']}"
    second = client.get(path, headers=trader.headers).get_json()
    assert ([holding["symbol"] for holding in second["data"]], second["nextCursor"]) == (["AAA"], None)
    for query, symbols in (("symbol=bbb", ["BBB"]), ("exchange=NSE&limit=1", ["CCC"]), ("exchange=BSE", [])):
        found = client.get(f"/api/trading/holdings?{query}", headers=trader.headers).get_json()
        assert [holding["symbol"] for holding in found["data"]] == symbols


def test_the_example_of_a_days_profit(read: Any, trader: Any, client: Any, headers_for: Any) -> None:
    hold(trader.id, "BUY", 10, "990.00", **DELIVERY)
    let_days_pass()
    hold(trader.id, "BUY", 5, "1020.00", **DELIVERY)
    execute_orders([sell(trader.id, 8, "1030.00", **DELIVERY)["id"]])
    (position,) = read("positions")
    assert position["dayPnl"] is None
    quote_with_close(client, headers_for("feed"), lastPrice="1025.00", previousClose="1010.00")
    (position,) = read("positions")
    names = ("overnightQuantity", "dayBuyQuantity", "dayBuyValue", "daySellQuantity", "daySellValue", "dayPnl")
    assert [position[name] for name in names] == [10, 5, "5100.00", 8, "8240.00", "215.00"]
    let_days_pass()
    (position,) = read("positions")
    assert [position[name] for name in names] == [7, 0, "0.00", 0, "0.00", "105.00"]


def test_the_example_of_a_position_that_was_closed_and_opened_again(read: Any, trader: Any, quote: Any) -> None:
    hold(trader.id, "BUY", 50, "280.00")
    hold(trader.id, "SELL", 50, "287.00")
    hold(trader.id, "BUY", 70, "283.00")
    quote("RELIANCE", "280.00")
    (position,) = read("positions")
    names = ("realizedPnl", "averagePrice", "unrealizedPnl", "dayPnl")
    assert [position[name] for name in names] == ["350.00", "283.00", "-210.00", "140.00"]


def test_a_conversion_is_answered_and_done_once_for_a_key(client: Any, trader: Any, read: Any) -> None:
    source = hold(trader.id, "BUY", 10, "100.00")
    path = f"/api/trading/positions/{source['id']}/convert"
    request = {"json": {"quantity": 4}, "headers": trader.headers | {"Idempotency-Key": "once"}}
    answers = [client.post(path, **request) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json() == answers[1].get_json()
    assert [answer.headers.get("Idempotent-Replayed") for answer in answers] == [None, "true"]
    answer, positions = answers[0].get_json(), {row["product"]: row for row in read("positions")}
    assert (answer["quantity"], answer["cost"]) == (4, "400.00")
    assert answer["fromPositionId"] == positions["INTRADAY"]["positionId"]
    assert answer["toPositionId"] == positions["DELIVERY"]["positionId"]
    assert positions["DELIVERY"]["quantity"] == 4
    assert (answer["from"], answer["to"]) == (positions["INTRADAY"], positions["DELIVERY"])
    request["json"] = {"quantity": 5}
    assert client.post(path, **request).get_json()["code"] == "idempotency_conflict"


def test_a_conversion_may_name_the_product_that_the_shares_get(client: Any, trader: Any) -> None:
    source = hold(trader.id, "BUY", 10, "100.00")
    path = f"/api/trading/positions/{source['id']}/convert"
    own = client.post(path, json={"product": "MIS"}, headers=trader.headers)
    assert (own.status_code, own.get_json()["errors"]) == (
        422,
        {"product": ["Must be DELIVERY: the position is INTRADAY already."]},
    )
    answer = client.post(path, json={"product": "CNC", "quantity": 3}, headers=trader.headers).get_json()
    assert [(answer[end]["product"], answer[end]["quantity"]) for end in ("from", "to")] == [
        ("INTRADAY", 7),
        ("DELIVERY", 3),
    ]


def test_a_conversion_without_a_body_converts_all(client: Any, trader: Any) -> None:
    source = hold(trader.id, "BUY", 10, "100.00")
    path = f"/api/trading/positions/{source['id']}/convert"
    assert client.post(path, headers=trader.headers).get_json()["quantity"] == 10
    answer = client.post(path, headers=trader.headers)
    assert (answer.status_code, answer.get_json()["code"], answer.get_json()["convertible"]) == (
        409,
        "not_convertible",
        0,
    )
    assert client.post(path, json={"quantity": 0}, headers=trader.headers).status_code == 422


def test_a_read_token_converts_nothing_and_unknown_positions_are_not_found(client: Any, account: Any) -> None:
    reader = account(scopes=("read",))
    path = f"/api/trading/positions/{NOT_THERE}/convert"
    assert client.post(path, headers=reader.headers).status_code == 403
    assert client.post(path, headers=account().headers).get_json()["code"] == "not_found"


def test_an_administrator_resets_an_account(client: Any, trader: Any, headers_for: Any, read: Any) -> None:
    hold(trader.id, "BUY", 10, "100.00")
    path = f"/api/admin/accounts/{trader.id}/reset"
    answer = client.post(path, json={"balance": "250000.00"}, headers=headers_for("admin"))
    account = answer.get_json()
    assert (account["balance"], account["blockedMargin"], account["unrealizedPnl"]) == ("250000.00", "0.00", "0.00")
    assert [position["quantity"] for position in read("positions")] == [0]
    (adjusted,) = read("transactions?kind=ADJUST_DEBIT")
    assert (adjusted["balanceAfter"], adjusted["orderId"], adjusted["positionId"]) == ("250000.00", None, None)
    assert client.post(path, json={"balance": "1.00"}, headers=trader.headers).status_code == 403
    assert client.post(path, json={}, headers=headers_for("admin")).status_code == 422
    unknown = f"/api/admin/accounts/{NOT_THERE}/reset"
    assert client.post(unknown, json={"balance": "1.00"}, headers=headers_for("admin")).status_code == 404


def test_the_events_of_a_position_have_its_figures_of_the_day(client: Any, trader: Any) -> None:
    hold(trader.id, "BUY", 10, "100.00", **DELIVERY)
    run("UPDATE account SET name = 'x'")

    def told() -> dict[str, Any]:
        events = client.get("/api/trading/events?since=0", headers=trader.headers).get_json()["data"]
        (event,) = [event for event in events if event["type"] == "position.updated"]
        return event["data"]  # type: ignore[no-any-return]

    data = told()
    assert (data["overnightQuantity"], data["dayBuyQuantity"], data["dayBuyValue"]) == (0, 10, "1000.00")
    assert "dayPnl" not in data
