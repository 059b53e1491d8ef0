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
from schemas.events import DATA_SCHEMAS, EVENT_TYPES, EventSchema, EventStreamSchema, StreamRequestSchema
from schemas.live_quotes import LiveQuoteSchema

from . import common, terms
from .examples import remove_hints
from .openapi import without_null
from .stream_messages import FROM_CLIENT, OF_QUOTES, message_of, subject_of

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

The websocket sends live quotes too. `watch` names stocks, up to 200 on one connection; so does `symbols` of the
address, as far as an address may hold them. Each `watch` and `unwatch` is answered with `watching`, and each stock that
a `watch` names is sent once as it is. Then a `quote` follows when the stock's quote has changed, at most four times a
second for each stock: of several quotes the newest is sent. A client that reads slowly gets fewer quotes and still the
newest ones; events do not wait for quotes. A `quote` has no `id`, and no quotes are replayed: watch again after each
reconnect. A message that cannot be read is answered with `problem`, and the stream goes on.

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
    to_websocket = [*events, *OF_QUOTES]
    messages = {name: message_of(name, schemas) for name in (*FROM_CLIENT, *to_websocket)}
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
            "stream": _websocket([*FROM_CLIENT, *to_websocket], schemas["StreamRequest"]),
            "serverSentEvents": _server_sent_events(events),
        },
        "operations": {
            "authenticate": _operation("receive", "stream", ["auth"]),
            "watchQuotes": _operation("receive", "stream", ["watch", "unwatch"]),
            "listen": _operation("send", "stream", to_websocket),
            "listenToServerSentEvents": _operation("send", "serverSentEvents", events)
            | {"bindings": {"http": {"method": "GET", "query": schemas["EventStream"], "bindingVersion": "0.3.0"}}},
        },
        "components": {
            "messages": messages,
            "schemas": {name: schemas[name] for name in sorted({subject_of(kind) for kind in EVENT_TYPES} | {"Quote"})},
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


def _schemas() -> dict[str, Document]:
    """Return the schemas of an event, of the objects in events, of a quote, and of the queries."""
    # Without names, nested schemas are written in place.
    plugin = MarshmallowPlugin(schema_name_resolver=lambda _: "")
    APISpec("", "", "3.1.0", plugins=[plugin])
    converter: Any = plugin.converter  # apispec leaves its methods untyped

    def described(schema: Schema) -> Document:
        return _with_all_required(converter.schema2jsonschema(schema))

    def query(schema: Schema) -> Document:
        found: Document = converter.schema2jsonschema(schema)
        return found | {"properties": {name: without_null(member) for name, member in found["properties"].items()}}

    shapes = {subject_of(name): described(DATA_SCHEMAS[name.partition(".")[0]]) for name in EVENT_TYPES}
    queries = {"EventStream": query(EventStreamSchema()), "StreamRequest": query(StreamRequestSchema())}
    schemas = {"Event": described(EventSchema()), **shapes, "Quote": described(LiveQuoteSchema()), **queries}
    common.describe_members(schemas.values())
    for schema in schemas.values():
        terms.explain(schema)
    return schemas


def _with_all_required(schema: Document) -> Document:
    if schema.get("type") != "object" or "properties" not in schema:
        return schema
    properties = {name: _with_all_required(member) for name, member in schema["properties"].items()}
    required = [name for name, member in properties.items() if "x-optional" not in member]
    return schema | {"properties": properties, "required": required}
