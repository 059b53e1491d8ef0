"""The ticker: a websocket with binary packets of subscribed stocks, and the account's order updates as text."""

import threading
import time
from collections.abc import Set
from datetime import datetime
from typing import cast
from uuid import UUID

import flask
from flask import Flask, Response, current_app, request
from simple_websocket import Server
from wsproto.utilities import RemoteProtocolError

from api.http.facts import request_facts
from api.http.responses import encode
from api.http.token_cache import Principal
from api.http.token_use import token_uses
from api.realtime import EXTENSIONS, check_origin, refuse_when_full, sock
from api.realtime import hub as hub_here
from api.stream.hub import Hub
from api.stream.listeners import Message, binary_frame, text_frame
from api.stream.quote_feed import QuoteFeed
from api.stream.replay import replay
from api.stream.socket_listener import FAILED, UNAVAILABLE, SocketListener
from models.database import DatabaseUnavailable
from runtime import metrics
from runtime.logs import get_logger
from schemas.kite.words import INDIA

from .authentication import principal_for
from .envelope import TOO_MANY, KiteRefusal, failure
from .order_updates import update_frames
from .subscriptions import Instruments, TickWatcher

MAX_MESSAGE_BYTES = 65_536  # a subscription of 3,000 tokens has 33,000
RECEIVE_BYTES = 8_192
# Two of the three kinds of clients connect anew after 5 s without a message.
HEARTBEAT_S = 1.5
HEARTBEAT = binary_frame(b"\0")
# Other work of the process goes on after this many heartbeats.
LISTENERS_AT_ONCE = 100
# Kite's own limit on the tickers of one api_key.
STRICT_CONNECTIONS = 3

logger = get_logger(__name__)

blueprint = flask.Blueprint("kite_ticker", __name__, url_prefix="/kite")


class Tickers:
    """The tickers of a process: their instruments, and a thread that sends heartbeats while there are any."""

    def __init__(self, feed: QuoteFeed) -> None:
        self.instruments = Instruments(feed)
        self._lock = threading.Lock()
        self._listeners: set[TickerListener] = set()
        self._is_beating = False

    def add(self, listener: "TickerListener") -> None:
        """Add a ticker."""
        with self._lock:
            self._listeners.add(listener)
            self._count()
            begins, self._is_beating = not self._is_beating, True
        if begins:
            threading.Thread(target=self._beat, name="heartbeats", daemon=True).start()

    def remove(self, listener: "TickerListener") -> None:
        """Remove a ticker."""
        with self._lock:
            self._listeners.discard(listener)
            self._count()

    def of(self, account_id: UUID) -> int:
        """Return the number of an account's tickers."""
        with self._lock:
            return sum(listener.account_id == account_id for listener in self._listeners)

    def _count(self) -> None:
        metrics.of(metrics.LISTENERS, "tickers").set(len(self._listeners))

    def _beat(self) -> None:
        """Send heartbeats, with no question to the database: while it does not answer, the clients stay."""
        while True:
            for number, listener in enumerate(self._all(), 1):
                try:
                    listener.beat()
                except Exception:  # one bad socket may not silence all others
                    logger.exception("heartbeat_failed")
                if number % LISTENERS_AT_ONCE == 0:
                    time.sleep(0)
            time.sleep(HEARTBEAT_S)

    def _all(self) -> Set["TickerListener"]:
        with self._lock:
            return frozenset(self._listeners)


class TickerListener(SocketListener):
    """A websocket of Kite's ticker."""

    def __init__(self, hub: Hub, tickers: Tickers, websocket: Server, principal: Principal, since: int) -> None:
        super().__init__(hub, websocket)
        self._since = since
        self.account_id, self.token_id = principal.account_id, principal.token_id
        self._tickers = tickers
        self._watcher = TickWatcher(tickers.instruments, self._outbox)
        websocket.max_message_size, websocket.receive_bytes = MAX_MESSAGE_BYTES, RECEIVE_BYTES

    def run(self) -> None:
        """Serve the socket until it ends."""
        self._tickers.add(self)
        self.serve(self._go_live)

    def leave(self) -> None:
        """Forget the subscriptions."""
        self._tickers.remove(self)
        self._watcher.leave()

    def beat(self) -> None:
        """Send a heartbeat, unless data waits, which shows as well that the server is alive."""
        if not self._outbox.is_behind:
            self._outbox.push(HEARTBEAT)

    def deliver(self, message: Message) -> None:
        """Write the updates of an order; a failure may not keep the event from the listeners after this one."""
        try:
            updates = message.written(update_frames)
        except Exception:
            logger.exception("update_failed")
            self.close(FAILED)
            return
        if updates:
            self.write(updates)

    def take_message(self, message: str | bytes) -> None:
        """Do as a message of the client says."""
        answer = self._watcher.answer(message)
        if answer is not None:
            self.write(text_frame(answer))

    def _go_live(self) -> None:
        """Deliver the updates since the handshake, and those to come: the client may trade as soon as it is open."""
        assert self.account_id is not None
        try:
            for message in replay(self._hub, self, self.account_id, self._since):
                self.deliver(message)
            self.write(greeting())
        except DatabaseUnavailable:
            self.close(UNAVAILABLE)


def greeting() -> bytes:
    """Return the frame that Kite sends first; its own clients ignore it, and home-made ones wait for it."""
    return text_frame(encode({"type": "app_code", "timestamp": datetime.now(INDIA).isoformat(timespec="seconds")}))


def register(app: Flask) -> None:
    """Set up the tickers of the application."""
    app.extensions["tickers"] = Tickers(app.extensions["quotes"])


@blueprint.before_request
def check_before_the_upgrade() -> None:
    """Refuse with an HTTP response, before the connection becomes a websocket; the token is in the address."""
    check_origin(request.headers.get("Origin"))
    principal = principal_for(request.args.get("access_token"), "read")
    request_facts().principal = principal
    token_uses.after_response(principal.token_id)
    refuse_when_full()
    account_id = cast(UUID, principal.account_id)
    _refuse_a_fourth(account_id)
    request_facts().stream_since = hub_here().look_up(account_id).newest.id
    request.environ.pop(EXTENSIONS, None)  # packets gain little from compression, and it would keep 64 KB for each


@blueprint.errorhandler(RemoteProtocolError)
def refuse_handshake(_error: RemoteProtocolError) -> Response:
    """Refuse an upgrade that is not a valid websocket handshake."""
    return failure(400, "InputException", "The request is not a websocket handshake of version 13.")


@sock.route("/ticker", bp=blueprint)  # type: ignore[untyped-decorator]  # flask-sock has no types
def ticker(websocket: Server) -> None:
    """Stream the quotes of subscribed stocks, and the account's order updates, over a websocket."""
    facts, tickers = request_facts(), current_app.extensions["tickers"]
    principal, since = cast(Principal, facts.principal), cast(int, facts.stream_since)
    TickerListener(hub_here(), tickers, websocket, principal, since).run()


def _refuse_a_fourth(account_id: UUID) -> None:
    """Refuse a further ticker beyond Kite's own limit, if the settings ask for it; each process counts its own."""
    is_strict = current_app.config["SETTINGS"].kite_strict_rate_limits
    if is_strict and current_app.extensions["tickers"].of(account_id) >= STRICT_CONNECTIONS:
        raise KiteRefusal("NetworkException", TOO_MANY, 429)
