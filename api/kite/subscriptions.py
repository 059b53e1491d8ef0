"""The subscriptions of a ticker: its client's messages, their answers, and the packets of its stocks."""

import json
import math
import time
from collections.abc import Collection
from typing import Any

from api.http.responses import encode
from api.stream.outbox import Outbox
from api.stream.quote_feed import QuoteFeed
from api.stream.watchers import Watcher, Writer
from models.database import DatabaseUnavailable
from trading.market.instruments import LARGEST_TOKEN, keys_of

from .packets import MODES, frames, packet_writers

MAX_SUBSCRIBED = 3_000
# Reading the quotes of 500 stocks takes about 15 ms; other requests of the process are served between two such parts.
WATCHED_AT_ONCE = 500
# Clients name the mode of a subscription in a second message, and bots read the fields of that mode from the first tick
# on. The packets wait for it so long.
MODE_COMES_WITHIN_S = 0.1
# The mode of a subscription that names none.
USUAL_MODE = "quote"
NOT_UNDERSTOOD = "The message is not understood."
TOO_MANY_TOKENS = f"A connection may subscribe to {MAX_SUBSCRIBED:,} tokens at most."
UNAVAILABLE = "The database cannot be reached; try again."


class BadMessage(Exception):
    """A message that changes nothing; its text is the answer."""


class Instruments:
    """The instruments that tickers of this process have subscribed to, and the ways to write their quotes."""

    def __init__(self, feed: QuoteFeed) -> None:
        self.feed = feed
        self.keys: dict[int, str] = {}
        self._tokens: dict[str, int] = {}
        self.writers: dict[str, Writer] = packet_writers(self._tokens)

    def find(self, tokens: Collection[int]) -> list[str]:
        """Return the keys of instruments, as the database knows them now; raises DatabaseUnavailable."""
        found = keys_of(tokens)
        self.keys.update(found)
        self._tokens.update((key, token) for token, key in found.items())
        return list(found.values())


class TickWatcher(Watcher):
    """A watcher that writes quotes as packets, as many at once as there are."""

    __slots__ = ("_instruments", "_outbox", "_waits_until")

    def __init__(self, instruments: Instruments, outbox: Outbox) -> None:
        super().__init__()
        self._instruments = instruments
        self._outbox = outbox
        self._waits_until = 0.0  # by time.monotonic()

    @property
    def is_behind(self) -> bool:
        """True if the socket or the other side still has to take earlier data, or a mode may be on its way."""
        return self._outbox.is_behind or self._outbox.is_unacknowledged or time.monotonic() < self._waits_until

    def take(self, written: list[bytes]) -> None:
        """Write packets, in one write."""
        if packets := [packet for packet in written if packet]:
            self._outbox.push(b"".join(frames(packets)))

    def answer(self, text: str | bytes) -> str | None:
        """Do as a message says, and return the text of the answer, or None for a message that gets no answer."""
        try:
            self._do(text)
        except BadMessage as error:
            return error_text(str(error))
        except DatabaseUnavailable:
            return error_text(UNAVAILABLE)
        return None

    def leave(self) -> None:
        """Subscribe to nothing any longer."""
        self._instruments.feed.leave(self)

    def _do(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
            action, value = message["a"], message["v"]
        except (ValueError, TypeError, KeyError, RecursionError):
            raise BadMessage(NOT_UNDERSTOOD) from None
        if action == "subscribe":
            self._subscribe(_tokens(value), USUAL_MODE, anew=False)
        elif action == "unsubscribe":
            self._unsubscribe(_tokens(value))
        elif action == "mode":
            mode, tokens = value if isinstance(value, list) and len(value) == 2 else (None, None)
            if mode not in MODES:
                raise BadMessage("The mode must be full, quote or ltp.")
            self._subscribe(_tokens(tokens), mode, anew=True)
        else:
            raise BadMessage(NOT_UNDERSTOOD)

    def _subscribe(self, tokens: Collection[int], mode: str, *, anew: bool) -> None:
        """Subscribe to tokens; those of no stock send nothing. Unless anew, earlier subscriptions keep their mode."""
        here = self._instruments
        if len(tokens) > MAX_SUBSCRIBED:
            raise BadMessage(TOO_MANY_TOKENS)
        keys = here.find(tokens)
        if len({stock.key for stock in self.watched}.union(keys)) > MAX_SUBSCRIBED:
            raise BadMessage(TOO_MANY_TOKENS)
        self._waits_until = math.inf
        try:
            for first in range(0, len(keys), WATCHED_AT_ONCE):
                here.feed.watch(self, keys[first : first + WATCHED_AT_ONCE], here.writers[mode], anew=anew)
        finally:
            self._waits_until = time.monotonic() + MODE_COMES_WITHIN_S

    def _unsubscribe(self, tokens: Collection[int]) -> None:
        here = self._instruments
        here.feed.unwatch(self, [here.keys[token] for token in tokens if token in here.keys])


def error_text(text: str) -> str:
    """Return the message that Kite's clients pass to the handler of errors."""
    return encode({"type": "error", "data": text})


def _tokens(value: Any) -> set[int]:
    """Return the tokens of a list; the JavaScript client has them as texts. What can be no token is left out."""
    if not isinstance(value, list):
        raise BadMessage("The tokens must be a list.")
    return {token for one in value if (token := _token(one)) is not None}


def _token(value: Any) -> int | None:
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) <= 10 else None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 < value <= LARGEST_TOKEN else None
