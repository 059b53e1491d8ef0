"""Writing responses to connections: a short response is sent in one piece."""

import functools
import time
from email.utils import formatdate
from typing import Any

from gunicorn import util
from gunicorn.http import wsgi

# A longer part of a body is not copied to join it to the head.
MAX_JOINED = 65_536


def http_date() -> str:
    """Return the present time for a header; it is put into words once a second."""
    return _date_of(int(time.time()))


@functools.lru_cache(maxsize=1)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


class Response(wsgi.Response):
    """gunicorn's response, whose head is sent together with the first part of its body.

    The stock response sends them one by one, and so wakes the client twice.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.headers_sent = False
        self._head = b""
        self._has_body_to_send = False

    def write(self, arg: Any) -> None:
        """Send the next part of the body, and the head before the first one."""
        self._has_body_to_send = True
        super().write(arg)
        self._send_head()  # the body may be left out, as in the answer to HEAD

    def send_headers(self) -> None:
        """Send the head, or keep it for the first part of the body."""
        if self.headers_sent:
            return
        lines = [*self.default_headers(), *(f"{name}: {value}\r\n" for name, value in self.headers), "\r\n"]
        self._head, self.headers_sent = "".join(lines).encode("latin-1"), True
        if not self._has_body_to_send:
            self._send_head()

    def _emit_body(self, data: bytes) -> None:
        if self.chunked or len(data) > MAX_JOINED:
            self._send_head()
            util.write(self.sock, data, self.chunked)
        else:
            head, self._head = self._head, b""
            self._send(head + data)

    def _send_head(self) -> None:
        head, self._head = self._head, b""
        if head:
            self._send(head)

    def _send(self, data: bytes) -> None:
        # gevent's sendall() asks the kernel for the size of its buffer first.
        if (sent := self.sock.send(data)) < len(data):
            self.sock.sendall(data[sent:])
