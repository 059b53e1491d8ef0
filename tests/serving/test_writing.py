"""The pieces in which a response is sent."""

import socket

import pytest
from gunicorn.config import Config
from gunicorn.http import wsgi

from serving.reading import Parser
from serving.worker import Worker
from serving.writing import MAX_JOINED, Response

LENGTH = [("Content-Length", "5")]


class Pieces:
    """A socket that takes what is sent to it, of the first piece only so many bytes."""

    def __init__(self, taken_first=None):
        self.pieces, self.taken_first = [], taken_first

    def send(self, data):
        taken, self.taken_first = self.taken_first or len(data), None
        self.pieces.append(data[:taken])
        return taken

    def sendall(self, data):
        self.pieces.append(bytes(data))


def answer(headers, *body, method="GET", sock=None):
    """Return the pieces of a response."""
    client, server = socket.socketpair()
    with client, server:
        client.sendall(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        request = next(Parser(Config(), server, ("127.0.0.1", 1)))
    pieces = sock or Pieces()
    response = Response(request, pieces, Config())
    response.start_response("200 OK", headers)
    for part in body:
        response.write(part)
    response.close()
    return pieces.pieces


def test_head_and_body_are_one_piece():
    (piece,) = answer(LENGTH, b"hello")
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
    assert piece.endswith(b"Content-Length: 5\r\n\r\nhello")


def test_the_next_parts_of_a_body_follow():
    first, second = answer(LENGTH, b"he", b"llo")
    assert first.endswith(b"\r\n\r\nhe")
    assert second == b"llo"


@pytest.mark.parametrize("body", [(), (b"",)])
def test_a_response_without_a_body_has_its_head(body):
    (piece,) = answer([("Content-Length", "0")], *body)
    assert piece.endswith(b"\r\n\r\n")


def test_the_answer_to_head_has_no_body():
    (piece,) = answer(LENGTH, b"hello", method="HEAD")
    assert piece.endswith(b"Content-Length: 5\r\n\r\n")


def test_a_body_of_unknown_length_is_chunked():
    head, *rest = answer([], b"hello", b"again")
    assert b"Transfer-Encoding: chunked\r\n" in head
    assert rest == [b"5\r\nhello\r\n", b"5\r\nagain\r\n", b"0\r\n\r\n"]


def test_a_long_body_is_not_joined():
    body = b"x" * (MAX_JOINED + 1)
    head, rest = answer([("Content-Length", str(len(body)))], body)
    assert head.endswith(b"\r\n\r\n")
    assert rest == body


def test_what_a_full_socket_leaves_is_sent_later():
    first, second = answer(LENGTH, b"hello", sock=Pieces(taken_first=10))
    assert len(first) == 10
    assert second.endswith(b"\r\n\r\nhello")


def test_the_worker_uses_it(monkeypatch):
    monkeypatch.setattr(wsgi, "Response", wsgi.Response)
    monkeypatch.setattr("gunicorn.http.RequestParser", Parser)
    monkeypatch.setattr("gunicorn.workers.ggevent.GeventWorker.init_process", lambda self: None)
    worker = object.__new__(Worker)
    worker.cfg = Config()
    Worker.init_process(worker)
    assert wsgi.Response is Response
