"""Events of an account: as JSON pages, as server-sent events, or over a websocket."""

import socket
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import flask
from flask import Flask, Response, current_app, request
from flask_sock import Sock
from simple_websocket import Server
from wsproto.utilities import RemoteProtocolError

from runtime import descriptors
from runtime.logs import get_logger
from schemas.events import EventListSchema, EventPageSchema, EventStreamSchema, StreamRequestSchema
from trading.events.reading import page_since

from .http.authentication import (
    account_id_for,
    authenticate,
    current_principal,
    requested_account_id,
    requires,
)
from .http.description import EVENT_STREAM, LAST_EVENT_ID, described
from .http.errors import HttpRefusal, problem
from .http.facts import request_facts
from .http.parsing import Blueprint, load, read_query
from .http.proxies import HOST_SENT, is_host_of
from .http.responses import respond
from .http.token_cache import Principal
from .stream import hub_threads, quote_threads
from .stream.event_view import as_text, presented
from .stream.hub import Hub
from .stream.listeners import QueueListener
from .stream.quote_feed import QuoteFeed
from .stream.replay import replay
from .stream.websocket import SERVER_OPTIONS, StreamListener

logger = get_logger(__name__)

blueprint = Blueprint("realtime", __name__, url_prefix="/api/trading", description="List of events")
# A blueprint of Flask, without a description: OpenAPI has no websockets.
streams = flask.Blueprint("streams", __name__, url_prefix="/api/trading")
sock = Sock()

EVENT_PAGE, EVENT_STREAM_REQUEST, STREAM_REQUEST = EventPageSchema(), EventStreamSchema(), StreamRequestSchema()
READERS = frozenset({"read", "admin"})
EXTENSIONS = "HTTP_SEC_WEBSOCKET_EXTENSIONS"
# Proxies end connections that are silent for about 55 s.
KEEP_ALIVE_S = 20.0
# The kernel drops a reader of server-sent events that acknowledges nothing for this long.
USER_TIMEOUT_MS = 10_000


def register(app: Flask) -> None:
    """Set up the application's hub, its feed of quotes and its websocket."""
    app.extensions["hub"] = Hub(
        as_text, descriptors.for_listeners(app.config["SETTINGS"].database_connections), hub_threads.start
    )
    app.extensions["quotes"] = QuoteFeed(quote_threads.start)
    app.config["SOCK_SERVER_OPTIONS"] = SERVER_OPTIONS
    app.register_blueprint(streams)


def hub() -> Hub:
    """Return the hub of this process."""
    return cast(Hub, current_app.extensions["hub"])


@blueprint.get("/events")
@requires("read", "admin")
@blueprint.arguments(EventListSchema(), location="query")
@blueprint.response(200, EVENT_PAGE)
@described(headers=(LAST_EVENT_ID,), responses={200: {"content": EVENT_STREAM}})
def list_events(query: dict[str, Any]) -> Response:
    """List the events after `since`, oldest first; as text/event-stream, new events follow.

    Without `since` the list begins with the oldest event that is kept, and the stream with new events. Send
    `lastEventId` as `since` for the next page. Events are kept for 7 days: `reset` says that those after `since` cannot
    be sent, so read the state again and go on after `lastEventId`.
    """
    account_id = requested_account_id(query["account_id"])
    if request.accept_mimetypes.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        page_since(account_id)  # a 404 is only possible before the stream begins
        return _event_stream(account_id, _resumed_from(query["since"]))
    return respond(EVENT_PAGE, _event_page(account_id, query["since"], query["limit"]))


def _event_page(account_id: UUID, since: int | None, limit: int) -> dict[str, Any]:
    page = hub().look_up(account_id, since, limit)
    last_event_id = page.events[-1]["id"] if page.events else page.newest.id
    reset = {} if since is None or page.keeps(since) else {"reset": True}
    return {"data": [presented(event) for event in page.events], "last_event_id": last_event_id, **reset}


