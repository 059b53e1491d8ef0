"""The edges of the websocket protocol, frame by frame; after each test no listener is left."""

import contextlib
import json
import socket
import struct
from collections.abc import Callable

import pytest

from tests.conftest import TestAccount
from tests.realtime.clients import BINARY, CLOSE, PING, PONG, TEXT, RawStream, Stream
from tests.realtime.conftest import Database, Served
from tests.support.processes import wait_until

MakeAccount = Callable[..., TestAccount]
CONTINUATION = 0x0


@pytest.fixture
def raw(served: Served, account: MakeAccount) -> RawStream:
    """Return a stream that is ready."""
    stream = RawStream(served.port, account().token)
    assert stream.next()["type"] == "ready"
    return stream


@pytest.fixture(autouse=True)
def nothing_stays_behind(served: Served) -> object:
    """Check after every test that its listeners are gone."""
    yield
    served.wait_for_count(0)


def test_a_ping_is_answered_with_its_payload(raw: RawStream) -> None:
    raw.send(PING, b"are you there")
    assert raw.next_frame() == (PONG, b"are you there")
    raw.send(PING, b"")
    assert raw.next_frame() == (PONG, b"")
    raw.socket.close()


@pytest.mark.parametrize("code", [1000, 1001, 4000])
def test_a_close_is_echoed_and_ends_the_connection(raw: RawStream, code: int) -> None:
    raw.send(CLOSE, struct.pack(">H", code) + b"bye")
    found = raw.next_frame()
    assert found is not None
    assert (found[0], found[1][:2]) == (CLOSE, struct.pack(">H", code))
    assert raw.next_frame() is None


def test_a_close_without_a_code_is_answered(raw: RawStream) -> None:
    raw.send(CLOSE, b"")
    found = raw.next_frame()
    assert found is not None
    assert found[0] == CLOSE
    assert raw.next_frame() is None


@pytest.mark.parametrize("size", [16_385, 70_000, 1_000_000])
def test_an_oversized_message_closes_with_1009(raw: RawStream, size: int) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        raw.send(TEXT, b"x" * size)
    assert raw.close_code() == 1009


def test_an_oversized_message_in_fragments_closes_with_1009(raw: RawStream) -> None:
    raw.send(TEXT, b"x" * 1000, final=False)
    for _ in range(17):
        raw.send(CONTINUATION, b"x" * 1000, final=False)
    assert raw.close_code() == 1009


def test_a_frame_with_a_length_of_exabytes_closes_the_stream(raw: RawStream) -> None:
    raw.socket.sendall(bytes([0x80 | TEXT, 0x80 | 127]) + struct.pack(">Q", 2**62) + b"\0\0\0\0" + b"x" * 20_000)
    assert raw.close_code() in (1002, 1009)


def test_bad_utf_8_closes_with_1007(raw: RawStream) -> None:
    raw.send(TEXT, b"\xff\xfe")
    assert raw.close_code() == 1007


def test_utf_8_that_is_cut_off_closes_with_1007(raw: RawStream) -> None:
    raw.send(TEXT, "ü".encode()[:1])
    assert raw.close_code() == 1007


def test_an_unmasked_frame_closes_with_1002(raw: RawStream) -> None:
    raw.send(TEXT, b"hello", masked=False)
    assert raw.close_code() == 1002


