"""The main job on real processes: an order over HTTP, executed by a worker a moment later."""

from decimal import Decimal
from typing import Any

import requests

from tests.support.processes import ProcessStarter, Running, wait_until
from trading.upkeep.verify import verify


def test_an_order_placed_over_http_is_executed_with_its_position_ledger_and_events(
    start: ProcessStarter, web: Running, trader_of: Any
) -> None:
    trader = trader_of(web)
    start.worker()
    answer = trader.place()
    assert answer.status_code == 202
    order_id = answer.json()["orderId"]
    assert answer.headers["Location"] == f"/api/trading/orders/{order_id}"

    order = trader.wait_for(order_id)
    assert (order["filledQuantity"], order["averagePrice"]) == (10, "2500.00")
    assert [row["kind"] for row in order["transactions"]] == ["MARGIN_BLOCK", "CHARGES"]
    assert {row["positionId"] for row in order["transactions"]} == {order["positionId"]}

    (position,) = trader.read("positions")["data"]
    assert (position["quantity"], position["averagePrice"], position["blockedMargin"]) == (10, "2500.00", "5000.00")
    account = trader.read("account")
    assert account["blockedMargin"] == "5000.00"
    assert account["balance"] == str(Decimal("1000000.00") - Decimal(order["charges"]))

    events = trader.read("events?since=0")["data"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert [event["type"] for event in events][-2:] == ["position.updated", "order.executed"]
    assert verify() == []


def test_closing_the_position_books_the_profit(start: ProcessStarter, web: Running, trader_of: Any, quote: Any) -> None:
    trader = trader_of(web)
    start.worker()
    trader.wait_for(trader.place().json()["orderId"])
    quote("RELIANCE", "2600.00")
    (position,) = trader.read("positions")["data"]
    assert position["unrealizedPnl"] == "1000.00"
    answer = trader.http.post(f"{trader.base_url}/api/trading/positions/{position['positionId']}/close", timeout=10)
    assert answer.status_code == 202
    trader.wait_for(answer.json()["orderId"])
    account = trader.read("account")
    assert (account["realizedPnl"], account["blockedMargin"]) == ("1000.00", "0.00")
    assert verify() == []


def test_the_request_id_leads_from_the_request_to_the_execution(
    start: ProcessStarter, web: Running, trader_of: Any
) -> None:
    worker = start.worker(ORDER_WORKER_INTERVAL_MS="60000")  # no sweep is faster than the message
    trader = trader_of(web)
    trader.http.headers["X-Request-Id"] = "find-me-1"
    order_id = trader.place().json()["orderId"]
    trader.wait_for(order_id)
    for process in (web, worker):
        lines = wait_until(
            lambda log=process: [line for line in log.log.splitlines() if "find-me-1" in line and order_id in line],
            timeout_s=30,
        )
        assert len(lines) == 1


def test_orders_placed_without_a_worker_wait_for_one(start: ProcessStarter, web: Running, trader_of: Any) -> None:
    trader = trader_of(web)
    order_ids = [trader.place(quantity=1).json()["orderId"] for _ in range(20)]
    assert trader.read(f"orders/{order_ids[0]}")["status"] == "PENDING"
    start.worker()
    for order_id in order_ids:
        trader.wait_for(order_id)
    assert verify() == []


def test_the_cron_endpoint_executes_orders_without_a_worker(
    web: Running, trader_of: Any, setting_values: dict[str, str]
) -> None:
    trader = trader_of(web)
    order_ids = [trader.place(quantity=1).json()["orderId"] for _ in range(30)]
    headers = {"Authorization": f"Bearer {setting_values['CRON_SECRET']}"}
    first = requests.get(f"{web.base_url}/api/cron/order-worker", headers=headers, timeout=10).json()
    assert (first["claimed"], first["executed"], first["remaining"]) == (25, 25, 5)
    second = requests.get(f"{web.base_url}/api/cron/order-worker?limit=500", headers=headers, timeout=10).json()
    assert (second["executed"], second["remaining"]) == (5, 0)
    for order_id in order_ids:
        trader.wait_for(order_id)
    assert verify() == []


def test_inline_dispatch_needs_neither_broker_nor_worker(start: ProcessStarter, trader_of: Any) -> None:
    trader = trader_of(start.web(ORDER_DISPATCH="inline", REDIS_URL=""))
    answer = trader.place()
    assert answer.status_code == 202
    assert answer.json()["order"]["status"] == "PENDING"
    trader.wait_for(answer.json()["orderId"])
    assert verify() == []
