"""Reading requests from connections within a time limit, and answering those that cannot be read."""

import contextlib
import json
import socket
import time
import uuid
import weakref
from typing import Any

import gevent
import gunicorn.util
from gunicorn.http.body import LengthReader
from gunicorn.http.parser import RequestParser
from gunicorn.http.unreader import SocketUnreader
from werkzeug.exceptions import RequestTimeout

from runtime.kite_paths import is_kites

# From a request's first byte to the last of its body: 64 KiB at 52 kbit/s, 512 KiB of quotes at 420 kbit/s.
REQUEST_S = 10.0


# The first bytes of a request's head say which door it is for.
HEAD_LENGTH = 128
heads: weakref.WeakKeyDictionary[Any, bytes] = weakref.WeakKeyDictionary()

ERROR_TYPES = {500: "GeneralException", 503: "NetworkException"}


def write_problem(sock: Any, status: int, reason: str, _message: str, code: str = "bad_request") -> None:
    """Answer an unreadable request in the form of its door, as the application does; gunicorn's own answer is HTML."""
    code = "internal_error" if status == 500 else code
    detail = "There are too many connections here." if status == 503 else "The request cannot be read."
    document: dict[str, Any]
    if is_for_kite(heads.get(sock, b"")):
        content_type, error_type = "application/json", ERROR_TYPES.get(status, "InputException")
        document = {"status": "error", "message": detail, "data": None, "error_type": error_type}
    else:
        content_type = "application/problem+json"
        document = {"type": f"urn:tradepost:problem:{code}", "title": reason, "status": status, "code": code}
        document |= {"detail": detail, "instance": "/"}
    _write(sock, f"{status} {reason}", content_type, json.dumps(document).encode())


def is_for_kite(head: bytes) -> bool:
    """Return True if the first bytes of a request show a path of Kite's clients."""
    words = head.split(b" ", 2)
    return len(words) > 1 and is_kites(words[1].decode("latin-1"))


def look_ahead(sock: Any) -> None:
    """Note the first bytes of a connection's request, if they have arrived, and leave them to be read."""
    with gevent.Timeout(0.0, False), contextlib.suppress(OSError, ValueError):  # TLS has no such look
        heads[sock] = sock.recv(HEAD_LENGTH, socket.MSG_PEEK)


def _write(sock: Any, status: str, content_type: str, body: bytes) -> None:
    headers = {
        "Connection": "close",
        "Content-Type": content_type,
        "Content-Length": len(body),
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": uuid.uuid4().hex,
    }
    if status.startswith("503"):
        headers["Retry-After"] = 1
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    gunicorn.util.write_nonblock(sock, "\r\n".join(lines).encode() + body)


class Reader(SocketUnreader):
    """The bytes of a connection, with a time limit for each request."""

    def __init__(self, parser: "Parser", sock: Any) -> None:
        super().__init__(sock)
        self.parser = parser
        self.deadline: float | None = None

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes; raise RequestTimeout if the request's time is over."""
        data: bytes
        if self.deadline is None:  # Wait bounds the time to a request's first bytes
            data = super().chunk(size_hint)
            self.deadline = time.monotonic() + REQUEST_S
            heads[self.sock] = data[:HEAD_LENGTH]
            return data
        try:
            with gevent.Timeout(max(0.0, self.deadline - time.monotonic()), RequestTimeout):
                data = super().chunk(size_hint)
        except RequestTimeout:
            if self.parser.mesg is not None:
                self.parser.mesg.force_close()
            raise
        return data


class Parser(RequestParser):
    """gunicorn's parser of requests, over a Reader."""

    def __init__(self, cfg: Any, source: Any, source_addr: Any) -> None:
        super().__init__(cfg, source, source_addr)
        self.unreader = Reader(self, source)

    def finish_body(self, *args: Any, **options: Any) -> bool:
        """Drop the rest of the last request's body, and start a new time limit for the next one."""
        reader = getattr(getattr(self.mesg, "body", None), "reader", None)
        is_read = isinstance(reader, LengthReader) and not reader.length
        is_finished: bool = is_read or super().finish_body(*args, **options)
        self.unreader.deadline = None
        return is_finished


class Wait(gevent.Timeout):
    """A connection's wait for the head of its next request, which can be ended early; `others` holds all such waits."""

    def __init__(self, seconds: float, others: "dict[Wait, None]") -> None:
        super().__init__(seconds, False)
        self.others = others
        self.greenlet = gevent.getcurrent()

    def __enter__(self) -> "Wait":
        self.others[self] = None
        super().__enter__()
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> Any:
        self.others.pop(self, None)
        # A request whose headers do not arrive gets no answer: the connection is closed.
        return super().__exit__(kind, error, trace) or isinstance(error, RequestTimeout)

    def end(self) -> None:
        """End the wait in the next turn of the loop, and with it the connection, unless the request arrives first."""
        self.others.pop(self, None)
        self.timer.close()
        self.timer: Any = gevent.get_hub().loop.timer(0.0)
        self.timer.start(self._on_expiration, self.greenlet, self)


def end_all(waits: dict[Wait, None]) -> None:
    """End all of these waits."""
    for wait in list(waits):
        wait.end()
