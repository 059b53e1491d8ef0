"""Secrets: refused at boot when weak, compared in constant time, kept as digests, never logged."""

import contextlib
import hashlib
import json
import socket
import subprocess
import time
from urllib.parse import urlsplit

import pytest
import requests
import websockets
from websockets.sync.client import connect

from api.http import authentication
from tests.conftest import CRON_SECRET
from tests.realtime.clients import Stream
from tests.security.conftest import CRON, bearer
from tests.support import trading
from tests.support.kite import VERSION, kite_headers
from tests.support.processes import ROOT, free_port, wait_until
from trading.accounts import tokens

GOOD_SECRET = "k7Qm2vX9-rT4wZ8pLd3N"
COMMANDS = {
    "web": "gunicorn 'api:create_app()'",
    "worker": "dramatiq actors.worker:boot --processes 1 --threads 1 --skip-logging",
    "release": "flask --app api db status",
}


def boot(environment, command, **settings):
    """Run a command in production until it ends, and return it."""
    environment = environment | {"TRADEPOST_ENV": "production", "PORT": str(free_port())} | settings
    return subprocess.run(
        f"exec {command}", shell=True, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_production_does_not_start_without_a_secret(process_environment, command):
    done = boot(process_environment, COMMANDS[command], CRON_SECRET="")
    assert done.returncode != 0
    assert "tradepost: CRON_SECRET is not set: production needs one" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "secret", ["short", "aaaaaaaaaaaaaaaaaaaaaaaa", "please-change-me-now-1", "my-password-is-long-enough"]
)
def test_production_does_not_start_with_a_weak_secret_and_does_not_repeat_it(process_environment, secret):
    done = boot(process_environment, COMMANDS["web"], CRON_SECRET=secret)
    assert done.returncode != 0
    assert any(line.startswith("tradepost: CRON_SECRET is weak") for line in done.stderr.splitlines()), done.stderr
    assert secret not in done.stdout + done.stderr


def test_production_does_not_start_on_the_embedded_servers(process_environment, tmp_path):
    url = process_environment["DATABASE_URL"]
    (tmp_path / "env").write_text(f"EMBEDDED_SERVERS=DATABASE_URL\nDATABASE_URL={url}\n")
    done = boot(process_environment, COMMANDS["web"], CRON_SECRET=GOOD_SECRET, DATA_DIR=str(tmp_path))
    assert done.returncode != 0
    assert "tradepost: DATABASE_URL points to the embedded server" in done.stderr


def test_production_starts_with_a_good_secret(start):
    web = start.web(TRADEPOST_ENV="production", CRON_SECRET=GOOD_SECRET)
    assert requests.get(f"{web.base_url}/health/ready", timeout=5).json()["status"] == "ok"
    sweep = requests.get(f"{web.base_url}/api/cron/order-worker", headers=bearer(GOOD_SECRET), timeout=5)
    assert sweep.status_code == 200


def test_nothing_but_a_comparison_in_constant_time_decides_about_the_secret_of_cron(client, monkeypatch):
    asked = []

    def compare(given, secret):
        asked.append((given, secret))
        return len(asked) == 2

    monkeypatch.setattr(authentication.hmac, "compare_digest", compare)
    assert client.get("/api/cron/order-worker", headers=CRON).status_code == 401
    assert client.get("/api/cron/order-worker", headers=bearer("wrong")).status_code == 200
    assert asked == [(CRON_SECRET.encode(),) * 2, (b"wrong", CRON_SECRET.encode())]


def test_a_token_is_found_by_its_digest_so_that_time_tells_nothing_of_it(account):
    trader = account()
    rows = trading.rows("SELECT * FROM api_token")
    assert [bytes(row["digest"]) for row in rows] == [hashlib.sha256(trader.token.encode()).digest()]
    assert trader.token not in str(rows)
    assert tokens.find_token(trader.token)["account_id"] == trader.id