@pytest.mark.parametrize(
    "data",
    [
        bytes([0x80 | 0x3, 0x80, 0, 0, 0, 0]),  # an opcode that does not exist
        bytes([0xF0 | TEXT, 0x80, 0, 0, 0, 0]),  # reserved bits
        bytes([PING, 0x80, 0, 0, 0, 0]),  # a ping in fragments
        bytes([0x80 | PING, 0x80 | 126, 0, 200, 0, 0, 0, 0]) + b"x" * 200,  # a ping that is too long
        bytes([0x80 | CONTINUATION, 0x80, 0, 0, 0, 0]),  # a continuation without a start
        bytes([0x80 | CLOSE, 0x81, 0, 0, 0, 0, 3]),  # half a close code
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_breach_of_the_protocol_closes_with_1002(raw: RawStream, data: bytes) -> None:
    raw.socket.sendall(data)
    assert raw.close_code() == 1002


def test_a_first_message_in_fragments_works_with_a_ping_in_between(served: Served, account: MakeAccount) -> None:
    text = json.dumps({"action": "auth", "token": account().token, "note": "ü€😀"}, ensure_ascii=False).encode()
    with RawStream(served.port) as stream:
        stream.send(TEXT, text[:10], final=False)
        stream.send(PING, b"1")
        assert stream.next_frame() == (PONG, b"1")
        for index in range(10, len(text)):  # cuts through the characters, too
            stream.send(CONTINUATION, text[index : index + 1], final=False)
        stream.send(CONTINUATION, b"")
        assert stream.next()["type"] == "ready"


def test_a_first_message_that_comes_byte_by_byte_works(served: Served, account: MakeAccount) -> None:
    with RawStream(served.port) as stream:
        stream.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        send_all, data = stream.socket.sendall, bytearray()
        stream.socket = Recorder(stream.socket, data)  # type: ignore[assignment]
        stream.authenticate(account().token)
        for byte in data:
            send_all(bytes([byte]))
        assert stream.next()["type"] == "ready"


class Recorder:
    """A socket that keeps sent data instead of sending it."""

    def __init__(self, sock: socket.socket, data: bytearray) -> None:
        self._sock, self._data = sock, data

    def sendall(self, data: bytes) -> None:
        self._data += data

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def test_a_binary_first_message_is_read_as_json(served: Served, account: MakeAccount) -> None:
    with RawStream(served.port) as stream:
        stream.send(BINARY, json.dumps({"action": "auth", "token": account().token}).encode())
        assert stream.next()["type"] == "ready"


def test_a_binary_first_message_without_json_closes_with_4401(served: Served, clean: None) -> None:
    with RawStream(served.port) as stream:
        stream.send(BINARY, b"\x00\xff\xfe\x80")
        assert stream.close_code() == 4401


def test_random_bytes_instead_of_a_first_message_close_the_stream(served: Served, clean: None) -> None:
    with RawStream(served.port) as stream:
        stream.socket.sendall(b"\x00" * 200)
        assert stream.close_code() == 1002


def test_a_client_that_ends_its_side_ends_the_stream(raw: RawStream) -> None:
    raw.socket.shutdown(socket.SHUT_WR)
    while raw.next_frame() is not None:
        pass


def test_a_client_that_ends_its_side_before_it_authenticates_ends_the_stream(served: Served, clean: None) -> None:
    with RawStream(served.port) as stream:
        stream.socket.shutdown(socket.SHUT_WR)
        assert stream.next_frame() is None


def test_a_client_that_breaks_off_leaves_no_listener(raw: RawStream) -> None:
    raw.reset()


def test_a_client_that_breaks_off_in_the_handshake_leaves_no_listener(served: Served, account: MakeAccount) -> None:
    for _ in range(10):
        RawStream(served.port, account().token, query="?since=0").reset()
        sock = socket.create_connection(("127.0.0.1", served.port))
        sock.sendall(b"GET /api/trading/stream HTTP/1.1\r\nUpgrade: websocket\r\n")
        sock.close()


@pytest.mark.parametrize("how", ["reset", "close", "never reads"])
def test_a_client_that_leaves_during_the_replay_leaves_no_listener(
    served: Served, account: MakeAccount, plain_sql: Database, how: str
) -> None:
    trader = account()
    plain_sql.change(trader.id, 4_000, "x" * 180)
    stream = RawStream(served.port, trader.token, query="?since=0", receive_buffer=4096)
    assert stream.next()["type"] == "ready"
    assert stream.next()["id"] == 1
    if how == "reset":
        stream.reset()
    elif how == "close":
        stream.send(CLOSE, struct.pack(">H", 1000))
        stream.socket.close()
    else:
        served.wait_for_count(0)
        stream.socket.close()


def test_a_stream_ends_even_if_its_close_is_not_answered(served: Served, clean: None) -> None:
    with RawStream(served.port) as stream:
        stream.send(TEXT, b"{}")
        found = stream.next_frame()
        assert found is not None
        assert found[0] == CLOSE
        wait_until(lambda: served.count() == 0)


def test_the_answers_to_endless_pings_of_a_deaf_client_are_bounded(
    served: Served, account: MakeAccount, plain_sql: Database
) -> None:
    trader = account()
    flood = RawStream(served.port, trader.token, receive_buffer=4096)
    flood.socket.setblocking(False)
    data = bytes([0x80 | PING, 0x80 | 125, 0, 0, 0, 0]) + b"x" * 125
    with Stream(served.port, trader.token) as other:
        other.ready()
        for _ in range(40_000):
            try:
                flood.socket.send(data)
            except (BlockingIOError, BrokenPipeError, ConnectionResetError):
                break
        plain_sql.change(trader.id)
        assert other.next(15)["id"] == 3
    flood.socket.close()
