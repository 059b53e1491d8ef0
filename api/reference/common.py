"""The descriptions of members and parameters that mean the same everywhere, and of schemas by their docstrings."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

Document = dict[str, Any]

# A field's own description takes precedence.
DESCRIPTIONS = {
    "account_id": "The id of the account.",
    "at": "The time at which it happened.",
    "averagePrice": "The average price of the fill; null until the order is EXECUTED.",
    "blockedMargin": "The margin that is reserved, in rupees.",
    "calendar": "The market's calendar: `NSE`.",
    "chargeItems": "The parts of the charges, each rounded.",
    "charges": "The charges of the order in rupees: the sum of its charge items.",
    "client_order_id": "The `clientOrderId` of the order.",
    "clientOrderId": "The name that the client gave the order, unique within the account for ever; null without one.",
    "data": "The rows of this page.",
    "day": "The day, such as 2026-11-10.",
    "exchange": "The exchange of the stock.",
    "executedAt": "The time of the fill; null until then.",
    "expiresAt": "The time at which the order expires by itself; null if it does not.",
    "filledQuantity": "The filled quantity: an order fills whole, so 0 or its quantity.",
    "from": "Only rows at or after this time.",
    "high": "The highest price of the day; null if it is not known.",
    "lastPrice": "The last traded price of the stock, in rupees; null if it is not known.",
    "limit": "The largest number of rows in the answer.",
    "low": "The lowest price of the day; null if it is not known.",
    "message_id": "The `messageId` of the dead letter.",
    "nextCursor": "Send it as `cursor` for the next page; null on the last page.",
    "open": "The first price of the day; null if it is not known.",
    "orderId": "The id of the order.",
    "order_id": "The `orderId` of the order.",
    "placedAt": "The time of the placement, by the database's clock.",
    "positionId": "The id of the position; null until there is one.",
    "position_id": "The `positionId` of the position.",
    "previousClose": "The closing price of the trading day before; null if it is not known.",
    "price": "The limit in rupees; null for an order without one.",
    "product": "The product of the order or of the position.",
    "quantity": "The number of shares.",
    "realizedPnl": "The profit and loss of all closed quantities in rupees, without charges.",
    "side": "The direction of the order.",
    "stockId": "The id of the stock.",
    "symbol": "The symbol of the stock at its exchange.",
    "tag": "A word of the client's own, by which lists can be filtered; null without one.",
    "to": "Only rows before this time.",
    "token_id": "The `tokenId` of the token.",
    "tradingAccountId": "The id of the account.",
    "triggerPrice": "The last price that triggers a stop, in rupees; null for other orders.",
    "triggeredAt": "The time at which the trigger of a stop fired; null until then.",
    "unrealizedPnl": "The profit or loss of the open quantity at the last price, in rupees; null without a price.",
    "updatedAt": "The time of the last change.",
    "validityMinutes": "The minutes for which an order with the validity TTL waits; null for others.",
}


def describe(document: Document, classes: Mapping[str, type]) -> None:
    """Describe elements that lack a description: schemas by the docstrings of their classes, members by their names."""
    components = document["components"]["schemas"]
    for name, schema_class in classes.items():
        if name in components:
            components[name].setdefault("description", inspect.getdoc(schema_class))
    describe_members(components.values())
    for item in document["paths"].values():
        parameters = [operation["parameters"] for method, operation in item.items() if method != "parameters"]
        for parameter in [*item["parameters"], *(each for several in parameters for each in several)]:
            if parameter["name"] in DESCRIPTIONS:
                parameter.setdefault("description", DESCRIPTIONS[parameter["name"]])


def describe_members(schemas: Iterable[Document]) -> None:
    """Describe the members of schemas that have no description of their own, by their names."""
    for schema in schemas:
        for name, member in schema.get("properties", {}).items():
            if name in DESCRIPTIONS and "description" not in member:
                member["description"] = DESCRIPTIONS[name]
            describe_members([member])
        if "items" in schema:
            describe_members([schema["items"]])