def test_no_table_holds_a_token_or_the_secret_of_cron(client, account, headers_for, database_url, place):
    trader, admin = account(), headers_for("admin")
    path = f"/api/admin/accounts/{trader.id}/tokens"
    made = client.post(path, json={"scopes": ["read"]}, headers=admin).get_json()["token"]
    place(trader, headers={"Idempotency-Key": "k"})
    tables = [row["tablename"] for row in trading.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
    content = "".join(json.dumps(trading.rows(f'SELECT * FROM "{table}"'), default=str) for table in tables)
    assert "admin_action" in tables
    for secret in (trader.token, made, admin["Authorization"], CRON_SECRET):
        assert secret.removeprefix("Bearer ") not in content


DATABASE_PASSWORD = "Xq-database-password-7731"
REDIS_PASSWORD = "Xq-redis-password-7732"
MARKER = "Xq-content-of-a-body-7733"


def with_password(url):
    """Return the URL with a made-up password, where the server asks for none."""
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    if ":" in user:
        return url  # it has a real one
    return parts._replace(netloc=f"{user or 'postgres'}:{DATABASE_PASSWORD}@{place}").geturl()


def do_everything(base_url, trader_token, admin_token, position_id=None):
    """Send good, bad and hostile requests, and return the tokens that were made on the way."""
    http, orders = requests.Session(), f"{base_url}/api/trading/orders"
    good = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "clientOrderId": MARKER}
    trader, admin = bearer(trader_token), bearer(admin_token)
    kind = {"Content-Type": "application/json"}

    def send(method, url, **options):
        with contextlib.suppress(requests.RequestException):
            return http.request(method, url, timeout=10, **options)

    quotes = {"quotes": [{"exchange": "NSE", "symbol": "RELIANCE", "lastPrice": "100.00"}]}
    send("PUT", f"{base_url}/api/market/quotes", headers=admin, json=quotes)
    keyed = trader | {"Idempotency-Key": f"{MARKER}-key", "Prefer": "wait=1"}
    for body in (good, good, good | {"quantity": 2}, good | {"password": MARKER}, good | {"symbol": MARKER * 9}):
        send("POST", orders, headers=keyed, json=body)
        send("POST", orders, headers=trader, json=body)
    for body in (f'{{"a": "{MARKER}"', f'["{MARKER}"]', MARKER, f'{{"{MARKER}": 1, "{MARKER}": 1}}', MARKER * 5_000):
        send("POST", orders, headers=trader | kind, data=body)
        send("POST", orders, headers=trader | {"Content-Type": MARKER}, data=body)
    account_id = send(
        "POST", f"{base_url}/api/admin/accounts", headers=admin, json={"name": MARKER, "openingBalance": "1.00"}
    )
    made = []
    if account_id is not None and account_id.status_code == 201:
        account_id = account_id.json()["tradingAccountId"]
        address = f"{base_url}/api/admin/accounts/{account_id}"
        made.append(send("POST", f"{address}/tokens", headers=admin, json={"scopes": ["trade"]}).json()["token"])
        send("POST", f"{address}/funds", headers=admin, json={"kind": "WITHDRAWAL", "amount": "9.00"})
        send("POST", f"{address}/tokens", headers=admin, json={"scopes": [MARKER]})
    for secret in (trader_token + "A", CRON_SECRET + "A", CRON_SECRET, admin_token):
        send("GET", f"{base_url}/api/cron/order-worker", headers=bearer(secret))
        send("GET", f"{base_url}/api/trading/account", headers=bearer(secret))
    send("GET", f"{base_url}/api/trading/orders?cursor={MARKER}&status={MARKER}", headers=trader)
    send("GET", f"{base_url}/api/trading/events", headers=trader | {"Last-Event-ID": MARKER})
    send("GET", f"{base_url}/health/ready")
    ask_as_kite(send, base_url, trader_token)
    return made


def ask_as_kite(send, base_url, token):
    """Send good, bad and hostile requests as the clients of Kite do, whose tokens stand in addresses and forms too."""
    order = {"exchange": "NSE", "tradingsymbol": "RELIANCE", "transaction_type": "BUY", "quantity": 1, "product": "CNC"}
    order |= {"order_type": "LIMIT", "price": 10, "tag": "X" * 9}
    for secret in (token, token + "A"):
        headers = kite_headers(secret, MARKER)
        form = {"api_key": MARKER, "request_token": secret, "refresh_token": secret, "checksum": MARKER}
        query = {"api_key": MARKER, "access_token": secret, "refresh_token": secret}
        for path in ("/session/token", "/session/refresh_token"):
            send("POST", f"{base_url}{path}", headers=VERSION, data=form)
            send("POST", f"{base_url}{path}", headers=VERSION, params=form)
        for path in ("/", "/kite/ticker", "/user/profile", "/kite/orders", "/kite/nothing"):
            send("GET", f"{base_url}{path}", headers=headers, params=query)
        send("POST", f"{base_url}/orders/regular", headers=headers, data=order)
        send("POST", f"{base_url}/orders/regular", headers=headers, data={MARKER: MARKER, "quantity": MARKER})
        send("POST", f"{base_url}/margins/orders", headers=headers, data=MARKER)
        send("DELETE", f"{base_url}/session/token", headers=headers, params=query)
        bare = {"Authorization": f"token {secret}", "X-Kite-Version": "3"}
        send("GET", f"{base_url}/user/profile?access_token={secret}", headers=bare)


