"""The watching of stocks over a websocket: the listener's messages, their answers, and the quotes as frames."""

import json
from collections.abc import Sequence
from typing import cast

from marshmallow import ValidationError

from api.http.responses import encode
from models.database import DatabaseUnavailable
from schemas.live_quotes import MAX_WATCHED, LiveQuoteSchema, WatchSchema
from trading.market.live_quotes import LiveQuote

from .listeners import text_frame
from .outbox import Outbox
from .quote_feed import QuoteFeed
from .watchers import Watcher

WATCH = WatchSchema()
# The members of a quote, with their places in a LiveQuote, whose values are texts and numbers of JSON already.
MEMBERS = [(key, LiveQuote._fields.index(name)) for name, key, _ in LiveQuoteSchema().renderers]


def as_text(quote: LiveQuote) -> str:
    """Return a quote as the JSON text that listeners get."""
    return encode({"type": "quote", "data": {key: quote[place] for key, place in MEMBERS}})


def as_frame(quote: LiveQuote) -> bytes:
    """Return a quote as a websocket frame."""
    return text_frame(as_text(quote))


def as_compressed_frame(quote: LiveQuote) -> bytes:
    """Return a quote as a frame for listeners that agreed on compression."""
    return text_frame(as_text(quote), is_compressed=True)


class SocketWatcher(Watcher):
    """A watcher that writes quotes as frames, as many at once as there are."""

    __slots__ = ("_feed", "_outbox", "_write")

    def __init__(self, feed: QuoteFeed, outbox: Outbox, *, is_compressed: bool) -> None:
        super().__init__()
        self._feed = feed
        self._outbox = outbox
        self._write = as_compressed_frame if is_compressed else as_frame

    @property
    def is_behind(self) -> bool:
        """True if the socket or the other side still has to take earlier data."""
        return self._outbox.is_behind or self._outbox.is_unacknowledged

    def take(self, written: list[bytes]) -> None:
        """Write quotes, in one write."""
        self._outbox.push(b"".join(written))

    def answer(self, text: str | bytes) -> str | None:
        """Do as a message says, and return the text of the answer, or None for a message that gets no answer."""
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return problem("malformed_json", "The message is not valid JSON.")
        action = message.get("action") if isinstance(message, dict) else None
        if action == "auth":  # the token is known already
            return None
        if action not in ("watch", "unwatch"):
            return problem("bad_request", "The action of a message must be watch or unwatch.")
        try:
            keys = WATCH.load(message)["symbols"]
        except ValidationError as error:
            return problem("validation_failed", _detail(error))
        if action == "watch":
            return self.watch(keys)
        self._feed.unwatch(self, keys)
        return self._watching([])

    def watch(self, keys: Sequence[str]) -> str:
        """Watch these stocks too; return the answer's text."""
        number = len({stock.key for stock in self.watched}.union(keys))
        if number > MAX_WATCHED:
            detail = f"A connection may watch {MAX_WATCHED} stocks; these would be {number}."
            return problem("validation_failed", detail)
        try:
            return self._watching(self._feed.watch(self, keys, self._write))
        except DatabaseUnavailable:
            return problem("service_unavailable", "The database cannot be reached; try again.")

    def leave(self) -> None:
        """Watch nothing any longer."""
        self._feed.leave(self)

    def _watching(self, unknown: list[str]) -> str:
        keys = sorted(stock.key for stock in self.watched)
        return encode({"type": "watching", "symbols": keys, "unknown": unknown})


def problem(code: str, detail: str) -> str:
    """Return the text of a problem."""
    return encode({"type": "problem", "code": code, "detail": detail})


def _detail(error: ValidationError) -> str:
    messages = cast(dict[str, list[str]], error.messages)
    return " ".join(f"{name}: {' '.join(map(str, reasons))}" for name, reasons in messages.items())
