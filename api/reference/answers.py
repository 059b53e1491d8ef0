"""The examples of answers that differ from the example of their schema.

They tell one story: Asha's account has 1,000,000.00, buys ten RELIANCE at 2,500.00, and then does what the route does.
`tests/api/test_examples.py` holds every example against a real answer.
"""

from typing import Any

from schemas.examples import MOMENT, ORDER_ID, OTHER_ORDER_ID, OTHER_POSITION_ID

from .problem_responses import example_of_problem
from .stream_messages import CHANGES, FINAL_AT

Document = dict[str, Any]

ABSENT = object()  # in place of a member that this answer lacks
FILLED = CHANGES["order.executed"]
CANCELLED = CHANGES["order.cancelled"]
NEW_ACCOUNT = {
    "balance": "1000000.00",
    "blockedMargin": "0.00",
    "availableMargin": "1000000.00",
    "scopes": ABSENT,
}
# The order that closes four of the ten shares.
CLOSING = {
    "side": "SELL",
    "orderType": "MARKET",
    "quantity": 4,
    "price": None,
    "blockedMargin": "0.00",
    "charges": "6.42",
}
CLOSING_ALL = CLOSING | {"quantity": 10, "charges": "16.04"}
# Of the six shares that are left five become DELIVERY.
CONVERTED_FROM = {
    "quantity": 1,
    "blockedMargin": "500.00",
    "dayBuyQuantity": 5,
    "dayBuyValue": "12500.00",
    "daySellQuantity": 4,
    "daySellValue": "10000.00",
}
CONVERTED_TO = {
    "positionId": OTHER_POSITION_ID,
    "product": "DELIVERY",
    "quantity": 5,
    "blockedMargin": "12500.00",
    "dayBuyQuantity": 5,
    "dayBuyValue": "12500.00",
}
# Why one of several orders was not cancelled, and one of several positions not closed.
TRADED_ALREADY = example_of_problem("order_not_open", f"/api/trading/orders/{OTHER_ORDER_ID}")
PROMISED = example_of_problem("nothing_to_close", f"/api/trading/positions/{OTHER_POSITION_ID}/close")


def _entry(number: int, kind: str, amount: str, balance: str, blocked: str, **changes: Any) -> Document:
    return {
        "id": number,
        "kind": kind,
        "amount": amount,
        "balanceAfter": balance,
        "blockedAfter": blocked,
        "orderId": ORDER_ID,
        "positionId": None,
        "createdAt": MOMENT,
    } | changes


DEPOSIT = _entry(122, "DEPOSIT", "1000000.00", "1000000.00", "0.00", orderId=None)
BLOCK = _entry(123, "MARGIN_BLOCK", "5000.00", "1000000.00", "5000.00")
CHARGES = _entry(124, "CHARGES", "10.54", "999989.46", "5000.00")
RELEASE = _entry(125, "MARGIN_RELEASE", "2500.00", "999989.46", "2500.00", createdAt=FINAL_AT)
REFUND = _entry(126, "CHARGES_REFUND", "5.27", "999994.73", "2500.00", createdAt=FINAL_AT)

# By operation and status: the members that differ.
CHANGED: dict[tuple[str, str], Document] = {
    ("accountListTransactions", "200"): {"data": [CHARGES, BLOCK, DEPOSIT]},
    ("adminAddFunds", "201"): _entry(127, "DEPOSIT", "5000.00", "1005000.00", "0.00", orderId=None),
    ("adminChangeStatus", "200"): NEW_ACCOUNT,
    ("adminCreate", "201"): NEW_ACCOUNT,
    ("adminRead", "200"): NEW_ACCOUNT,
    ("adminReset", "200"): NEW_ACCOUNT,
    ("healthReady", "503"): {"status": "unavailable", "database": "unavailable", "migrations": "unknown"},
    ("ordersCancel", "200"): CANCELLED,
    ("ordersCancelAll", "200"): {
        "cancelled": [CANCELLED],
        "refused": [{"orderId": OTHER_ORDER_ID, "problem": TRADED_ALREADY}],
    },
    ("ordersHistory", "200"): {
        "data": [
            {
                "eventId": 123,
                "type": "order.pending",
                "at": MOMENT,
                "status": "PENDING",
                "changes": {
                    "quantity": 10,
                    "price": "2500.00",
                    "orderType": "LIMIT",
                    "blockedMargin": "5000.00",
                    "charges": "10.54",
                },
                "transactions": [BLOCK, CHARGES],
            }
        ]
    },
    ("ordersModify", "200"): {
        "quantity": 5,
        "blockedMargin": "2500.00",
        "charges": "5.27",
        "updatedAt": FINAL_AT,
        "chargeItems": {
            "brokerage": "3.75",
            "exchangeCharge": "0.38",
            "regulatoryFee": "0.01",
            "stampDuty": "0.38",
            "gst": "0.75",
        },
        "transactions": [BLOCK, CHARGES, RELEASE, REFUND],
    },
    ("ordersPlace", "200"): {"executionScheduled": False, "order": FILLED},
    ("ordersRead", "200"): {"transactions": [BLOCK, CHARGES]},
    ("ordersReadByClientId", "200"): {"clientOrderId": "my-order-1", "transactions": [BLOCK, CHARGES]},
    ("positionsClose", "200"): {
        "executionScheduled": False,
        "order": CLOSING | FILLED | {"filledQuantity": 4},
    },
    ("positionsClose", "202"): {"order": CLOSING},
    ("positionsConvert", "200"): {"from": CONVERTED_FROM, "to": CONVERTED_TO},
    ("positionsCloseAll", "200"): {
        "placed": [{"order": CLOSING_ALL}],
        "refused": [{"positionId": OTHER_POSITION_ID, "problem": PROMISED}],
    },
}


def add_examples(document: Document) -> None:
    """Add the changed examples to an OpenAPI document whose schemas have examples."""
    schemas = document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in (part for method, part in item.items() if method != "parameters"):
            for status, response in operation["responses"].items():
                changes = CHANGED.get((operation["operationId"], status))
                if changes is not None:
                    media = response["content"]["application/json"]
                    name = media["schema"]["$ref"].rpartition("/")[2]
                    media["example"] = _changed(schemas[name]["examples"][0], changes)


def _changed(example: Any, changes: Any) -> Any:
    """Return an example with changes: objects are merged, also those of a list; everything else is replaced."""
    if isinstance(example, list) and isinstance(changes, list):
        return [_changed(example[0], change) for change in changes]
    if not isinstance(example, dict) or not isinstance(changes, dict):
        return changes
    merged = {name: _changed(example.get(name), change) for name, change in changes.items() if change is not ABSENT}
    return {name: value for name, value in example.items() if changes.get(name) is not ABSENT} | merged
