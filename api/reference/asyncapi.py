"""The AsyncAPI document of the event streams, built from the schemas that render the events."""

import functools
from typing import Any

import flask
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Response
from marshmallow import Schema

from api.http.responses import encode
from api.stream.websocket import ENDINGS
from schemas.events import DATA_SCHEMAS, EVENT_TYPES, EventSchema, StreamRequestSchema
from schemas.examples import POSITION_ID
from schemas.fields import MAX_IDENTIFIER, Money

from .examples import example_of, remove_hints
from .openapi import without_null

Document = dict[str, Any]

# Flask's own blueprint, so that the OpenAPI document does not list this route.
blueprint = flask.Blueprint("asyncapi", __name__)

DESCRIPTION = """\
Every change of an account, its orders and its positions is an event. The events of an account are numbered 1, 2, 3 …
without a gap. A stream begins with `ready`. With `since`, the stream first sends the events after that one, and then
new events as they happen. Events come in order, each exactly once per connection. After a broken connection, reconnect
with `since` to get the events in between.

`reset` says that the events after `since` cannot be sent: `since` is too old (events are kept for 7 days), higher than
the last event, or the number of an event that no longer exists. Read the state over HTTP and continue after
`lastEventId`. `reset` also comes in the middle of a stream, when a failover or a restored backup of the database has
removed events that were already sent; later events then reuse their numbers.

An admin token names the account with `tradingAccountId`. The server pings every 25 s.
"""
# Responses to the handshake: problem documents, as everywhere in the API.
REFUSALS = {
    400: "The request is not a websocket handshake of version 13.",
    401: "The token in the header is unknown, expired or revoked.",
    403: "The token lacks the scope `read` or `admin`, or the page's origin is not allowed.",
    404: "The account does not exist, or the token belongs to another account.",
    422: "A query parameter is not valid.",
    503: "There are too many listeners, or the database cannot be reached.",
}
SUMMARIES = EVENT_TYPES | {
    "auth": "The token, and optionally the last known event: the client's first message, if no header held the token.",
    "ready": "The stream begins. `lastEventId` is the account's last event.",
    "reset": "Events are missing: read the state over HTTP and continue after `lastEventId`.",
}
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


@blueprint.get("/asyncapi.json")
def show() -> Response:
    """Serve the document."""
    return Response(_text(), content_type="application/json")


@functools.cache
def _text() -> str:
    return encode(document())


def document() -> Document:
    """Return the document: two channels with the same messages, and each message with its schema and an example."""
    schemas = _schemas()
    events = ["ready", "reset", *EVENT_TYPES]
    messages = {name: _message(name, schemas) for name in ("auth", *events)}
    for schema in (*schemas.values(), *(message["payload"] for message in messages.values())):
        remove_hints(schema)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Tradepost events",
            "version": "v1",
            "description": DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {name: _server(name) for name in ("ws", "http")},
        "channels": {
            "stream": _websocket(["auth", *events], schemas["StreamRequest"]),
            "serverSentEvents": _server_sent_events(events),
        },
        "operations": {
            "authenticate": _operation("receive", "stream", ["auth"]),
            "listen": _operation("send", "stream", events),
            "listenToServerSentEvents": _operation("send", "serverSentEvents", events)
            | {"bindings": {"http": {"method": "GET", "query": schemas["StreamRequest"], "bindingVersion": "0.3.0"}}},
        },
        "components": {
            "messages": messages,
            "schemas": {name: schemas[name] for name in sorted({_subject(kind) for kind in EVENT_TYPES})},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token with the scope `read` or `admin`; a browser sends it in `auth`.",
                }
            },
        },
    }


def _server(protocol: str) -> Document:
    return {
        "host": "{host}",
        "protocol": protocol,
        "description": "Behind a proxy with TLS: `wss` and `https`.",
        "variables": {"host": {"default": "127.0.0.1:8000"}},
        "security": [{"$ref": "#/components/securitySchemes/token"}],
    }


def _websocket(messages: list[str], query: Document) -> Document:
    return {
        "address": "/api/trading/stream",
        "description": "A websocket. The token comes in the `Authorization` header or in the first message.",
        "servers": [{"$ref": "#/servers/ws"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"ws": {"method": "GET", "query": query, "bindingVersion": "0.1.0"}},
        "x-close-codes": [
            {"code": ending.code, "reason": ending.reason, "description": ending.when} for ending in ENDINGS
        ],
        "x-refusals": [{"status": status, "description": when} for status, when in REFUSALS.items()],
    }


def _server_sent_events(messages: list[str]) -> Document:
    return {
        "address": "/api/trading/events",
        "description": "Server-sent events, for `Accept: text/event-stream`. The `data` of a block is the message,"
        " `event` is its type, and `id`, for `Last-Event-ID`, is the event's id. The `id` of `ready` is `since`, or the"
        " last event without `since`; the `id` of `reset` is its `lastEventId`.",
        "servers": [{"$ref": "#/servers/http"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _operation(action: str, channel: str, messages: list[str]) -> Document:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _message(name: str, schemas: dict[str, Document]) -> Document:
    if name == "auth":
        payload = _auth()
    elif name in EVENT_TYPES:
        payload = _event(name, schemas["Event"])
    else:
        payload = _note(name)
    example = example_of(payload, schemas)
    example.get("data", {}).update(CHANGES.get(name, {}))
    return {"name": name, "summary": SUMMARIES[name], "payload": payload, "examples": [{"payload": example}]}


def _event(name: str, schema: Document) -> Document:
    data = {"$ref": f"#/components/schemas/{_subject(name)}"}
    return schema | {"properties": schema["properties"] | {"type": {"const": name}, "data": data}}


def _auth() -> Document:
    number = {"type": "integer", "minimum": 0, "maximum": MAX_IDENTIFIER}
    since = "Send the events after this one first. If `null` or left out, `since` of the address applies."
    properties = {
        "action": {"const": "auth"},
        "token": {"type": "string", "example": "tp_the-secret-that-is-shown-once"},
        "since": number | {"type": ["integer", "null"], "description": since},
    }
    return {"type": "object", "required": ["action", "token"], "properties": properties}


def _note(name: str) -> Document:
    properties = {"type": {"const": name}, "lastEventId": {"type": "integer", "minimum": 0, "example": 123}}
    return {"type": "object", "required": [*properties], "properties": properties, "additionalProperties": False}


def _schemas() -> dict[str, Document]:
    """Return the schemas of an event, of the objects in events, and of the query."""
    # Without names, nested schemas are written in place.
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: "")
    APISpec("", "", "3.1.0", plugins=[plugin])
    converter: Any = plugin.converter  # apispec leaves its methods untyped
    converter.map_to_openapi_type(Money, "string", "decimal")

    def described(schema: Schema) -> Document:
        return _with_all_required(converter.schema2jsonschema(schema))

    query = converter.schema2jsonschema(StreamRequestSchema())
    query["properties"] = {name: without_null(member) for name, member in query["properties"].items()}
    shapes = {_subject(name): described(DATA_SCHEMAS[name.partition(".")[0]]) for name in EVENT_TYPES}
    return {"Event": described(EventSchema()), **shapes, "StreamRequest": query}


def _subject(event_type: str) -> str:
    return event_type.partition(".")[0].title()


def _with_all_required(schema: Document) -> Document:
    if schema.get("type") != "object" or "properties" not in schema:
        return schema
    properties = {name: _with_all_required(member) for name, member in schema["properties"].items()}
    required = [name for name, member in properties.items() if "x-optional" not in member]
    return schema | {"properties": properties, "required": required}
