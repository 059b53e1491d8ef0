"""The messages of the stream in the AsyncAPI document, each with its schema and an example."""

from collections.abc import Callable
from typing import Any

from schemas.events import EVENT_TYPES
from schemas.examples import POSITION_ID
from schemas.fields import MAX_IDENTIFIER
from schemas.live_quotes import KEY_FACTS, MAX_WATCHED, PROBLEM_CODES

from .examples import example_of

Document = dict[str, Any]

SUMMARIES = EVENT_TYPES | {
    "auth": "The token, and optionally the last known event: the client's first message, if no header held the token.",
    "ready": "The stream begins. `lastEventId` is the account's last event.",
    "reset": "Events are missing: read the state over HTTP and continue after `lastEventId`.",
    "watch": "Watch these stocks too. Each of them is sent once at once, and then when its quote changes.",
    "unwatch": "Watch these stocks no longer.",
    "watching": "The answer to `watch` and `unwatch`: all stocks that are watched now, and those of the message that do"
    " not exist.",
    "quote": "The newest quote of a watched stock. A higher `quoteNumber` is a later quote.",
    "problem": "The client's last message was not understood, or asks for too much; nothing was changed.",
}
FROM_CLIENT = ("auth", "watch", "unwatch")
OF_QUOTES = ("watching", "quote", "problem")
# How the order in an event's example differs from a new order.
FINAL_AT = "2026-11-23T04:15:23.932731Z"
CHANGES: dict[str, Document] = {
    "order.executed": {
        "updatedAt": FINAL_AT,
        "status": "EXECUTED",
        "filledQuantity": 10,
        "averagePrice": "2500.00",
        "executedAt": FINAL_AT,
        "positionId": POSITION_ID,
    },
    "order.open": {"updatedAt": FINAL_AT, "status": "OPEN", "waitingFor": "price"},
    "order.triggered": {
        "orderType": "STOP_LIMIT",
        "triggerPrice": "2495.00",
        "status": "OPEN",
        "waitingFor": "price",
        "triggeredAt": FINAL_AT,
    },
    "order.modified": {"updatedAt": FINAL_AT},
    "order.expired": {"updatedAt": FINAL_AT, "status": "EXPIRED"},
    "order.cancelled": {"updatedAt": FINAL_AT, "status": "CANCELLED", "endReason": "client"},
    "order.rejected": {"updatedAt": FINAL_AT, "status": "REJECTED", "rejectionReason": "insufficient_margin"},
}


def subject_of(event_type: str) -> str:
    """Return the name of the schema of the object in an event."""
    return event_type.partition(".")[0].title()


def message_of(name: str, schemas: dict[str, Document]) -> Document:
    """Return a message of the stream with its schema and an example."""
    if name == "auth":
        payload = _auth()
    elif name in EVENT_TYPES:
        payload = _event(name, schemas["Event"])
    elif name in MEMBERS:
        payload = MEMBERS[name](name)
    else:
        payload = _note(name)
    example = example_of(payload, schemas)
    example.get("data", {}).update(CHANGES.get(name, {}))
    return {"name": name, "summary": SUMMARIES[name], "payload": payload, "examples": [{"payload": example}]}


def _event(name: str, schema: Document) -> Document:
    data = {"$ref": f"#/components/schemas/{subject_of(name)}"}
    return schema | {"properties": schema["properties"] | {"type": {"const": name}, "data": data}}


def _auth() -> Document:
    number = {"type": "integer", "minimum": 0, "maximum": MAX_IDENTIFIER}
    since = "Send the events after this one first. If `null` or left out, `since` of the address applies."
    properties = {
        "action": {"const": "auth"},
        "token": {
            "type": "string",
            "description": "The secret of a token with the scope `read` or `admin`.",
            "example": "tp_the-secret-that-is-shown-once",
        },
        "since": number | {"type": ["integer", "null"], "description": since},
    }
    return {"type": "object", "required": ["action", "token"], "properties": properties}


def _note(name: str) -> Document:
    number = {"type": "integer", "minimum": 0, "description": "The account's last event.", "example": 123}
    properties = {"type": {"const": name}, "lastEventId": number}
    return _closed(properties)


def _closed(properties: Document) -> Document:
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def _keys(description: str, **facts: Any) -> Document:
    return {"type": "array", "description": description, "items": dict(KEY_FACTS)} | facts


def _watch(name: str) -> Document:
    symbols = _keys("Exchange and symbol of each stock.", minItems=1, maxItems=MAX_WATCHED)
    return _closed({"action": {"const": name}, "symbols": symbols})


MEMBERS: dict[str, Callable[[str], Document]] = {
    "watch": _watch,
    "unwatch": _watch,
    "watching": lambda name: _closed(
        {
            "type": {"const": name},
            "symbols": _keys("All stocks that are watched now."),
            "unknown": _keys("Stocks of the message that do not exist.", example=["NSE:RELAINCE"]),
        }
    ),
    "quote": lambda name: _closed({"type": {"const": name}, "data": {"$ref": "#/components/schemas/Quote"}}),
    "problem": lambda name: _closed(
        {
            "type": {"const": name},
            "code": {
                "type": "string",
                "enum": list(PROBLEM_CODES),
                "description": "The kind of the problem, as in a problem document.",
            },
            "detail": {
                "type": "string",
                "description": "A sentence for people.",
                "example": "A connection may watch 200 stocks; these would be 201.",
            },
        }
    ),
}
