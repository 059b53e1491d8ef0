"""The websocket stream of an account's events and of live quotes: authentication, replay, then live."""

import json
import select
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from simple_websocket import ConnectionClosed, Server

from api.http.authentication import principal_of_secret
from api.http.errors import HttpRefusal
from api.http.token_cache import Principal
from models.database import DatabaseUnavailable
from runtime.logs import get_logger
from schemas.fields import MAX_IDENTIFIER
from trading.rules.errors import Refused

from .hub import Hub
from .listeners import EXPIRED, GONE, RESTARTING, TOO_SLOW, Ending, Listener, Message, close_frame, text_frame
from .outbox import Outbox, OutboxSocket, shut_down
from .quote_feed import QuoteFeed
from .replay import REPLAY_PAGE, replay
from .watching import SocketWatcher

MAX_MESSAGE_BYTES = 16_384  # a watch of 200 stocks with long symbols has 8,000
NO_TOKEN = Ending(
    4401,
    "the first message must be {action: auth, token, since?}",
    "The first message is not an `auth` with a token.",
)
BAD_SINCE = Ending(
    1008,
    "since must be the id of an event",
    "`since` in the first message is not an event id, or the account does not exist, as the reason says.",
)
FAILED = Ending(1011, "something went wrong here", "An unexpected failure of the server.")
UNAVAILABLE = Ending(1013, "try again later", "The database cannot be reached.")
# Sent by the websocket library.
TOO_LONG = Ending(1009, "", f"A message to the server is longer than {MAX_MESSAGE_BYTES} bytes.")
ENDINGS = (EXPIRED, NO_TOKEN, TOO_SLOW, RESTARTING, BAD_SINCE, GONE, TOO_LONG, FAILED, UNAVAILABLE)
AUTHENTICATION_S = 5.0
# The time that the other side has to answer a close.
CLOSING_S = 2.0
# By default the kernel would buffer megabytes for a listener that does not read.
SEND_BUFFER_BYTES = 128 * 1024
# How often a replay checks if a slow reader has caught up, and how long the reader may take.
REPLAY_PAUSE_S = 0.02
REPLAY_PATIENCE_S = 5.0

logger = get_logger(__name__)

AccountOf = Callable[[Principal], UUID]


class OwnThread:
    """Replaces the thread that the websocket library would start: the handler runs the loop itself.

    One thread (or greenlet) per listener takes half the memory of two.
    """

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = ""
        self.run = target

    def start(self) -> None:
        """Start nothing."""


class SocketSelector:
    """Waits for one socket without a descriptor of its own, under threads and gevent alike."""

    def register(self, sock: Any, *_: Any) -> None:
        """Remember the socket."""
        self._sock = sock

    def select(self, timeout_s: float) -> bool:
        """Return True if the socket becomes readable within timeout_s seconds."""
        poller = select.poll()
        poller.register(self._sock.fileno(), selectors.EVENT_READ)
        return bool(poller.poll(timeout_s * 1000))

    def close(self) -> None:
        """Close nothing."""


class MessageHook:
    """Replaces the event that the library sets when a message has come or the connection is closed."""

    def __init__(self) -> None:
        self.call: Callable[[], None] = lambda: None

    def set(self) -> None:
        """Call the function that waits for the event."""
        self.call()


SERVER_OPTIONS = {
    "ping_interval": 25,
    "max_message_size": MAX_MESSAGE_BYTES,
    "receive_bytes": 1024,
    "thread_class": OwnThread,
    "event_class": MessageHook,
    "selector_class": SocketSelector,
}


