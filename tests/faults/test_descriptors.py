"""F38: descriptors at their limit. What there is no room for is refused in time, and operators always get in."""

import socket
from collections.abc import Iterator

import psutil
import pytest

from tests.faults.limited import TOO_MANY_FILES, LimitedWeb, raise_own_limit
from tests.faults.system import System
from tests.realtime.clients import RawStream, refusal
from tests.support.processes import wait_until

pytestmark = pytest.mark.faults

SILENT = 2_000


@pytest.fixture
def links() -> Iterator[list[socket.socket]]:
    """Return a list of connections that are closed at the end."""
    links: list[socket.socket] = []
    yield links
    for link in links:
        link.close()


def descriptors_of(web: LimitedWeb) -> int:
    """Return how many descriptors the one worker has open."""
    (worker,) = psutil.Process(web.running.pid).children()
    return worker.num_fds()


@pytest.mark.parametrize("limits", ["ulimit -Sn 1024", "ulimit -n 1024"])
def test_f38_two_thousand_connections_that_send_nothing_hold_nobody_up(
    system: System, links: list[socket.socket], limits: str
) -> None:
    raise_own_limit(SILENT + 500)
    web = LimitedWeb(system, limits)
    for number in range(SILENT):
        links.append(web.connect())
        if number % 500 == 499:
            assert web.works()
    if limits == "ulimit -n 1024":
        assert descriptors_of(web) < 1024
        wait_until(lambda: web.metric("tradepost_connections_ended_total", reason="silent") > SILENT - 1024)
        assert web.metric("tradepost_descriptors", state="allowed") == 1024
        assert web.metric("tradepost_connections", state="allowed") < 1024
    else:  # the hard limit allows them all
        assert descriptors_of(web) >= SILENT
        assert web.metric("tradepost_connections", state="allowed") >= SILENT
    assert web.works()
    assert TOO_MANY_FILES not in web.running.log
    wait_until(lambda: descriptors_of(web) < 200, timeout_s=40, what="silent connections are closed")


def test_f38_one_listener_too_many_is_told_so_and_the_others_go_on(system: System) -> None:
    web = LimitedWeb(system, "ulimit -n 512")
    allowed = int(web.metric("tradepost_listeners", state="allowed"))
    assert 100 < allowed < 300
    streams = [RawStream(web.port, web.token) for _ in range(allowed)]
    assert {stream.next()["type"] for stream in streams} == {"ready"}
    with RawStream(web.port, web.token) as refused:
        assert refused.status == 503
        assert b"Retry-After: 5\r\n" in refused.head
    assert refusal(web.port, web.token)[1]["code"] == "service_unavailable"
    assert web.works()
    assert {stream.next()["type"] for stream in streams} == {"account.updated"}  # of the order that was placed
    for stream in streams:
        stream.socket.close()
    wait_until(lambda: web.metric("tradepost_listeners", state="connected") < allowed)
    with RawStream(web.port, web.token) as taken:
        assert taken.next()["type"] == "ready"


def test_f38_with_every_connection_busy_operators_get_in_and_the_rest_is_refused(
    system: System, links: list[socket.socket]
) -> None:
    web = LimitedWeb(system, "ulimit -n 512")
    head = b"POST /api/trading/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n" % web.token.encode()
    unfinished = head + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    links.extend(web.connect(unfinished) for _ in range(int(web.metric("tradepost_connections", state="allowed"))))
    (refused,) = wait_until(lambda: [answer for answer in [web.place()] if answer.status_code == 503])
    assert refused.headers["Retry-After"] == "1"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.json()["code"] == "service_unavailable"
    of_kite = wait_until(lambda: [answer for answer in [web.get("/kite/orders")] if answer.status_code == 503])[0]
    assert of_kite.headers["Content-Type"] == "application/json"
    assert (of_kite.json()["status"], of_kite.json()["error_type"]) == ("error", "NetworkException")
    assert [web.get(path).status_code for path in ("/health/live", "/health/ready")] == [200, 200]
    wait_until(lambda: web.metric("tradepost_connections_ended_total", reason="refused") > 0)
    wait_until(web.works, timeout_s=40, what="an unfinished request is ended after ten seconds")
    assert TOO_MANY_FILES not in web.running.log


def test_f38_a_web_command_that_may_open_too_few_files_says_so_and_does_not_start(system: System) -> None:
    with pytest.raises(AssertionError, match=r"512 open files are needed, and only 200 are allowed"):
        LimitedWeb(system, "ulimit -n 200")


@pytest.mark.long
def test_f38_a_client_that_takes_nothing_of_its_answer_is_given_up(system: System, links: list[socket.socket]) -> None:
    web = LimitedWeb(system, "ulimit -n 512")
    at_rest = descriptors_of(web)
    for _ in range(50):
        link = socket.socket()
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        link.connect(("127.0.0.1", web.port))
        link.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        links.append(link)
    wait_until(lambda: descriptors_of(web) >= at_rest + 50)
    assert web.works()
    wait_until(lambda: descriptors_of(web) < at_rest + 25, timeout_s=90)
