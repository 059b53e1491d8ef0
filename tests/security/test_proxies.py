"""What headers may not change: the path, and whether a request is answered at all."""

import contextlib
import http.client
import json
import socket

import pytest


def ask(web, path, headers=(), host="127.0.0.1"):
    """Send a request with header lines as they stand, and return the status and the JSON document."""
    link = http.client.HTTPConnection(host, web.port, timeout=20)
    link.putrequest("GET", path)
    for name, value in headers:
        link.putheader(name, value)
    link.endheaders()
    answer = link.getresponse()
    with contextlib.closing(link):
        return answer.status, json.loads(answer.read())


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "PATH_INFO", "Script_Name", "SCRIPT-NAME", "PATH-INFO"])
def test_no_header_of_a_proxy_changes_the_path(web, name):
    for value in ("/health", "/elsewhere", "/health/live", "x"):
        assert ask(web, "/health/live", [(name, value)]) == (200, {"status": "ok"}), value
        status, problem = ask(web, f"{value.rstrip('/') if value != 'x' else '/x'}/health/live", [(name, value)])
        assert (status, problem["code"]) == (404, "not_found"), value


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Forwarded-Proto", "http"), ("X-Forwarded-Ssl", "on")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Protocol", "http")],
        [("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")],
        [("X-Forwarded-Proto", "gopher"), ("X-Forwarded-Port", "http"), ("X-Forwarded-Host", "a b")],
        [("X-Forwarded-Host", "["), ("X-Forwarded-Port", "99999999999")],
    ],
)
def test_headers_of_proxies_that_contradict_each_other_are_no_reason_to_refuse(web, headers):
    assert ask(web, "/health/live", headers) == (200, {"status": "ok"})


def test_one_port_serves_both_kinds_of_addresses(web):
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    for host in ("127.0.0.1", "::1"):
        assert ask(web, "/health/live", host=host) == (200, {"status": "ok"})


def test_an_idle_connection_is_kept_as_long_as_the_setting_says(start, web):
    short = start.web(KEEP_ALIVE_S="5")
    links = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=60) for server in (web, short)]
    for link in links:
        link.request("GET", "/health/live")
        assert link.getresponse().read() == b'{"status":"ok"}'
    assert links[1].sock.recv(1) == b""  # closed by the other side, after five seconds
    links[0].request("GET", "/health/live")  # the default is longer
    assert links[0].getresponse().read() == b'{"status":"ok"}'
    for link in links:
        link.close()
