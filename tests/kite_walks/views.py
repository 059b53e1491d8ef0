"""Both doors show the same: each order, its end, each trade, each position and the money, and the model agrees."""

from decimal import Decimal
from typing import Any

from tests.kite_walks.forms import ORDER_TYPES, PRODUCTS
from tests.kite_walks.walk import Walk

STATUSES = {"EXECUTED": "COMPLETE", "CANCELLED": "CANCELLED", "EXPIRED": "CANCELLED", "REJECTED": "REJECTED"}


def compare(walk: Walk, owner: str) -> None:
    """Compare all that the doors show of an account."""
    orders = {one["orderNumber"]: one for one in _pages(walk, owner, "/orders")}
    shown = {one["order_id"]: one for one in _read(walk, owner, "/orders")}
    assert orders.keys() == shown.keys()
    for number, order in orders.items():
        _compare_order(order, shown[number])
        walk.seen.add((order["orderType"], shown[number]["status"], order["triggeredAt"] is not None))
    _compare_with_the_model(walk, owner, orders)
    _compare_histories(walk, owner, shown)
    _compare_trades(walk, owner, orders)
    _compare_positions(walk, owner)
    margins, account = _read(walk, owner, "/user/margins")["equity"], _first(walk, owner, "/account")
    assert Decimal(str(margins["net"])) == Decimal(account["availableMargin"])
    assert margins["available"]["live_balance"] == margins["net"]


def _compare_order(order: dict[str, Any], shown: dict[str, Any]) -> None:
    is_stop = order["orderType"].startswith("STOP") and order["triggeredAt"] is None
    waiting = "TRIGGER PENDING" if is_stop else "OPEN"
    expected = {
        "status": STATUSES.get(order["status"], waiting),
        "exchange": order["exchange"],
        "tradingsymbol": order["symbol"],
        "transaction_type": order["side"],
        "product": PRODUCTS[order["product"]],
        "order_type": ORDER_TYPES[order["orderType"]],
        "validity": order["validity"],
        "quantity": order["quantity"],
        "filled_quantity": order["filledQuantity"],
        "price": float(order["price"] or 0),
        "trigger_price": float(order["triggerPrice"] or 0),
        "average_price": float(order["averagePrice"] or 0),
        "tag": order["tag"],
    }
    assert {name: shown[name] for name in expected} == expected


def _compare_with_the_model(walk: Walk, owner: str, orders: dict[str, Any]) -> None:
    reckoned = {
        walk.numbers[name]: (order.status, order.average, order.reason, order.wish.quantity)
        for name, order in walk.model.owners[owner].orders.items()
    }
    found = {}
    for number, order in orders.items():
        status = "OPEN" if order["status"] == "PENDING" else order["status"]
        average = None if order["averagePrice"] is None else Decimal(order["averagePrice"])
        found[number] = (status, average, order["rejectionReason"], order["quantity"])
    assert found == reckoned


def _compare_histories(walk: Walk, owner: str, shown: dict[str, Any]) -> None:
    """Compare the last line of a few histories with the list."""
    for number in walk.chance.sample(sorted(shown), min(3, len(shown))):
        last = _read(walk, owner, f"/orders/{number}")[-1]
        names = ("status", "quantity", "price", "trigger_price", "average_price", "filled_quantity", "order_id")
        assert {name: last[name] for name in names} == {name: shown[number][name] for name in names}


def _compare_trades(walk: Walk, owner: str, orders: dict[str, Any]) -> None:
    by_id = {order["orderId"]: number for number, order in orders.items()}
    first = {
        by_id[one["orderId"]]: (one["symbol"], one["side"], one["quantity"], float(one["price"]))
        for one in _pages(walk, owner, "/trades")
    }
    names = ("tradingsymbol", "transaction_type", "quantity", "average_price")
    shown = _read(walk, owner, "/trades")
    assert {one["order_id"]: tuple(one[name] for name in names) for one in shown} == first
    assert len({one["trade_id"] for one in shown}) == len(shown)


def _compare_positions(walk: Walk, owner: str) -> None:
    shown = {}
    for one in _read(walk, owner, "/portfolio/positions")["net"]:
        bought = (one["buy_quantity"], Decimal(str(one["buy_value"])).quantize(Decimal("0.01")))
        sold = (one["sell_quantity"], Decimal(str(one["sell_value"])).quantize(Decimal("0.01")))
        shown[one["tradingsymbol"], one["product"]] = (one["quantity"], *bought, *sold, round(one["pnl"], 2))
    first = {}
    for one in _pages(walk, owner, "/positions"):
        if not (one["quantity"] or one["dayBuyQuantity"] or one["daySellQuantity"]):
            continue  # all of it was converted
        bought = (one["dayBuyQuantity"], Decimal(one["dayBuyValue"]))
        sold = (one["daySellQuantity"], Decimal(one["daySellValue"]))
        first[one["symbol"], PRODUCTS[one["product"]]] = (
            one["quantity"], *bought, *sold, float(one["dayPnl"]),
        )  # fmt: skip
    assert shown == first


def _read(walk: Walk, owner: str, path: str) -> Any:
    answer = walk.kite(owner, "GET", path)
    assert (answer.status_code, answer.json["status"]) == (200, "success"), answer.text
    return answer.json["data"]


def _first(walk: Walk, owner: str, path: str) -> Any:
    answer = walk.first(owner, "GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json


def _pages(walk: Walk, owner: str, path: str) -> list[dict[str, Any]]:
    """Return all rows of a list of the first door."""
    found, cursor = [], ""
    while cursor is not None:
        page = _first(walk, owner, f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        found += page["data"]
        cursor = page["nextCursor"]
    return found
