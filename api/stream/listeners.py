"""Listeners of an account: a message is left for each listener, and its sender never waits for delivery."""

import functools
import queue
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from wsproto.extensions import PerMessageDeflate
from wsproto.frame_protocol import FrameProtocol

from api.http.responses import encode
from models.rows import EventRow

from .outbox import MAX_WAITING_MESSAGES

TEXT, BINARY = 0x1, 0x2  # opcodes


class Ending(NamedTuple):
    """The end of a stream: a websocket close code and reason, and for the reference a sentence about the cause."""

    code: int
    reason: str
    when: str = ""


EXPIRED = Ending(
    4401,
    "the token is missing, bad, expired or revoked",
    "No valid token came within 5 s, or the stream's token has expired or was revoked.",
)
GONE = Ending(1008, "the account does not exist", "The database was restored from a backup older than the account.")
TOO_SLOW = Ending(4408, "too slow; resume with since", "The client reads more slowly than events come.")
RESTARTING = Ending(1012, "restarting; resume with since", "The server restarts.")


class Message:
    """An event, or a word about the stream, ready to be sent.

    A websocket's frame and an SSE block are made once for all listeners, and so is what another door makes of the
    event. `subject_id` is the id of the order, the position or the account that changed; a word about the stream has
    neither an event nor a subject.
    """

    def __init__(self, event_id: int, event_type: str, text: str, event: EventRow | None = None) -> None:
        self.event_id = event_id
        self.event_type = event_type
        self.text = text
        self.event = event
        self.subject_id: str | None = event and event["data"]["id"]
        self._written: dict[Callable[[EventRow], bytes], bytes] = {}

    def written(self, write: Callable[[EventRow], bytes]) -> bytes:
        """Return the event as this function writes it; a word about the stream is empty."""
        if self.event is None:
            return b""
        if write not in self._written:
            self._written[write] = write(self.event)
        return self._written[write]

    @functools.cached_property
    def frame(self) -> bytes:
        """The websocket frame."""
        return text_frame(self.text)

    @functools.cached_property
    def compressed_frame(self) -> bytes:
        """The websocket frame for listeners that agreed on compression."""
        return text_frame(self.text, is_compressed=True)

    @functools.cached_property
    def block(self) -> str:
        """The server-sent event."""
        return f"id: {self.event_id}\nevent: {self.event_type}\ndata: {self.text}\n\n"


def word(name: str, last_event_id: int, event_id: int | None = None) -> Message:
    """Return `ready` or `reset`; `event_id` is the event to resume from, the last one if left out."""
    text = encode({"type": name, "lastEventId": last_event_id})
    return Message(last_event_id if event_id is None else event_id, name, text)


def binary_frame(payload: bytes) -> bytes:
    """Return a server's websocket binary frame."""
    return _plain_frame(payload, BINARY)


def text_frame(text: str, *, is_compressed: bool = False) -> bytes:
    """Return a server's websocket text frame; a compressed one does not depend on the frames before it."""
    if not is_compressed:
        return _plain_frame(text.encode(), TEXT)
    deflate = PerMessageDeflate(server_no_context_takeover=True)
    deflate.finalize(deflate.name)
    return bytes(FrameProtocol(client=False, extensions=[deflate]).send_data(text, fin=True))


def _plain_frame(payload: bytes, opcode: int) -> bytes:
    """Return a whole frame without a mask (RFC 6455, section 5.2); the library takes five times as long."""
    size, first = len(payload), 0x80 | opcode
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def close_frame(ending: Ending) -> bytes:
    """Return a server's websocket close frame."""
    return bytes(FrameProtocol(client=False, extensions=[]).close(ending.code, ending.reason))


class Listener:
    """A receiver of an account's events; the hub sets and reads its fields under its lock."""

    def __init__(self, account_id: UUID | None, token_id: UUID | None) -> None:
        self.account_id = account_id
        self.token_id = token_id
        self.is_live = False
        self.last_event_id = 0

    def deliver(self, message: Message) -> None:
        """Leave a message to be sent; never waits."""
        raise NotImplementedError

    def close(self, ending: Ending) -> None:
        """End the stream soon; never waits."""
        raise NotImplementedError

    def tick(self) -> None:
        """Do the work that is due; called about once a second."""


class QueueListener(Listener):
    """A listener with a queue, for server-sent events and for requests that wait."""

    def __init__(self, account_id: UUID, token_id: UUID | None) -> None:
        super().__init__(account_id, token_id)
        self.queue: queue.Queue[Message | None] = queue.Queue(MAX_WAITING_MESSAGES)
        self.ending: Ending | None = None

    def deliver(self, message: Message) -> None:
        """Put the message into the queue; end the stream if the queue is full."""
        try:
            self.queue.put_nowait(message)
        except queue.Full:
            self.close(TOO_SLOW)

    def close(self, ending: Ending) -> None:
        """End the stream, and wake the thread that takes from the queue."""
        self.ending = ending
        try:
            self.queue.put_nowait(None)
        except queue.Full:  # the next take sees the ending
            pass

    def take(self, timeout_s: float) -> Message | None:
        """Return the next message, or None if none comes in time or the stream has ended."""
        try:
            return None if self.ending else self.queue.get(timeout=timeout_s)
        except queue.Empty:
            return None
