"""POST /api/trading/positions/close: close all positions, or those that filters select."""

from typing import Any

import pytest

from api import closing
from models.database import DatabaseUnavailable
from tests.support.trading import account_now, at_once, execute_orders, one, row_of, rows, run
from trading.upkeep.verify import verify

PATH = "/api/trading/positions/close"
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with a token."""
    yield account()
    assert verify() == []


@pytest.fixture
def hold(place: Any, trader: Any, quote: Any) -> Any:
    """Return a function that opens a position in each of these stocks, and returns the positions' ids by symbol."""

    def make(*symbols: str, **terms: Any) -> dict[str, str]:
        found = {}
        for symbol in symbols:
            quote(symbol, "100.00", exchange=terms.get("exchange", "NSE"))
            order_id = place(trader, symbol=symbol, **terms).get_json()["orderId"]
            execute_orders([order_id])
            found[symbol] = str(row_of("trading_order", order_id)["position_id"])
        return found

    return make


@pytest.fixture
def close(app: Any, trader: Any) -> Any:
    """Return a function that closes the selected positions, from a client of its own."""

    def send(body: Any = None, *, by: Any = None, headers: Any = None) -> Any:
        options = {} if body is None else {"json": body}
        return (by or app.test_client()).post(PATH, headers=trader.headers | (headers or {}), **options)

    return send


def placed(answer: Any) -> dict[str, str]:
    """Return the ids of the placed orders by symbol."""
    assert answer.status_code == 200, answer.text
    return {entry["order"]["symbol"]: entry["orderId"] for entry in answer.get_json()["placed"]}


def refused(answer: Any) -> dict[str, str]:
    """Return the codes of the refused positions, by their ids."""
    return {entry["positionId"]: entry["problem"]["code"] for entry in answer.get_json()["refused"]}


def open_quantities() -> dict[str, int]:
    return {row["symbol"]: row["quantity"] for row in rows("SELECT symbol, quantity FROM position WHERE quantity <> 0")}


def test_all_open_positions_are_closed(hold: Any, close: Any, trader: Any) -> None:
    ids = hold("A", "B") | hold("C", side="SELL", quantity=5)
    answer = close()
    entries = answer.get_json()["placed"]
    assert [entry["positionId"] for entry in entries] == list(ids.values())
    assert [(entry["order"]["side"], entry["order"]["quantity"]) for entry in entries] == [
        ("SELL", 10), ("SELL", 10), ("BUY", 5),
    ]  # fmt: skip
    assert {(entry["status"], entry["executionScheduled"], entry["order"]["orderType"]) for entry in entries} == {
        (202, True, "MARKET")
    }
    execute_orders(placed(answer).values())
    assert (open_quantities(), account_now(trader.id)["blocked_margin"]) == ({}, 0)
    assert close().get_json() == {"placed": [], "refused": [], "hasMore": False}


def test_the_filters_select_the_positions(hold: Any, close: Any) -> None:
    hold("A", "B")
    hold("C", exchange="BSE")
    hold("D", product="DELIVERY")
    assert list(placed(close({"exchange": "BSE"}))) == ["C"]
    assert list(placed(close({"symbol": "a", "exchange": "NSE"}))) == ["A"]
    assert list(placed(close({"product": "CNC"}))) == ["D"]
    assert list(placed(close({"symbol": "NONE"}))) == []


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({"symbol": None}, ""),
        ({"symbol": ""}, ""),
        ({"symbols": ["A"]}, ""),
        ({"side": "SELL"}, ""),
        ({"cancelOpenOrders": "true"}, ""),
        (None, "symbol=A"),
        ([], ""),
    ],
)
def test_a_filter_that_is_none_closes_nothing(
    client: Any, trader: Any, hold: Any, close: Any, body: Any, query: str
) -> None:
    hold("A")
    options = {} if body is None else {"json": body}
    answer = client.post(f"{PATH}?{query}", headers=trader.headers, **options)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "validation_failed")
    assert len(placed(close())) == 1


def test_positions_that_cannot_be_closed_are_refused_as_by_their_own_close(
    client: Any, trader: Any, hold: Any, close: Any, place: Any
) -> None:
    ids = hold("A", "B", "C")
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL WHERE symbol = 'A'")
    place(trader, symbol="B", side="SELL", price="100.00")
    answer = close()
    assert list(placed(answer)) == ["C"]
    assert refused(answer) == {ids["A"]: "no_price", ids["B"]: "nothing_to_close"}
    for entry in answer.get_json()["refused"]:
        alone = client.post(f"/api/trading/positions/{entry['positionId']}/close", headers=trader.headers)
        assert entry["problem"] == alone.get_json()


def test_the_orders_that_would_close_a_position_are_cancelled_first_if_the_client_wants_that(
    trader: Any, hold: Any, close: Any, place: Any
) -> None:
    hold("A")
    rests = place(trader, symbol="A", side="SELL", quantity=4, price="200.00").get_json()["orderId"]
    opens = place(trader, symbol="A", side="BUY", price="1.00").get_json()["orderId"]
    (entry,) = close({"cancelOpenOrders": True}).get_json()["placed"]
    assert entry["order"]["quantity"] == 10
    assert [row_of("trading_order", order_id)["status"] for order_id in (rests, opens)] == ["CANCELLED", "PENDING"]