def streams(web, token):
    """Open streams with a good and a bad token in the header and in the first message."""
    for secret in (token, token + "A"):
        with contextlib.suppress(websockets.WebSocketException), Stream(web.port, secret) as stream:
            stream.ready()
        with Stream(web.port) as stream, contextlib.suppress(websockets.WebSocketException):
            stream.authenticate(secret)
            stream.next()
    with Stream(web.port) as stream:
        stream.socket.send(json.dumps({"action": MARKER, "token": token}))
        assert stream.close_code() == 4401
    for secret in (token, token + "A"):
        address = f"ws://127.0.0.1:{web.port}/?api_key={MARKER}&access_token={secret}&uid=1"
        with contextlib.suppress(websockets.WebSocketException), connect(address, proxy=None) as ticker:
            ticker.send(json.dumps({"a": MARKER, "v": [MARKER]}))
            ticker.recv(timeout=10)
    with socket.create_connection(("127.0.0.1", web.port)) as link:
        link.sendall(f"GET /?api_key=a&access_token={token} x HTTP/1.1\r\n\r\n".encode())
        assert b" 400 " in link.recv(4096)


@pytest.mark.acceptance
@pytest.mark.timeout(180)
def test_no_log_holds_a_secret_or_a_body(start, account, setting_values, quote):
    trader, admin = account(), tokens.create_token(["admin", "feed"])[1]
    database_url = with_password(setting_values["DATABASE_URL"])
    common = {"DATABASE_URL": database_url, "LOG_LEVEL": "DEBUG"}
    web, worker = start.web(**common, LOG_FORMAT="json"), start.worker(**common)
    made = do_everything(web.base_url, trader.token, admin)
    streams(web, trader.token)
    wait_until(lambda: " executed " in worker.log, what=f"an order is executed\n{worker.log}")

    # An unexpected error in the middle of a placement, with its traceback.
    trading.run("ALTER TABLE trading_order ADD CONSTRAINT trap CHECK (client_order_id NOT LIKE '%%trap')")
    try:
        order = {
            "exchange": "NSE",
            "symbol": "RELIANCE",
            "side": "BUY",
            "quantity": 1,
            "clientOrderId": f"{MARKER}-trap",
        }
        answer = requests.post(f"{web.base_url}/api/trading/orders", json=order, headers=trader.headers, timeout=10)
    finally:
        trading.run("ALTER TABLE trading_order DROP CONSTRAINT trap")
    assert answer.status_code == 500
    assert set(answer.json()) == {"type", "title", "status", "detail", "instance", "code"}
    assert "trap" not in answer.text
    assert "unexpected_error" in web.log
    assert "DETAIL: left out" in web.log

    # Servers that are away, with passwords in their URLs.
    nowhere = f"postgresql://tradepost:{DATABASE_PASSWORD}@127.0.0.1:{free_port()}/nothing"
    silent = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{free_port()}/0"
    lost = [start.web(DATABASE_URL=nowhere), start.web(**common, REDIS_URL=silent), start.worker(DATABASE_URL=nowhere)]
    lost.append(start.worker(**common, REDIS_URL=silent))
    for each in lost[:2]:
        do_everything(each.base_url, trader.token, admin)
    time.sleep(1)

    logs = {each.log_path.name: each.log for each in (web, worker, *lost)}
    assert "database_unavailable" in lost[0].log
    digest = hashlib.sha256(trader.token.encode()).hexdigest()
    secrets = [trader.token, admin, *made, digest, CRON_SECRET, DATABASE_PASSWORD, REDIS_PASSWORD, MARKER, "Bearer "]
    assert len(made) == 1
    found = [(name, secret) for name, log in logs.items() for secret in secrets if secret in log]
    assert found == [], {
        name: [line for line in logs[name].splitlines() if secret in line][:3] for name, secret in found
    }
