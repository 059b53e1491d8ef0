"""The one writer of a socket, with small buffers and with other sides that do not read."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from api.stream.outbox import MAX_WAITING_BYTES, MAX_WAITING_MESSAGES, Outbox, OutboxSocket
from tests.support.processes import wait_until

SMALL = 4096


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Return our side and the other side of a connection with little room in between."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def read(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = sock.recv(min(700, count - len(data)))
        if not more:
            break
        data += more
    return data


def is_at_its_end(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False


def writers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "outbox"}


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65_536), b""))


def test_data_that_the_socket_takes_is_written_at_once_without_a_thread(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    before = writers()
    assert outbox.push(b"hello")
    assert not outbox.is_behind
    assert writers() <= before
    assert read(theirs, 5) == b"hello"


def test_a_message_larger_than_the_socket_takes_arrives_whole(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    message = bytes(range(256)) * 3_000
    assert outbox.push(message)
    assert outbox.is_behind  # the push has not waited for the other side
    assert read(theirs, len(message)) == message
    wait_until(lambda: not outbox.is_behind)


def test_messages_of_many_writers_arrive_whole_and_in_each_writers_order(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)

    def write(writer: int) -> None:
        for number in range(100):
            assert outbox.push(f"{writer}:{number}:{'x' * (number * 3)}\n".encode())

    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    total = sum(len(f"{writer}:{number}:\n") + number * 3 for writer in range(8) for number in range(100))
    for writer in writers:
        writer.start()
    lines = read(theirs, total).decode().splitlines()
    for writer in writers:
        writer.join()
    assert len(lines) == 800
    seen = {writer: [int(line.split(":")[1]) for line in lines if line.startswith(f"{writer}:")] for writer in range(8)}
    assert seen == {writer: list(range(100)) for writer in range(8)}
    assert all(line.endswith("x" * (int(line.split(":")[1]) * 3)) for line in lines)


def test_too_many_messages_are_refused_and_the_waiting_ones_still_arrive(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    assert outbox.push(b"a" * 300_000)  # fills the socket
    taken = 0
    while outbox.push(b"b"):
        taken += 1
    assert taken == MAX_WAITING_MESSAGES - 1
    assert read(theirs, 300_000 + taken) == b"a" * 300_000 + b"b" * taken
    wait_until(lambda: not outbox.is_behind)
    assert outbox.push(b"again")
    assert read(theirs, 5) == b"again"


def test_too_many_bytes_are_refused(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    assert not outbox.push(b"x" * (MAX_WAITING_BYTES + 1))
    assert outbox.push(b"x" * MAX_WAITING_BYTES)
    assert outbox.is_behind
    assert not outbox.push(b"y" * (MAX_WAITING_BYTES // 2 + SMALL * 20))
    read(theirs, MAX_WAITING_BYTES)
    wait_until(lambda: not outbox.is_behind)
    assert outbox.push(b"y" * MAX_WAITING_BYTES)
    assert read(theirs, MAX_WAITING_BYTES) == b"y" * MAX_WAITING_BYTES


def test_the_last_message_follows_the_one_being_written_and_replaces_the_rest(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.push(b"a" * 300_000)
    for _ in range(10):
        outbox.push(b"dropped")
    outbox.push_last(b"goodbye")
    outbox.push_last(b"only once")
    assert outbox.push(b"never") is True  # dropped after the close, but the reader is not too slow
    assert read(theirs, 300_007) == b"a" * 300_000 + b"goodbye"
    wait_until(lambda: not outbox.is_behind)
    ours.shutdown(socket.SHUT_WR)
    assert read_all(theirs) == b""


def test_the_last_message_is_written_at_once_when_nothing_waits(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    Outbox(ours).push_last(b"goodbye")
    assert read(theirs, 7) == b"goodbye"


def test_a_socket_whose_reader_reads_nothing_is_closed(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stream.outbox.SEND_TIMEOUT_S", 0.3)
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.push(b"a" * 300_000)
    start = time.monotonic()
    wait_until(lambda: is_at_its_end(ours))  # its reader wakes
    assert time.monotonic() - start > 0.2
    assert not outbox.is_behind
    assert len(read_all(theirs)) < 300_000


def test_a_socket_whose_reader_is_slow_stays_open(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.stream.outbox.SEND_TIMEOUT_S", 3)
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.push(b"a" * 300_000)
    received, end = 0, time.monotonic() + 4
    while time.monotonic() < end:
        received += len(theirs.recv(4_000))
        time.sleep(0.1)  # a slow reader
    assert outbox.is_behind
    assert received + len(read(theirs, 300_000 - received)) == 300_000
    wait_until(lambda: not outbox.is_behind)


@pytest.mark.parametrize("closed", ["ours", "theirs"])
def test_writing_to_a_closed_socket_raises_nothing(pair: tuple[socket.socket, socket.socket], closed: str) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    (ours if closed == "ours" else theirs).close()
    assert outbox.push(b"a")
    assert outbox.push(b"b")
    outbox.push_last(b"c")
    outbox.abandon()
    assert not outbox.is_behind


def test_an_abandoned_outbox_writes_nothing(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.push(b"a" * 300_000)
    outbox.abandon()
    outbox.push(b"b")
    assert not outbox.is_behind
    assert b"b" not in read_all(theirs)
    outbox.abandon()


def test_the_librarys_own_frames_go_through_the_outbox(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    outbox = Outbox(ours)
    outbox.push(b"a" * 100_000)
    wrapped = OutboxSocket(ours, outbox)
    assert wrapped.send(b"pong") == 4
    assert wrapped.fileno() == ours.fileno()
    assert read(theirs, 100_004) == b"a" * 100_000 + b"pong"