def test_a_position_is_not_closed_twice(hold: Any, close: Any) -> None:
    ids = hold("A", "B")
    answers = at_once([close] * 4)
    assert sum(len(placed(answer)) for answer in answers) == 2
    assert {code for answer in answers for code in refused(answer).values()} <= {"nothing_to_close"}
    assert set(refused(close())) == set(ids.values())


def test_a_retry_with_the_same_key_gets_the_first_orders_though_their_positions_are_flat(hold: Any, close: Any) -> None:
    hold("A", "B")
    first = close(headers=KEY)
    execute_orders(placed(first).values())
    hold("A")  # opened anew: the retry is still the first request
    again = close(headers=KEY)
    assert placed(again) == placed(first)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert open_quantities() == {"A": 10}
    assert close({"symbol": "A"}, headers=KEY).get_json()["code"] == "idempotency_conflict"
    assert placed(close(headers={"Idempotency-Key": "two"})).keys() == {"A"}


def test_a_retry_tries_the_positions_that_were_refused(hold: Any, close: Any, quote: Any) -> None:
    hold("A", "B")
    run("UPDATE stock SET last_price = NULL, last_price_at = NULL WHERE symbol = 'A'")
    first = close(headers=KEY)
    assert list(placed(first)) == ["B"]
    quote("A", "100.00")
    again = close(headers=KEY)
    assert placed(again).keys() == {"A", "B"}
    assert placed(again)["B"] == placed(first)["B"]


def test_a_key_of_a_request_that_placed_nothing_is_free(hold: Any, close: Any) -> None:
    hold("A")
    assert placed(close({"symbol": "NONE"}, headers=KEY)) == {}
    assert placed(close({"symbol": "A"}, headers=KEY)).keys() == {"A"}


def test_requests_at_once_with_one_key_place_the_same_orders(hold: Any, close: Any) -> None:
    hold("A", "B", "C")
    answers = at_once([lambda: close(headers=KEY)] * 4)
    assert len({tuple(sorted(placed(answer).items())) for answer in answers}) == 1
    assert one("SELECT count(*) FROM trading_order WHERE order_type = 'MARKET'") == 3


def test_after_a_failure_of_the_database_the_rest_is_refused_and_a_retry_closes_it(
    hold: Any, close: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = hold("A", "B", "C")
    usual = closing.close_position

    def fail(account_id: Any, position_id: Any, **options: Any) -> Any:
        if str(position_id) == ids["B"]:
            raise DatabaseUnavailable("gone")
        return usual(account_id, position_id, **options)

    monkeypatch.setattr(closing, "close_position", fail)
    first = close(headers=KEY)
    assert placed(first).keys() == {"A"}
    assert refused(first) == {ids["B"]: "service_unavailable", ids["C"]: "service_unavailable"}
    monkeypatch.setattr(closing, "close_position", usual)
    assert placed(close(headers=KEY)).keys() == {"A", "B", "C"}


def test_a_request_counts_once_toward_the_rate_limit(hold: Any, close: Any, limited_client: Any, trader: Any) -> None:
    hold("A", "B", "C")
    by = limited_client(2)
    first = close(by=by, headers=KEY)
    assert (len(placed(first)), first.headers["RateLimit"].startswith('"orders";r=1;')) == (3, True)
    hold("D")
    assert len(placed(close({"symbol": "D"}, by=by))) == 1
    beyond = close(by=by)
    assert (beyond.status_code, beyond.get_json()["code"]) == (429, "rate_limited")
    assert int(beyond.headers["Retry-After"]) >= 1
    assert placed(close(by=by, headers=KEY)).keys() >= {"A", "B", "C"}  # answered before


def test_with_the_wish_to_wait_the_final_orders_are_told(
    hold: Any, close: Any, limited_client: Any, settings: Any
) -> None:
    hold("A", "B")
    by = limited_client(100, order_dispatch="inline")
    answer = close(by=by, headers={"Prefer": "wait=5"})
    assert {(entry["status"], entry["order"]["status"]) for entry in answer.get_json()["placed"]} == {(200, "EXECUTED")}
    assert answer.headers["Preference-Applied"] == "wait=5"


def test_more_positions_than_a_request_closes_are_left_and_told(
    hold: Any, close: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "MAX_CLOSED", 2)
    hold("A", "B", "C")
    answer = close()
    assert (list(placed(answer)), answer.get_json()["hasMore"]) == (["A", "B"], True)
    execute_orders(placed(answer).values())
    answer = close()
    assert (list(placed(answer)), answer.get_json()["hasMore"]) == (["C"], False)


def test_an_account_that_an_administrator_names_must_exist(
    client: Any, hold: Any, trader: Any, headers_for: Any
) -> None:
    hold("A")
    admin, nobody = headers_for("admin"), "01a20524-0010-7a6f-b1c4-93d27e5f8a10"
    assert client.post(PATH, headers=admin).status_code == 422
    assert client.post(f"{PATH}?tradingAccountId={nobody}", headers=admin).status_code == 404
    assert client.post(f"{PATH}?tradingAccountId={nobody}", headers=admin | KEY).status_code == 404
    assert placed(client.post(f"{PATH}?tradingAccountId={trader.id}", headers=admin)).keys() == {"A"}
