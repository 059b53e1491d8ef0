"""The course of a stream over its connections: its last event, its stocks, and its end after a failure."""

import json
import logging
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)

from . import flows
from .failures import NoAnswer, StreamRefused, TradepostError, UnexpectedAnswer, problem_of
from .messages import message_of
from .options import Options
from .shapes.messages import Event, Message, Reset, Watching

PATH = "/api/trading/stream"
MAX_WATCHED = 200
LONGEST_PAUSE_S = 10.0
CLOSING_S = 2.0
FINAL_CLOSE_CODES = frozenset({1002, 1003, 1007, 1008, 1009})
# After these a new connection may help.
BREAKS = (OSError, EOFError, ConnectionClosed, InvalidHandshake)

logger = logging.getLogger("tradepost_client")


class Course:
    """The state of a stream that outlives its connections; it neither reads nor writes."""

    def __init__(
        self, options: Options, *, since: int | None, symbols: Iterable[str], give_up_after_s: float | None
    ) -> None:
        self.last_event_id = since
        self._options = options
        self._give_up_after_s = give_up_after_s
        self._watched = list(dict.fromkeys(symbols))
        self._shown: Watching | None = None
        self._was_connected = False
        self._failures = 0
        self._broken_at: float | None = None
        self._check_number()

    @property
    def address(self) -> str:
        """The address of the next connection, which continues after the last event."""
        query = {"since": self.last_event_id, "tradingAccountId": self._options.account_id}
        given = urlencode({name: value for name, value in query.items() if value is not None})
        url = self._options.url.replace("http", "ws", 1) + PATH
        return f"{url}?{given}" if given else url

    def for_websockets(self) -> dict[str, Any]:
        """Return the arguments of the library's `connect`."""
        is_secure = self._options.url.startswith("https")
        return {
            "additional_headers": self._options.headers,
            "proxy": None if self._options.is_local else True,
            "ssl": self._options.ssl_context if is_secure else None,
            "open_timeout": self._options.timeout_s,
            "close_timeout": CLOSING_S,
        }

    @property
    def greeting(self) -> str | None:
        """The message to send on a new connection: quotes are not replayed, so that each watches anew."""
        return _action("watch", self._watched) if self._watched else None

    def watch(self, symbols: Iterable[str]) -> str:
        """Watch these stocks too, and return the message that says so."""
        symbols = list(symbols)
        self._watched = list(dict.fromkeys([*self._watched, *symbols]))
        self._check_number()
        return _action("watch", symbols)

    def unwatch(self, symbols: Iterable[str]) -> str:
        """Watch these stocks no longer, and return the message that says so."""
        symbols = list(symbols)
        self._watched = [symbol for symbol in self._watched if symbol not in symbols]
        return _action("unwatch", symbols)

    def read(self, text: str | bytes) -> Message | None:
        """Return a message for the program, or None; raise a Problem that the service tells."""
        try:
            return self._read(text)
        except (KeyError, TypeError, ValueError, ArithmeticError) as error:
            raise UnexpectedAnswer(f"the message cannot be read: {error!r}") from error

    def _read(self, text: str | bytes) -> Message | None:
        document = json.loads(text)
        match document["type"]:
            case "ready":
                self._connected(document["lastEventId"])
                return None
            case "problem":
                raise problem_of(text) or UnexpectedAnswer(str(text))
        message = message_of(document)
        if isinstance(message, Event):
            self.last_event_id = message.id
        elif isinstance(message, Reset):
            self.last_event_id = message.last_event_id
        elif isinstance(message, Watching):
            message, self._shown = (None if message == self._shown else message), message
        return message

    def pause_after(self, error: Exception) -> float:
        """Return the seconds before the next connection; raise if there is no use in one, or patience is over."""
        final = _final_error(error)
        if final is not None:
            raise final from error
        now = time.monotonic()
        self._broken_at = self._broken_at or now
        pause_s = max(flows.pause_after(self._failures, LONGEST_PAUSE_S), _retry_after_s(error))
        patience_s = self._patience_s()
        if patience_s is not None and now + pause_s - self._broken_at > patience_s:
            message = f"no answer from {self._options.url}: {_reason(error)}"
            raise NoAnswer(message, may_have_happened=False) from error
        if self._was_connected and self._failures == 0:
            logger.warning("the stream is broken, reconnecting: %s", _reason(error))
        self._failures += 1
        return pause_s

    def _connected(self, last_event_id: int) -> None:
        if self.last_event_id is None:
            self.last_event_id = last_event_id
        self._was_connected, self._failures, self._broken_at = True, 0, None

    def _patience_s(self) -> float | None:
        if self._was_connected:
            return self._give_up_after_s
        return min(self._options.patience_s, flows.FIRST_PATIENCE_S)

    def _check_number(self) -> None:
        if len(self._watched) > MAX_WATCHED:
            raise ValueError(f"a stream watches up to {MAX_WATCHED} stocks, not {len(self._watched)}")


def _action(action: str, symbols: list[str]) -> str:
    return json.dumps({"action": action, "symbols": symbols})


def _final_error(error: Exception) -> TradepostError | None:
    """Return the exception for a failure that a new connection would not remove, or None for any other."""
    if isinstance(error, InvalidStatus):
        response = error.response
        if response.status_code in flows.TEMPORARY:
            return None
        problem = problem_of(
            bytes(response.body or b""), {name.lower(): value for name, value in response.headers.items()}
        )
        return problem or UnexpectedAnswer(f"the stream is refused with {response.status_code}")
    if isinstance(error, ConnectionClosed) and error.rcvd is not None:
        # 4401, the end of the token, is none of these: the next connection is refused with the whole problem.
        code, reason = error.rcvd.code, error.rcvd.reason
        return StreamRefused(code, reason) if code in FINAL_CLOSE_CODES else None
    is_cut = isinstance(error, InvalidMessage) and isinstance(error.__cause__, EOFError)
    if isinstance(error, (InvalidURI, InvalidHandshake)) and not is_cut and not isinstance(error, ProxyError):
        return UnexpectedAnswer(f"no stream is at this address: {_reason(error)}")
    return None


def _retry_after_s(error: Exception) -> float:
    if not isinstance(error, InvalidStatus):
        return 0.0
    return flows.seconds_of(error.response.headers.get("Retry-After", ""))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__