class StreamListener(Listener):
    """One websocket: its handler's thread reads, and any thread that has a message writes."""

    def __init__(
        self, hub: Hub, feed: QuoteFeed, websocket: Server, account_of: AccountOf, *, is_compressed: bool
    ) -> None:
        super().__init__(None, None)
        self._is_compressed = is_compressed
        self._hub = hub
        self._feed = feed
        self._watcher: SocketWatcher | None = None
        self._websocket = websocket
        self._account_of = account_of
        self._sock = websocket.sock
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._outbox = Outbox(self._sock)
        websocket.sock = OutboxSocket(self._sock, self._outbox)
        websocket.event.call = self._on_message
        self._since: int | None = None
        self._symbols: Sequence[str] = ()
        self._authenticate_until = time.monotonic() + AUTHENTICATION_S
        self._end_at: float | None = None

    def run(self, principal: Principal | None, since: int | None, symbols: Sequence[str] = ()) -> None:
        """Serve the socket until it ends; without a principal the first message must hold the token."""
        self._since, self._symbols = since, symbols
        self._hub.add(self)
        try:
            if principal is not None:
                self._open(principal, since)
            self._websocket.thread.run()
        except ConnectionClosed:
            pass
        except Exception:  # after the handshake no HTTP response may follow on this socket
            logger.exception("stream_failed")
            self.close(FAILED)
        finally:
            self._hub.remove(self)
            if self._watcher is not None:
                self._watcher.leave()

    def deliver(self, message: Message) -> None:
        """Write a message; end the stream if the listener is too slow."""
        self._write(message.compressed_frame if self._is_compressed else message.frame)

    def _write(self, frame: bytes) -> None:
        if not self._outbox.push(frame):
            self.close(TOO_SLOW)

    def close(self, ending: Ending) -> None:
        """Send a close frame after the message that is being written, and leave the other side CLOSING_S to answer."""
        if self._end_at is None:
            self._end_at = time.monotonic() + CLOSING_S
            self.is_live = False
            self._outbox.push_last(close_frame(ending))

    def tick(self) -> None:
        """Close the stream if its token is overdue, or the connection if the answer to the close is."""
        now = time.monotonic()
        if self.token_id is None and now > self._authenticate_until:
            self.close(EXPIRED)
        if self._end_at is not None and now > self._end_at and not self._outbox.is_behind:
            shut_down(self._sock)

    def _on_message(self) -> None:
        """Read the token from the first message, and answer all later messages."""
        messages, self._websocket.input_buffer = self._websocket.input_buffer, []
        for message in messages:
            if self._end_at is not None:
                return
            if self.token_id is None:
                self._authenticate(message)
            else:
                self._answer(self._watching().answer(message))

    def _watching(self) -> SocketWatcher:
        if self._watcher is None:
            self._watcher = SocketWatcher(self._feed, self._outbox, is_compressed=self._is_compressed)
        return self._watcher

    def _answer(self, text: str | None) -> None:
        if text is not None:
            self._write(text_frame(text, is_compressed=self._is_compressed))

    def _authenticate(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            if not isinstance(message, dict) or message.get("action") != "auth":
                raise ValueError
            token, since = message["token"], message.get("since")
        except (ValueError, KeyError, RecursionError):
            self.close(NO_TOKEN)
            return
        if since is None:  # left out or null: `since` of the address applies
            self._try_to_open(token, self._since)
        elif type(since) is int and 0 <= since <= MAX_IDENTIFIER:
            self._try_to_open(token, since)
        else:
            self.close(BAD_SINCE)

    def _try_to_open(self, token: Any, since: int | None) -> None:
        try:
            principal = principal_of_secret(token) if isinstance(token, str) else None
            if principal is None or principal.scopes.isdisjoint({"read", "admin"}):
                self.close(EXPIRED)
            else:
                self._open(principal, since)
        except DatabaseUnavailable:
            self.close(UNAVAILABLE)
        except (HttpRefusal, Refused) as refusal:
            self.close(Ending(1008, str(refusal)))

    def _open(self, principal: Principal, since: int | None) -> None:
        account_id = self._account_of(principal)
        self._hub.identify(self, account_id, principal.token_id)
        try:
            for number, message in enumerate(replay(self._hub, self, account_id, since), 1):
                self.deliver(message)
                if number % REPLAY_PAGE == 0:
                    self._let_the_reader_catch_up()
                if self._outbox.is_ended:
                    return
            if self._symbols:
                self._answer(self._watching().watch(self._symbols))
        except DatabaseUnavailable:
            self.close(UNAVAILABLE)

    def _let_the_reader_catch_up(self) -> None:
        end = time.monotonic() + REPLAY_PATIENCE_S
        while self._outbox.is_behind and not self._outbox.is_ended:
            if time.monotonic() > end:
                self.close(TOO_SLOW)
            time.sleep(REPLAY_PAUSE_S)
