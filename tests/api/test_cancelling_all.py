"""DELETE /api/trading/orders: cancel all orders, or those that filters select."""

from typing import Any

import pytest

from tests.support.trading import account_now, at_once, execute_orders, row_of, run
from trading.orders import mass_cancellation
from trading.upkeep.verify import verify


@pytest.fixture
def trader(account: Any) -> Any:
    """Return an account with a token."""
    yield account()
    assert verify() == []


@pytest.fixture
def cancel(app: Any, trader: Any) -> Any:
    """Return a function that cancels the selected orders, from a client of its own."""

    def send(query: str = "", **headers: str) -> Any:
        return app.test_client().delete(f"/api/trading/orders?{query}", headers=trader.headers | headers)

    return send


def cancelled(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [order["symbol"] for order in answer.get_json()["cancelled"]]


def test_all_live_orders_are_cancelled_and_nothing_else(
    client: Any, cancel: Any, account: Any, place: Any, trader: Any
) -> None:
    before = account_now(trader.id)
    others = place(account()).get_json()["order"]
    done = place(trader, symbol="DONE", price="10.00").get_json()["orderId"]
    execute_orders([done])
    held = account_now(trader.id)
    ids = [place(trader, symbol=name).get_json()["orderId"] for name in ("A", "B", "C")]
    answer = cancel().get_json()
    assert [order["orderId"] for order in answer["cancelled"]] == ids
    assert (answer["refused"], answer["hasMore"]) == ([], False)
    for order in answer["cancelled"]:
        assert (order["status"], order["endReason"]) == ("CANCELLED", "client")
        read = client.get(f"/api/trading/orders/{order['orderId']}", headers=trader.headers).get_json()
        assert {name: read[name] for name in order} == order
    after = account_now(trader.id)
    assert (after["balance"], after["blocked_margin"]) == (held["balance"], held["blocked_margin"])
    assert after["balance"] < before["balance"]
    assert row_of("trading_order", others["orderId"])["status"] == "PENDING"
    assert cancel().get_json() == {"cancelled": [], "refused": [], "hasMore": False}


def test_each_order_has_the_ledger_entries_and_the_event_of_its_own_cancellation(
    client: Any, cancel: Any, place: Any, trader: Any
) -> None:
    alone = place(trader).get_json()["orderId"]
    client.delete(f"/api/trading/orders/{alone}", headers=trader.headers)
    together = [place(trader).get_json()["orderId"] for _ in range(3)]
    cancel()

    def told(order_id: str) -> Any:
        history = client.get(f"/api/trading/orders/{order_id}/history", headers=trader.headers).get_json()["data"]
        return [
            (
                entry["type"],
                entry["changes"] and sorted(entry["changes"]),
                [row["kind"] for row in entry["transactions"]],
            )
            for entry in history
        ]

    assert all(told(order_id) == told(alone) for order_id in together)
    assert told(alone)[-1][2] == ["MARGIN_RELEASE", "CHARGES_REFUND"]


def test_the_filters_of_the_list_select_the_orders(cancel: Any, place: Any, trader: Any) -> None:
    place(trader, symbol="A", tag="x")
    place(trader, symbol="B", side="SELL", tag="x")
    place(trader, symbol="C", exchange="BSE", product="DELIVERY")
    last = place(trader, symbol="D", clientOrderId="mine").get_json()["order"]
    assert cancelled(cancel("status=OPEN")) == []
    assert cancelled(cancel("symbol=NONE")) == []
    assert cancelled(cancel("tag=x&side=SELL")) == ["B"]
    assert cancelled(cancel("exchange=BSE&product=CNC")) == ["C"]
    assert cancelled(cancel(f"from={last['placedAt']}&clientOrderId=mine&status=OPEN,PENDING")) == ["D"]
    assert cancelled(cancel(f"updatedFrom={last['placedAt']}")) == []
    assert cancelled(cancel(f"to={last['placedAt']}")) == ["A"]


@pytest.mark.parametrize("query", ["status=EXECUTED", "limit=5", "cursor=x", "symbols=A", "symbol="])
def test_a_filter_that_is_none_cancels_nothing(client: Any, cancel: Any, place: Any, trader: Any, query: str) -> None:
    place(trader)
    assert cancel(query).status_code == 422
    assert client.delete("/api/trading/orders", json={"symbol": "A"}, headers=trader.headers).status_code == 422
    assert len(cancelled(cancel())) == 1


@pytest.mark.parametrize("path", ["orders/", "orders//", "/orders", "orders/%20"])
def test_an_address_without_the_id_of_an_order_does_not_cancel_all(
    client: Any, cancel: Any, place: Any, trader: Any, path: str
) -> None:
    place(trader)
    assert client.delete(f"/api/trading/{path}", headers=trader.headers).status_code == 404
    assert len(cancelled(cancel())) == 1


def test_a_list_has_no_version(cancel: Any, place: Any, trader: Any) -> None:
    place(trader)
    for tag in ('"1"', "", "W/*", ","):
        refused = cancel(**{"If-Match": tag})
        assert (refused.status_code, refused.get_json()["code"]) == (412, "precondition_failed")
    assert len(cancelled(cancel(**{"If-Match": "*"}))) == 1


def test_orders_that_may_not_be_cancelled_are_refused_with_their_reason(
    client: Any, cancel: Any, place: Any, trader: Any, cleaner: Any
) -> None:
    ours, square_off, other = (place(trader, symbol=name).get_json()["orderId"] for name in ("A", "B", "C"))
    with cleaner.cursor() as cursor:
        cursor.execute("UPDATE trading_order SET origin = 'SQUARE_OFF' WHERE id = %s", (square_off,))
    answer = cancel().get_json()
    assert [order["orderId"] for order in answer["cancelled"]] == [ours, other]
    (refused,) = answer["refused"]
    alone = client.delete(f"/api/trading/orders/{square_off}", headers=trader.headers)
    assert refused == {"orderId": square_off, "problem": alone.get_json()}
    assert refused["problem"]["origin"] == "SQUARE_OFF"


def test_a_suspended_account_may_cancel(cancel: Any, place: Any, trader: Any) -> None:
    place(trader)
    run("UPDATE account SET status = 'SUSPENDED'")
    assert len(cancelled(cancel())) == 1


def test_more_orders_than_a_request_cancels_are_left_and_told(
    cancel: Any, place: Any, trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mass_cancellation, "MAX_CANCELLED", 3)
    monkeypatch.setattr(mass_cancellation, "CHUNK", 2)
    for name in "ABCDE":
        place(trader, symbol=name)
    answers = [cancel().get_json() for _ in range(3)]
    assert [[order["symbol"] for order in answer["cancelled"]] for answer in answers] == [
        ["A", "B", "C"],
        ["D", "E"],
        [],
    ]
    assert [answer["hasMore"] for answer in answers] == [True, False, False]


def test_of_requests_at_once_one_cancels_each_order(cancel: Any, place: Any, trader: Any) -> None:
    before = account_now(trader.id)
    for _ in range(12):
        place(trader)
    answers = [answer.get_json() for answer in at_once([cancel] * 4)]
    ids = [order["orderId"] for answer in answers for order in answer["cancelled"]]
    assert len(ids) == len(set(ids)) == 12
    refused = [entry["problem"]["code"] for answer in answers for entry in answer["refused"]]
    assert set(refused) <= {"order_not_open"}
    assert account_now(trader.id)["balance"] == before["balance"]


def test_an_account_that_an_administrator_names_must_exist(
    client: Any, place: Any, trader: Any, headers_for: Any
) -> None:
    place(trader)
    admin = headers_for("admin")
    assert client.delete("/api/trading/orders", headers=admin).status_code == 422
    nobody = client.delete("/api/trading/orders?tradingAccountId=01a20524-0010-7a6f-b1c4-93d27e5f8a10", headers=admin)
    assert nobody.status_code == 404
    assert len(cancelled(client.delete(f"/api/trading/orders?tradingAccountId={trader.id}", headers=admin))) == 1
