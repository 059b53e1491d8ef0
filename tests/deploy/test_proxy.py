"""Behind a real nginx the desk's own page opens its stream, however the host is passed on, and others do not."""

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import TestAccount
from tests.realtime.clients import Stream, refusal
from tests.support.kite import VERSION
from tests.support.processes import ROOT, ProcessStarter, Running, command_environment, free_port, wait_until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
AROUND = """
daemon off;
{user}
pid {folder}/pid;
events {{ worker_connections 100; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {servers}
}}
"""
HOST_HEADERS = "proxy_set_header Host $http_host;\n        proxy_set_header X-Forwarded-Host $http_host;"
PORT_HEADER = "proxy_set_header X-Forwarded-Port $server_port;"
# How the browser's host reaches the service; nginx's default Host is the upstream's name.
WAYS = {
    "as documented": HOST_HEADERS,
    "the default Host": "proxy_set_header X-Forwarded-Host $http_host;",
    "the default Host, in parts": f"proxy_set_header X-Forwarded-Host $host; {PORT_HEADER}",
    "$host and its port": f"proxy_set_header Host $host; {PORT_HEADER}",
    "both in one": "proxy_set_header Host $host:$server_port;",
}

pytestmark = pytest.mark.skipif(NGINX is None, reason="there is no nginx")
MakeAccount = Callable[..., TestAccount]
StartNginx = Callable[[Running, str], Running]


def documented(*, port: int, upstream_port: int) -> str:
    """Return the configuration that the page shows, without TLS, for these ports."""
    (block,) = re.findall(r"```nginx\n(.+?)```", (ROOT / "docs/deploy/proxy.md").read_text(), flags=re.DOTALL)
    block = re.sub(r" *ssl_certificate.*\n", "", block)
    for old, new in (("listen 443 ssl", f"listen 127.0.0.1:{port}"), ("127.0.0.1:8000", f"127.0.0.1:{upstream_port}")):
        assert old in block
        block = block.replace(old, new)
    return block


@pytest.fixture
def nginx(start: ProcessStarter, tmp_path: Path) -> StartNginx:
    """Return a function that starts an nginx before a web command, with these headers about the host."""

    def begin(web: Running, host_headers: str) -> Running:
        port = free_port()
        servers = documented(port=port, upstream_port=web.port or 0)
        assert HOST_HEADERS in servers
        servers = servers.replace(HOST_HEADERS, host_headers)
        configuration = tmp_path / "nginx.conf"
        user = "user root;" if os.getuid() == 0 else ""
        configuration.write_text(AROUND.format(folder=tmp_path, servers=servers, user=user))
        command = f"{NGINX} -p {tmp_path} -c {configuration} -e stderr"
        running = Running(command, command_environment({}), tmp_path / "nginx.log", port)
        start.started.append(running)
        return running.wait_until_ready()

    return begin


def test_an_address_of_thirty_kilobytes_passes_nginx(start: ProcessStarter, nginx: StartNginx) -> None:
    proxy = nginx(start.web(), HOST_HEADERS)
    keys = "&".join(f"i=NSE:{'S' * 20}{number:03}" for number in range(1_000))
    answer = requests.get(f"{proxy.base_url}/quote/nothing?{keys}", headers=VERSION, timeout=10)
    assert answer.json()["message"] == "Route not found"


@pytest.mark.parametrize("way", WAYS)
def test_a_page_behind_nginx_opens_its_own_stream_and_no_other_does(
    web: Running, nginx: StartNginx, account: MakeAccount, way: str
) -> None:
    trader, earlier = account(), len(web.log)
    proxy = nginx(web, WAYS[way])
    with Stream(proxy.port, trader.token, headers={"Origin": proxy.base_url}) as stream:
        assert stream.ready() == 2
    for origin in ("http://127.0.0.1:1", "http://evil.example", f"http://evil.example:{proxy.port}"):
        status, problem = refusal(proxy.port, trader.token, headers={"Origin": origin})
        assert (status, problem["code"]) == (403, "forbidden")
    assert "origin_refused" in web.log[earlier:]
    policy = requests.get(proxy.base_url, timeout=10).headers["Content-Security-Policy"]
    assert f"ws://127.0.0.1:{proxy.port} " in policy


def test_headers_of_an_untrusted_proxy_mean_nothing(
    start: ProcessStarter, nginx: StartNginx, account: MakeAccount
) -> None:
    web, trader = start.web(TRUSTED_PROXIES="192.0.2.0/24"), account()
    proxy = nginx(web, WAYS["the default Host"])
    assert refusal(proxy.port, trader.token, headers={"Origin": proxy.base_url})[0] == 403


def test_an_order_and_its_events_pass_through_nginx(web: Running, nginx: StartNginx, account: MakeAccount) -> None:
    trader = account()
    proxy = nginx(web, HOST_HEADERS)
    with Stream(proxy.port, trader.token) as stream:
        stream.ready()
        order: dict[str, Any] = {"exchange": "NSE", "symbol": "TCS", "side": "BUY", "quantity": 1}
        order |= {"orderType": "LIMIT", "price": "1.00"}
        url = f"{proxy.base_url}/api/trading/orders"
        assert requests.post(url, json=order, headers=trader.headers, timeout=20).status_code == 202
        wait_until(lambda: stream.next()["type"] == "order.pending")