@streams.before_request
def check_before_the_upgrade() -> None:
    """Refuse bad requests with an HTTP response, before the connection becomes a websocket."""
    check_origin(request.headers.get("Origin"))
    query, facts = load(STREAM_REQUEST, *read_query()), request_facts()
    facts.stream_account_id, facts.stream_since = query["account_id"], query["since"]
    facts.stream_symbols = query["symbols"]
    if "Authorization" in request.headers:
        authenticate(READERS)
        page_since(account_id_for(current_principal(), facts.stream_account_id))
    refuse_when_full()
    facts.stream_is_compressed = _agree_on_compression()


@streams.errorhandler(RemoteProtocolError)
def refuse_handshake(_error: RemoteProtocolError) -> Response:
    """Refuse an upgrade that is not a valid websocket handshake."""
    detail = "The request is not a websocket handshake of version 13."
    return problem("bad_request", detail, headers={"Sec-WebSocket-Version": "13"})


@sock.route("/stream", bp=streams)  # type: ignore[untyped-decorator]  # flask-sock has no types
def stream(websocket: Server) -> None:
    """Stream an account's events, and the quotes of watched stocks, over a websocket."""
    facts, feed = request_facts(), current_app.extensions["quotes"]

    def account_of_listener(principal: Principal) -> UUID:
        return account_id_for(principal, facts.stream_account_id)

    listener = StreamListener(hub(), feed, websocket, account_of_listener, is_compressed=facts.stream_is_compressed)
    listener.run(facts.principal, facts.stream_since, facts.stream_symbols)


def refuse_when_full() -> None:
    """Refuse a listener if this process has no room for it."""
    if hub().is_full:
        raise HttpRefusal(
            "service_unavailable", "The server has too many listeners; try again.", headers={"Retry-After": "5"}
        )


def _agree_on_compression() -> bool:
    """Return True if frames will be compressed; rewrite the client's offers so that the library accepts just that.

    Without context takeover (RFC 7692) one compressed frame serves all listeners, and no listener
    keeps a window of its own. A client that asks for a smaller window gets its frames uncompressed.
    """
    offers = request.environ.pop(EXTENSIONS, "").split(",")
    if not current_app.config["SETTINGS"].stream_compression:
        return False
    for offer in offers:
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name == "permessage-deflate" and not any(one.startswith("server_max_window") for one in parameters):
            request.environ[EXTENSIONS] = f"{name}; server_no_context_takeover; client_no_context_takeover"
            return True
    return False


def check_origin(origin: str | None) -> None:
    """Refuse a browser whose page has a foreign origin."""
    if origin is None or origin.lower() in current_app.config["SETTINGS"].allowed_origins:
        return
    hosts = (request.host, request.environ.get(HOST_SENT, ""))
    if not any(is_host_of(host, origin) for host in hosts):
        logger.warning("origin_refused", origin=origin[:100], host=request.host[:100])
        raise HttpRefusal("forbidden", "Pages of this origin may not open a stream.")


def _resumed_from(since: int | None) -> int | None:
    """Return the id to resume from; the header of a browser that reconnects is newer than its URL."""
    last_event_id = request.headers.get("Last-Event-ID")
    if not last_event_id:
        return since
    return cast(int, load(EVENT_STREAM_REQUEST, {"since": last_event_id}, {})["since"])


def _event_stream(account_id: UUID, since: int | None) -> Response:
    refuse_when_full()
    connection = request.environ.get("gunicorn.socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT") and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    blocks = _blocks(hub(), QueueListener(account_id, current_principal().token_id), account_id, since)
    return Response(blocks, content_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _blocks(here: Hub, listener: QueueListener, account_id: UUID, since: int | None) -> Iterator[str]:
    here.add(listener)
    try:
        for message in replay(here, listener, account_id, since):
            yield message.block
        while True:
            event = listener.take(KEEP_ALIVE_S)
            if event is not None:
                yield event.block
            elif listener.ending is not None:
                return
            else:
                yield ": still here\n\n"
    finally:
        here.remove(listener)
