"""F33: bytes that no client should send. A 4xx or a closed connection, never a 5xx, in bounded memory.

What JSON bodies can hold, and slow senders under load, are in tests/faults/test_hostile_bodies.py too.
"""

import contextlib
import re
import socket
import time
import urllib.request

import psutil
import pytest

from tests.support import trading

HOST = b"Host: localhost\r\n"
LIVE = b"GET /health/live HTTP/1.1\r\n"
ORDER = b'{"exchange":"NSE","symbol":"SMUGGLED","side":"BUY","quantity":1,"orderType":"LIMIT","price":"1.00"}'
READ_AT_ONCE = 8_192
STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})")


def post(token, *headers, body=b""):
    """Return a placement with these header lines."""
    lines = [HOST, b"Authorization: Bearer %s\r\n" % token, b"Content-Type: application/json\r\n", *headers]
    return b"POST /api/trading/orders HTTP/1.1\r\n" + b"".join(lines) + b"\r\n" + body


def exchange(web, data, *, half_close=True, until=None):
    """Send bytes and return the answer, up to its end or up to the bytes given."""
    answer = b""
    with socket.create_connection(("127.0.0.1", web.port), timeout=30) as link:
        with contextlib.suppress(OSError):
            link.sendall(data)
            if half_close:
                link.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            while (until is None or until not in answer) and (chunk := link.recv(65_536)):
                answer += chunk
    return answer


def statuses(answer):
    """Return the statuses of the answers that came back."""
    return [int(status) for status in STATUS.findall(answer)]


def refusals(answer, data):
    """Return the statuses of the answers, of which there is one at least unless the request was too long to be read.

    Who closes before he has read all resets the connection, and the answer may be lost with it.
    """
    found = statuses(answer)
    assert found or len(data) > READ_AT_ONCE
    return found


def memory_mib(web):
    """Return the memory of the web command's processes."""
    return sum(process.memory_info().rss for process in [psutil.Process(web.pid), *web.children()]) / 2**20


def is_well(web):
    """Return True if the service answers a good request quickly."""
    started = time.monotonic()
    with urllib.request.urlopen(f"{web.base_url}/health/live", timeout=20) as answer:
        return answer.status == 200 and time.monotonic() - started < 8  # slow requests are ended after ten


ABSURD = {
    "an empty line": b"\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
    "binary": bytes(range(256)) * 16,
    "NUL bytes": b"\x00" * 33_000 + b"\r\n\r\n",
    "HTTP/2 without TLS": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n",
    "a method with a space": b"GE T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method of symbols": b"@@@@ / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no target": b"GET  HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target with a space": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target of 40,000 bytes": b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that is a NUL": b"GET /%00/\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that is no UTF-8": b"GET /%ff%fe/\xff HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that climbs": b"GET /static/../../config.py HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that climbs, encoded": b"GET /static/%2e%2e/%2e%2e/config.py HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that climbs, backwards": b"GET /static/..%5c..%5cconfig.py HTTP/1.1\r\n" + HOST + b"\r\n",
    "an id of NULs": b"GET /api/trading/orders/%00%00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a query that is no UTF-8": b"GET /api/market/stocks?prefix=%ff HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header without a colon": LIVE + HOST + b"nonsense\r\n\r\n",
    "a header without a name": LIVE + HOST + b": x\r\n\r\n",
    "a space before the colon": LIVE + HOST + b"X-A : x\r\n\r\n",
    "a space in a name": LIVE + HOST + b"X A: x\r\n\r\n",
    "a folded header": LIVE + HOST + b"X-A: x\r\n y\r\n\r\n",
    "a NUL in a header": LIVE + HOST + b"X-A: \x00\r\n\r\n",
    "a bare CR in a header": LIVE + HOST + b"X-A: a\rX-B: b\r\n\r\n",
    "a header of 100,000 bytes": LIVE + HOST + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
    "5,000 headers": LIVE + HOST + b"".join(b"X-%d: x\r\n" % number for number in range(5_000)) + b"\r\n",
    "an endless header": LIVE + HOST + b"X-A: " + b"a" * 3_000_000,
}
# To these nothing need be said.
UNANSWERED = {
    "nothing": b"",
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
}
# Harmless as they are: a server may answer these as if nothing were wrong.
MAY_BE_ANSWERED = {
    "two hosts": LIVE + HOST + b"Host: evil.example\r\n\r\n",
    "no host": LIVE + b"\r\n",
    "a host of symbols": LIVE + b"Host: a b<script>\r\n\r\n",
    "an absolute target without a path": b"GET http://evil.example HTTP/1.1\r\n" + HOST + b"\r\n",
    "an empty segment": b"GET /api/trading//orders HTTP/1.1\r\n" + HOST + b"\r\n",
    "two slashes": b"GET //other.example/health/live HTTP/1.1\r\n" + HOST + b"\r\n",
    "an absolute target": b"GET http://evil.example/health/live HTTP/1.1\r\n" + HOST + b"\r\n",
    "a latin-1 header": LIVE + HOST + b"X-Request-Id: \xe9\xff\r\n\r\n",
    "an injected request id": LIVE + HOST + b"X-Request-Id: a%0d%0aSet-Cookie: x\r\n\r\n",
    "line feeds only": b"GET /health/live HTTP/1.1\nHost: localhost\n\n",
    "an upgrade to h2c": LIVE
    + HOST
    + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n\r\n",
}


