"""The time limit of each request on a connection."""

import socket
import time

from gunicorn.config import Config

from serving.reading import REQUEST_S, Parser


def test_the_next_request_on_a_connection_has_its_own_time_limit() -> None:
    client, server = socket.socketpair()
    with client, server:
        parser = Parser(Config(), server, ("127.0.0.1", 1))
        client.sendall(b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n")
        assert next(parser).path == "/first"
        parser.unreader.deadline = time.monotonic() - REQUEST_S
        client.sendall(b"GET /second HTTP/1.1\r\nHost: x\r\n\r\n")
        assert next(parser).path == "/second"
        assert parser.unreader.deadline > time.monotonic()
