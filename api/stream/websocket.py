"""The websocket stream of an account's events and of live quotes: authentication, replay, then live."""

import json
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from simple_websocket import Server

from api.http.authentication import principal_of_secret
from api.http.errors import HttpRefusal
from api.http.token_cache import Principal
from models.database import DatabaseUnavailable
from schemas.fields import MAX_IDENTIFIER
from trading.rules.errors import Refused

from .hub import Hub
from .listeners import EXPIRED, GONE, RESTARTING, TOO_SLOW, Ending, Message, text_frame
from .quote_feed import QuoteFeed
from .replay import REPLAY_PAGE, replay
from .socket_listener import FAILED, UNAVAILABLE, MessageHook, OwnThread, SocketListener, SocketSelector
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
# Sent by the websocket library.
TOO_LONG = Ending(1009, "", f"A message to the server is longer than {MAX_MESSAGE_BYTES} bytes.")
ENDINGS = (EXPIRED, NO_TOKEN, TOO_SLOW, RESTARTING, BAD_SINCE, GONE, TOO_LONG, FAILED, UNAVAILABLE)
AUTHENTICATION_S = 5.0
# How often a replay checks if a slow reader has caught up, and how long the reader may take.
REPLAY_PAUSE_S = 0.02
REPLAY_PATIENCE_S = 5.0

AccountOf = Callable[[Principal], UUID]


SERVER_OPTIONS = {
    "ping_interval": 25,
    "max_message_size": MAX_MESSAGE_BYTES,
    "receive_bytes": 1024,
    "thread_class": OwnThread,
    "event_class": MessageHook,
    "selector_class": SocketSelector,
}


class StreamListener(SocketListener):
    """A websocket of the first door."""

    def __init__(
        self, hub: Hub, feed: QuoteFeed, websocket: Server, account_of: AccountOf, *, is_compressed: bool
    ) -> None:
        super().__init__(hub, websocket)
        self._is_compressed = is_compressed
        self._feed = feed
        self._watcher: SocketWatcher | None = None
        self._account_of = account_of
        self._since: int | None = None
        self._symbols: Sequence[str] = ()
        self._authenticate_until = time.monotonic() + AUTHENTICATION_S

    def run(self, principal: Principal | None, since: int | None, symbols: Sequence[str] = ()) -> None:
        """Serve the socket until it ends; without a principal the first message must hold the token."""
        self._since, self._symbols = since, symbols

        def begin() -> None:
            if principal is not None:
                self._open(principal, since)

        self.serve(begin)

    def leave(self) -> None:
        """Watch nothing any longer."""
        if self._watcher is not None:
            self._watcher.leave()

    def deliver(self, message: Message) -> None:
        """Write a message; end the stream if the listener is too slow."""
        self.write(message.compressed_frame if self._is_compressed else message.frame)

    def tick(self) -> None:
        """Close the stream if its token is overdue, or the connection if the answer to the close is."""
        if self.token_id is None and time.monotonic() > self._authenticate_until:
            self.close(EXPIRED)
        super().tick()

    def take_message(self, message: str | bytes) -> None:
        """Read the token from the first message, and answer all later messages."""
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
            self.write(text_frame(text, is_compressed=self._is_compressed))

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