def test_absurd_requests_are_refused(web):
    before = memory_mib(web)
    for name, data in ABSURD.items():
        found = refusals(exchange(web, data), data)
        assert all(400 <= status < 500 for status in found), (name, found)
    for name, data in UNANSWERED.items():
        found = statuses(exchange(web, data))
        assert all(400 <= status < 500 for status in found), (name, found)
    for name, data in MAY_BE_ANSWERED.items():
        answer = exchange(web, data)
        assert all(status < 500 for status in refusals(answer, data)), (name, answer)
        assert b"\r\nlocation:" not in answer.lower(), name
        assert b"set-cookie" not in answer.lower().partition(b"\r\n\r\n")[0]
        assert b"evil" not in answer, name
    assert is_well(web)
    assert memory_mib(web) - before < 40
    assert "unexpected_error" not in web.log


BROKEN_CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative number": b"-2\r\n{}\r\n0\r\n\r\n",
    "a signed number": b"+2\r\n{}\r\n0\r\n\r\n",
    "a prefixed number": b"0x2\r\n{}\r\n0\r\n\r\n",
    "an enormous number": b"f" * 100 + b"\r\n{}\r\n0\r\n\r\n",
    "2**64": b"10000000000000002\r\n{}\r\n0\r\n\r\n",
    "a chunk that is too long": b"2\r\n{}{}\r\n0\r\n\r\n",
    "no line end behind a chunk": b"2\r\n{}0\r\n\r\n",
    "an end that does not come": b"2\r\n{}\r\n",
    "an end in mid chunk": b"ffff\r\n{",
    "nothing at all": b"",
    "an endless extension": b"2;" + b"a" * 200_000 + b"\r\n{}\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", BROKEN_CHUNKS)
def test_broken_chunks_are_no_server_error_and_place_nothing(web, account, name):
    token = account().token.encode()
    data = post(token, b"Transfer-Encoding: chunked\r\n", body=BROKEN_CHUNKS[name])
    found = refusals(exchange(web, data), data)
    assert all(400 <= status < 500 for status in found), found
    assert trading.one("SELECT count(*) FROM trading_order") == 0


def test_good_chunks_are_read(web, account):
    token = account().token.encode()
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (ORDER[:10], ORDER[10:])) + b"0\r\n\r\n"
    assert statuses(exchange(web, post(token, b"Transfer-Encoding: chunked\r\n", body=body))) == [202]


def smuggling(token):
    """Return requests that two servers might read as one or as two; the inner one places an order."""
    inner = post(token, b"Content-Length: %d\r\n" % len(ORDER), body=ORDER)
    ended = b"0\r\n\r\n" + inner
    length = b"Content-Length: %d\r\n" % len(ended)
    return {
        "a length and chunks": post(token, length, b"Transfer-Encoding: chunked\r\n", body=ended),
        "chunks and a length": post(token, b"Transfer-Encoding: chunked\r\n", b"Content-Length: 4\r\n", body=ended),
        "two lengths": post(token, b"Content-Length: 2\r\n", length, body=b"{}" + inner),
        "a list of lengths": post(token, b"Content-Length: 2, 2\r\n", body=b"{}" + inner),
        "a signed length": post(token, b"Content-Length: +2\r\n", body=b"{}" + inner),
        "a negative length": post(token, b"Content-Length: -2\r\n", body=b"{}" + inner),
        "a length with an underscore": post(
            token, b"Content_Length: 2\r\n", b"Content-Length: 1_0\r\n", body=b"{}" + inner
        ),
        "a length in hexadecimal": post(token, b"Content-Length: 0x2\r\n", body=b"{}" + inner),
        "chunks, misspelt": post(token, b"Transfer-Encoding: xchunked\r\n", length, body=ended),
        "chunks, spaced": post(token, b"Transfer-Encoding : chunked\r\n", length, body=ended),
        "chunks behind a tab": post(token, b"Transfer-Encoding:\tchunked\r\n", length, body=ended),
        "chunks behind a control": post(token, b"Transfer-Encoding: \x0bchunked\r\n", length, body=ended),
        "chunks twice": post(
            token, b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\n", length, body=ended
        ),
        "chunks and nothing": post(token, b"Transfer-Encoding: chunked, identity\r\n", length, body=ended),
        "chunks, folded": post(token, b"Transfer-Encoding:\r\n chunked\r\n", length, body=ended),
        "chunks in quotes": post(token, b'Transfer-Encoding: "chunked"\r\n', length, body=ended),
    }


