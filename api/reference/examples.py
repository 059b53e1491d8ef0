"""Give every schema of the documents an example: one order of ten RELIANCE at 2,500, and what belongs to it."""

import itertools
import re
from copy import deepcopy
from typing import Any

Schema = dict[str, Any]

MOMENT = "2026-11-23T04:15:23.734972Z"
ORDER_ID = "01a20524-6fc7-7822-b63b-0d0c5a309936"
ACCOUNT_ID = "01a20524-0010-7a6f-b1c4-93d27e5f8a10"
# What a member holds, whatever it is a member of.
MEMBERS: dict[str, Any] = {
    "accountId": ACCOUNT_ID,
    "actor": "execute_order",
    "address": "127.0.0.1",
    "amount": "5000.00",
    "availableMargin": "994989.46",
    "availableMarginAfter": "994989.46",
    "averagePrice": "2500.00",
    "balance": "999989.46",
    "balanceAfter": "999989.46",
    "blockedAfter": "5000.00",
    "blockedMargin": "5000.00",
    "brokerage": "7.50",
    "charges": "10.54",
    "clientOrderId": "my-order-1",
    "code": "not_found",
    "cursor": "WzEyM10",
    "detail": "There is no such thing here.",
    "error": "ValueError: what went wrong",
    "exchange": "NSE",
    "exchangeCharge": "0.77",
    "expiresAt": "2036-11-23T04:15:00.000000Z",
    "gst": "1.49",
    "id": 123,
    "IdempotencyKey": "my-order-1",
    "IfNoneMatch": '"3f2c9a41d07be856c1409bd2e7f8a630"',
    "instance": f"/api/trading/orders/{ORDER_ID}",
    "lastEventId": 123,
    "LastEventID": "123",
    "lastPrice": "2500.00",
    "limit": 50,
    "margin": "5000.00",
    "messageId": "5c0f5e0b-7d0e-4c8f-9a54-3e2b1a6d7f90",
    "name": "Asha",
    "openingBalance": "1000000.00",
    "openingQuantity": 10,
    "orderId": ORDER_ID,
    "positionId": "01a20524-706c-78ef-8066-15d4dcc3ace4",
    "prefix": "REL",
    "price": "2500.00",
    "quantity": 10,
    "realizedPnl": "0.00",
    "regulatoryFee": "0.03",
    "since": 123,
    "stampDuty": "0.75",
    "status": 404,
    "stockId": "01a20524-0a11-7c0e-9d2b-6f1e5a7c3b21",
    "symbol": "RELIANCE",
    "title": "Not found",
    "token": "tp_the-secret-that-is-shown-once",
    "tokenId": "01a20524-11d4-7b1c-8e55-2a9d40f6c7e3",
    "tradingAccountId": ACCOUNT_ID,
    "transactionTax": "0.00",
    "type": "urn:tradepost:problem:not_found",
    "unrealizedPnl": "0.00",
}
# Members that need not be given are left out, but for these.
SHOWN = {
    "BasketResult": ("orderId", "executionScheduled", "order"),
    "Operations": ("broker",),
    "OrderChange": ("quantity",),
    "OrderChanges": ("quantity", "blockedMargin", "charges"),
}
# What is different in one schema.
OVERRIDES: dict[str, dict[str, Any]] = {
    "BasketResult": {"status": 202},
    "OrderMoment": {"eventId": 123},
    "OrderRequest": {"orderType": "LIMIT", "price": "2500.00"},
    "OrderTerms": {"orderType": "LIMIT", "price": "2500.00"},
    "Order": {"orderType": "LIMIT", "price": "2500.00"},
    "OrderDetail": {"orderType": "LIMIT", "price": "2500.00"},
    "Transaction": {"kind": "MARGIN_BLOCK", "orderId": ORDER_ID},
    "Position": {"lastPrice": "2500.00", "averagePrice": "2500.00", "unrealizedPnl": "0.00"},
    "Stock": {"lastPrice": "2500.00", "lastPriceAt": MOMENT},
    "Event": {"type": "account.updated", "data": {"tradingAccountId": ACCOUNT_ID, "balance": "999989.46"}},
    "Sweep": {"claimed": 2, "executed": 2, "durationMs": 14},
    "Live": {"status": "ok"},
    "Queue": {"name": "orders", "waiting": 3, "working": 4, "dead": 1},
    "DeadLetter": {"queue": "orders", "arguments": [ORDER_ID]},
    "Worker": {"name": "worker.1:12", "silentMs": 400},
}
# How the order of an event's example differs from one that was just accepted.
ENDED = {"updatedAt": "2026-11-23T04:15:23.932731Z"}
EVENT_CHANGES: dict[str, dict[str, Any]] = {
    "order.executed": ENDED
    | {"status": "EXECUTED", "filledQuantity": 10, "averagePrice": "2500.00", "executedAt": ENDED["updatedAt"]}
    | {"positionId": MEMBERS["positionId"]},
    "order.modified": ENDED,
    "order.cancelled": ENDED | {"status": "CANCELLED"},
    "order.rejected": ENDED | {"status": "REJECTED", "rejectionReason": "insufficient_margin"},
}
UNKNOWN = "…"  # of a text that nobody has thought of; a test finds it


def add_examples(document: dict[str, Any]) -> None:
    """Put an example into every schema of an OpenAPI document's components, and of its parameters."""
    components = document["components"]["schemas"]
    for name, schema in components.items():
        schema["examples"] = [example_of({"$ref": f"#/components/schemas/{name}"}, components)]
    for item in document["paths"].values():
        parameters = [operation["parameters"] for method, operation in item.items() if method != "parameters"]
        for parameter in itertools.chain(item["parameters"], *parameters):
            if "examples" not in parameter["schema"]:
                name = re.sub(r"[-_](.)", lambda match: match[1].upper(), parameter["name"])
                parameter["schema"] = parameter["schema"] | {"examples": [example_of(parameter["schema"], {}, name)]}


def example_of(schema: Schema, components: dict[str, Schema], member: str = "") -> Any:
    """Return an example that fits a schema, which is a member's when it has a name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        known = components[name]["properties"]
        overrides = {key: value for key, value in OVERRIDES.get(name, {}).items() if key in known}
        return _example_of_object(components[name], components, SHOWN.get(name, ())) | deepcopy(overrides)
    if "anyOf" in schema:
        return example_of(schema["anyOf"][0], components, member)
    kinds = schema.get("type")
    if isinstance(kinds, list) and "null" in kinds:
        return None
    if kinds == "object":
        return _example_of_object(schema, components)
    if kinds == "array":
        return [example_of(schema["items"], components, member)]
    return _example_of_value(schema, member)


def _example_of_object(schema: Schema, components: dict[str, Schema], shown: tuple[str, ...] = ()) -> dict[str, Any]:
    properties = schema.get("properties", {})
    needed = [name for name in properties if name in schema.get("required", ()) or name in shown]
    return {name: example_of(properties[name], components, name) for name in needed}


def _example_of_value(schema: Schema, member: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if member in MEMBERS:
        return MEMBERS[member]
    if schema.get("type") == "boolean":
        return True
    if schema.get("type") in ("integer", "number"):
        return schema.get("minimum", 0)
    if schema.get("format") == "date-time":
        return MOMENT
    return schema.get("examples", [UNKNOWN])[0]
