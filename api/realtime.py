"""Events of an account: as a page of JSON, as server-sent events, or over a websocket."""

import socket
from collections.abc import Iterator
from typing import Any, cast
from uuid import UUID

import flask
from flask import Flask, Response, current_app, g, request
from flask_sock import Sock
from simple_websocket import Server
from wsproto.utilities import RemoteProtocolError

from runtime import descriptors
from runtime.logs import get_logger
from schemas.events import EventListSchema, EventPageSchema, StreamRequestSchema
from trading.events.reading import page_since

from .http.authentication import Principal, account_named, account_of, authenticate, principal, requires
from .http.description import EVENT_STREAM, LAST_EVENT_ID, described
from .http.errors import HttpRefusal, problem
from .http.parsing import Blueprint, load, read_query
from .http.proxies import HOST_SENT, is_host_of
from .http.responses import answer
from .stream import hub_threads
from .stream.event_view import as_text, presented
from .stream.hub import Hub
from .stream.listeners import QueueListener
from .stream.replay import replay
from .stream.websocket import SERVER_OPTIONS, StreamListener

logger = get_logger(__name__)

blueprint = Blueprint("realtime", __name__, url_prefix="/api/trading", description="Events")
# Not a documented blueprint: OpenAPI has no websockets.
streams = flask.Blueprint("streams", __name__, url_prefix="/api/trading")
sock = Sock()

EVENT_PAGE, STREAM_REQUEST = EventPageSchema(), StreamRequestSchema()
READERS = frozenset({"read", "admin"})
EXTENSIONS = "HTTP_SEC_WEBSOCKET_EXTENSIONS"
# Proxies end what is silent for 55 s or so.
KEEP_ALIVE_S = 20.0
# A reader of server-sent events that takes nothing for this long is dropped by the kernel.
USER_TIMEOUT_MS = 10_000


def register(app: Flask) -> None:
    """Give the application its hub and its websocket."""
    app.extensions["hub"] = Hub(
        as_text, descriptors.for_listeners(app.config["SETTINGS"].database_pool_size), hub_threads.start
    )
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
    """List the events after `since`, oldest first; as text/event-stream, go on with those to come."""
    account_id = account_named(query["account_id"])
    if request.accept_mimetypes.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        page_since(account_id)  # a 404 can only be told before the stream begins
        return _event_stream(account_id, _resumed_from(query["since"]))
    since = query["since"]
    page = hub().look_up(account_id, since, query["limit"])
    last_event_id = page.events[-1]["id"] if page.events else page.newest.id
    reset = {} if since is None or page.keeps(since) else {"reset": True}
    events = [presented(event) for event in page.events]
    return answer(EVENT_PAGE, {"data": events, "last_event_id": last_event_id, **reset})


@streams.before_request
def check_before_the_upgrade() -> None:
    """Refuse in HTTP what can be refused before there is a websocket."""
    _check_origin(request.headers.get("Origin"))
    g.stream_query = load(STREAM_REQUEST, *read_query())
    if "Authorization" in request.headers:
        authenticate(READERS)
        page_since(account_named(g.stream_query["account_id"]))
    _refuse_when_full()
    g.stream_is_compressed = _agree_on_compression()


@streams.errorhandler(RemoteProtocolError)
def refuse_handshake(_error: RemoteProtocolError) -> Response:
    """Refuse what asks for an upgrade, but not as a websocket's handshake does."""
    detail = "This is not a websocket's handshake of version 13."
    return problem("bad_request", detail, headers={"Sec-WebSocket-Version": "13"})


@sock.route("/stream", bp=streams)
def stream(websocket: Server) -> None:
    """Stream the account's events."""
    query = g.stream_query

    def account_of_listener(speaker: Principal) -> UUID:
        return account_of(speaker, query["account_id"])

    listener = StreamListener(hub(), websocket, account_of_listener, is_compressed=g.stream_is_compressed)
    listener.run(g.get("principal"), query["since"])


def _refuse_when_full() -> None:
    """Refuse a listener for whom this process has no room."""
    if hub().is_full:
        raise HttpRefusal("service_unavailable", "There are too many listeners here.", headers={"Retry-After": "5"})


def _agree_on_compression() -> bool:
    """Leave the websocket library one offer that it takes as it stands, or none.

    Without context takeover (RFC 7692) a compressed frame is made once for all listeners, and none
    keeps a window of its own. A client that wants a smaller window gets its frames uncompressed.
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


def _check_origin(origin: str | None) -> None:
    """Refuse a browser that shows a page of somebody else's."""
    if origin is None or origin.lower() in current_app.config["SETTINGS"].allowed_origins:
        return
    hosts = (request.host, request.environ.get(HOST_SENT, ""))
    if not any(is_host_of(host, origin) for host in hosts):
        logger.warning("origin_refused", origin=origin[:100], host=request.host[:100])
        raise HttpRefusal("forbidden", "This origin may not open a stream.")


def _resumed_from(since: int | None) -> int | None:
    """Return the event to go on from; what a browser that reconnects says is newer than its URL."""
    last_event_id = request.headers.get("Last-Event-ID")
    if not last_event_id:
        return since
    return cast(int, load(STREAM_REQUEST, {"since": last_event_id}, {})["since"])


def _event_stream(account_id: UUID, since: int | None) -> Response:
    _refuse_when_full()
    connection = request.environ.get("gunicorn.socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT") and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
    blocks = _blocks(hub(), QueueListener(account_id, principal().token_id), account_id, since)
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