def test_a_smuggled_request_is_not_carried_out(web, account):
    token = account().token.encode()
    for name, data in smuggling(token).items():
        found = refusals(exchange(web, data), data)
        # An unknown transfer coding is 501: RFC 9112, section 6.1.
        assert all(400 <= status < 500 or status == 501 for status in found), (name, found)
        assert len(found) <= 1, (name, found)
        assert trading.one("SELECT count(*) FROM trading_order") == 0, name
    assert is_well(web)


def test_a_length_that_lies_leaves_nothing(web, account):
    token = account().token.encode()
    for length in (len(ORDER) + 10, 10**19):
        data = post(token, b"Content-Length: %d\r\n" % length, body=ORDER)
        answer = exchange(web, data)
        assert all(400 <= status < 500 for status in refusals(answer, data)), answer
    assert trading.one("SELECT count(*) FROM trading_order") == 0


def test_pipelined_requests_are_answered_in_their_order(web, account):
    token = account().token.encode()
    good = post(token, b"Content-Length: %d\r\n" % len(ORDER), body=ORDER)
    bad = post(token, b"Content-Length: 2\r\n", body=b"{}")
    last = LIVE + HOST + b"Connection: close\r\n\r\n"
    answer = exchange(web, good + bad + LIVE + HOST + b"\r\n" + bad + last, half_close=False)
    assert statuses(answer) == [202, 422, 200, 422, 200]
    assert trading.one("SELECT count(*) FROM trading_order") == 1


def test_a_thousand_pipelined_requests_hold_nobody_up(web):
    answer = exchange(
        web, (LIVE + HOST + b"\r\n") * 1_000 + LIVE + HOST + b"Connection: close\r\n\r\n", half_close=False
    )
    assert set(statuses(answer)) == {200}
    assert is_well(web)


def test_huge_bodies_are_refused_before_they_are_read(web, account):
    token, before = account().token.encode(), memory_mib(web)
    announced = exchange(web, post(token, b"Content-Length: 10000000000\r\n"), half_close=False, until=b" 413 ")
    assert statuses(announced)[:1] == [413]
    patient = post(token, b"Content-Length: 10000000000\r\n", b"Expect: 100-continue\r\n")
    assert 413 in statuses(exchange(web, patient, half_close=False, until=b" 413 "))
    sent = exchange(web, post(token, b"Content-Length: 50000000\r\n", body=b" " * 50_000_000))
    endless = exchange(
        web, post(token, b"Transfer-Encoding: chunked\r\n", body=(b"10000\r\n" + b" " * 65_536 + b"\r\n") * 800)
    )
    # The connection may be reset while we still send: then there is no answer to be read.
    assert set(statuses(sent) + statuses(endless)) <= {413}
    assert is_well(web)
    assert memory_mib(web) - before < 40


def test_half_open_connections_hold_nobody_up(web, account):
    token, before, links = account().token.encode(), memory_mib(web), []
    beginnings = [b"", b"GET /health/li", LIVE + HOST, post(token, b"Content-Length: 1000\r\n", body=b"{")]
    try:
        for number in range(400):
            links.append(socket.create_connection(("127.0.0.1", web.port), timeout=30))
            links[-1].sendall(beginnings[number % len(beginnings)])
        for _ in range(5):
            for link in links[2::4]:
                link.sendall(b"X-Slow: 1\r\n")
            order = exchange(
                web, post(token, b"Content-Length: %d\r\n" % len(ORDER), b"Connection: close\r\n", body=ORDER)
            )
            assert statuses(order) == [202]
            assert is_well(web)
        assert memory_mib(web) - before < 60
    finally:
        for link in links:
            link.close()
    assert is_well(web)


def test_no_answer_names_the_server_software(web):
    for data in (b"hello\r\n\r\n", LIVE + HOST + b"Connection: close\r\n\r\n", LIVE + HOST + b"X A: x\r\n\r\n"):
        answer = exchange(web, data).lower()
        for name in (b"gunicorn", b"werkzeug", b"python", b"gevent", b"traceback"):
            assert name not in answer
