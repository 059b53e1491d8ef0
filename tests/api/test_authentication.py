"""Who may do what."""

import dataclasses
import time
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
import requests
from structlog.testing import capture_logs

from api.http import authentication, token_cache, token_use
from models.database import DatabaseUnavailable
from tests.support.identifiers import NOT_THERE
from tests.support.processes import wait_until
from tests.support.sessions import close_market
from tests.support.trading import run
from trading.accounts import administration, tokens

ORDER = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1, "orderType": "LIMIT", "price": "10.00"}


def bearer(secret):
    """Return the headers that carry a token."""
    return {"Authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer tp_unknown",
        "Bearer a b",
        "Bearer é",
        "Bearer " + "x" * 9_000,
    ],
)
def test_a_request_without_a_valid_token_is_refused(client, header):
    response = client.get("/api/trading/account", headers={} if header is None else {"Authorization": header})
    assert response.status_code == 401
    assert response.get_json()["code"] == "unauthenticated"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_scheme_may_be_written_in_any_case(client, account):
    assert client.get("/api/trading/account", headers={"Authorization": f"bEARER {account().token}"}).status_code == 200


def test_an_expired_token_is_refused_even_if_it_is_remembered(client, account, monkeypatch):
    expires_at = datetime.now(UTC) + timedelta(hours=1)
    _, secret = tokens.create_token(["read"], account_id=account().id, expires_at=expires_at)
    assert client.get("/api/trading/account", headers=bearer(secret)).status_code == 200
    for passed, status in ((timedelta(microseconds=-1), 200), (timedelta(0), 401)):
        clock = SimpleNamespace(now=lambda zone, now=expires_at + passed: now.astimezone(zone))
        monkeypatch.setattr(token_cache, "datetime", clock)
        assert client.get("/api/trading/account", headers=bearer(secret)).status_code == status


def test_a_revoked_token_is_refused_within_the_time_promised(client, account, monkeypatch):
    token_id, secret = tokens.create_token(["read"], account_id=account().id)
    assert client.get("/api/trading/account", headers=bearer(secret)).status_code == 200
    tokens.revoke_token(token_id)
    assert token_cache.token_cache.staleness_s < 5
    monkeypatch.setattr(token_cache.token_cache, "staleness_s", 0.0)
    assert client.get("/api/trading/account", headers=bearer(secret)).status_code == 401


CHANGES = {
    "revoked": ("UPDATE api_token SET revoked_at = clock_timestamp() WHERE id = %s", 401),
    "expired": ("UPDATE api_token SET expires_at = clock_timestamp() WHERE id = %s", 401),
    "deleted": ("DELETE FROM api_token WHERE id = %s", 401),
    "of less scope": ("UPDATE api_token SET scopes = ARRAY['trade'] WHERE id = %s", 403),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_a_token_by_another_process_is_seen_within_the_time_promised(client, account, change, monkeypatch):
    trader, (sql, status) = account(), CHANGES[change]
    token_id, secret = tokens.create_token(["read"], account_id=trader.id)
    headers = bearer(secret)
    assert client.get("/api/trading/account", headers=headers).status_code == 200
    run(sql, str(token_id))
    monkeypatch.setattr(token_cache.token_cache, "staleness_s", 0.5)
    end = time.monotonic() + 10
    while client.get("/api/trading/account", headers=headers).status_code == 200:  # in use all the time
        assert time.monotonic() < end
    assert client.get("/api/trading/account", headers=headers).status_code == status


def test_a_token_whose_revocation_was_undone_is_valid_again(client, account, monkeypatch):
    token_id, secret = tokens.create_token(["read"], account_id=account().id)
    tokens.revoke_token(token_id)
    assert client.get("/api/trading/account", headers=bearer(secret)).status_code == 401
    run("UPDATE api_token SET revoked_at = NULL WHERE id = %s", str(token_id))
    monkeypatch.setattr(token_cache.token_cache, "staleness_s", 0.5)
    wait_until(lambda: client.get("/api/trading/account", headers=bearer(secret)).status_code == 200)


def test_one_query_checks_all_tokens_in_use(account, monkeypatch):
    secrets, asked, looked_up = [account().token for _ in range(3)], [], []
    monkeypatch.setattr(token_cache, "changed_tokens", lambda versions: asked.append(len(versions)) or set())
    monkeypatch.setattr(token_cache, "find_token", lambda secret: looked_up.append(secret) or tokens.find_token(secret))
    cache = token_cache.TokenCache(size=10, staleness_s=60)
    cache._asked_at = time.monotonic()
    for secret in [*secrets, "tp_wrong"]:
        cache.find(secret)
    for _ in range(2):
        cache._asked_at = float("-inf")
        assert cache.find(secrets[0]).is_valid()
    assert asked == [3, 3]
    assert looked_up == [*secrets, "tp_wrong"]


def test_a_token_that_is_not_used_for_a_minute_or_one_of_too_many_is_not_checked(account, monkeypatch):
    secrets, asked = [account().token for _ in range(3)], []
    monkeypatch.setattr(token_cache, "changed_tokens", lambda versions: asked.append(len(versions)) or set())
    cache = token_cache.TokenCache(size=10, staleness_s=60)
    cache._asked_at = time.monotonic()
    for secret in secrets:
        cache.find(secret)
    cache._used_at[tokens.digest_of(secrets[0])] -= token_cache.IN_USE_S
    for most in (10, 1):
        monkeypatch.setattr(token_cache, "MOST_IN_USE", most)
        cache._asked_at = float("-inf")
        cache.find(secrets[2])
    assert asked == [2, 1]


def last_used_on(account_id):
    """Return the day on which each token of an account was used last, the newest token first."""
    return [row["last_used_on"] for row in tokens.tokens_of(account_id)]


@pytest.fixture
def uses(monkeypatch):
    """Let this process know of no use, and return the list of its writes."""
    written, note_uses = [], tokens.note_uses
    monkeypatch.setattr(authentication, "token_uses", token_use.TokenUses())
    monkeypatch.setattr(token_use, "note_uses", lambda ids, day: written.append(set(ids)) or note_uses(ids, day))
    return written


def test_the_use_of_a_token_is_noted_once_a_day_and_after_the_response(client, account, uses, monkeypatch):
    trader = account()
    day = datetime(2026, 11, 2, 18, 29, tzinfo=UTC)
    today = {"now": day}
    monkeypatch.setattr(token_use, "datetime", SimpleNamespace(now=lambda zone: today["now"].astimezone(zone)))
    response = client.get("/api/trading/account", headers=trader.headers)
    assert uses == []
    response.close()
    assert last_used_on(trader.id) == [date(2026, 11, 2)]
    for _ in range(3):
        client.get("/api/trading/account", headers=trader.headers).close()
    assert len(uses) == 1
    today["now"] = day + timedelta(minutes=1)  # midnight in India
    client.get("/api/trading/account", headers=trader.headers).close()
    assert (len(uses), last_used_on(trader.id)) == (2, [date(2026, 11, 3)])


def test_a_refused_token_is_not_used(client, account, uses):
    trader = account(scopes=("read",))
    client.post("/api/trading/orders", json=ORDER, headers=trader.headers).close()
    tokens.revoke_token(tokens.tokens_of(trader.id)[0]["id"])
    token_cache.token_cache.forget()
    client.get("/api/trading/account", headers=trader.headers).close()
    assert uses == []


def test_a_use_that_cannot_be_noted_disturbs_nobody_and_is_tried_again_later(client, account, uses, monkeypatch):
    trader, tried, noted = account(), [], token_use.note_uses
    monkeypatch.setattr(authentication, "token_uses", token_use.TokenUses(pause_s=0.05))

    def fail(token_ids, day):
        tried.append(day)
        raise DatabaseUnavailable("a standby writes nothing")

    monkeypatch.setattr(token_use, "note_uses", fail)
    with capture_logs() as logs:
        for _ in range(3):
            response = client.get("/api/trading/account", headers=trader.headers)
            assert response.status_code == 200
            response.close()
    assert [line["event"] for line in logs].count("token_use_not_noted") == len(tried) >= 1
    monkeypatch.setattr(token_use, "note_uses", noted)

    def is_noted():
        client.get("/api/trading/account", headers=trader.headers).close()
        return last_used_on(trader.id) != [None]

    wait_until(is_noted)


def test_a_pause_follows_a_use_that_could_not_be_noted(account, monkeypatch):
    token_id, tried = tokens.tokens_of(account().id)[0]["id"], []

    def fail(token_ids, day):
        tried.append(day)
        raise DatabaseUnavailable("a standby writes nothing")

    monkeypatch.setattr(token_use, "note_uses", fail)
    uses = token_use.TokenUses()
    for _ in range(3):
        uses.note([token_id])
    assert len(tried) == 1


@pytest.mark.acceptance
def test_a_token_revoked_through_one_process_is_refused_by_another_too(start, web, account, headers_for):
    one, other = web, start.web()
    admin = headers_for("admin")
    path = f"{one.base_url}/api/admin/accounts/{account().id}/tokens"
    made = requests.post(path, json={"scopes": ["read"]}, headers=admin, timeout=10).json()

    def status(web):
        return requests.get(
            f"{web.base_url}/api/trading/account", headers=bearer(made["token"]), timeout=10
        ).status_code

    assert (status(one), status(other)) == (200, 200)  # both remember it now
    revoked = requests.delete(f"{one.base_url}/api/admin/tokens/{made['tokenId']}", headers=admin, timeout=10)
    assert (revoked.status_code, status(one)) == (204, 401)
    wait_until(lambda: status(other) == 401, timeout_s=15)  # promised within 5 s; the rest is for a slow machine


def test_a_token_is_looked_up_once_in_a_while(client, account, monkeypatch):
    trader, asked = account(), []

    def find(secret):
        asked.append(secret)
        return tokens.find_token(secret)

    monkeypatch.setattr(token_cache, "find_token", find)
    for _ in range(5):
        assert client.get("/api/market/stocks", headers=trader.headers).status_code == 200
        assert client.get("/api/market/stocks", headers=bearer("tp_wrong")).status_code == 401
    assert sorted(asked) == sorted([trader.token, "tp_wrong"])


def test_the_number_of_remembered_tokens_is_bounded(monkeypatch):
    monkeypatch.setattr(token_cache, "find_token", lambda secret: None)
    cache = token_cache.TokenCache(size=3, staleness_s=60)
    for number in range(10):
        cache.find(str(number))
    assert len(cache.entries) == 3


ROUTES = [
    ("GET", "/api/trading/orders", {"read", "admin"}),
    ("POST", "/api/trading/orders", {"trade", "admin"}),
    ("DELETE", "/api/trading/orders", {"trade", "admin"}),
    ("GET", f"/api/trading/orders/by-client-id/{NOT_THERE}", {"read", "admin"}),
    ("POST", "/api/trading/orders/preview", {"trade", "read", "admin"}),
    ("POST", "/api/trading/orders/batch", {"trade", "admin"}),
    ("GET", f"/api/trading/orders/{NOT_THERE}", {"read", "admin"}),
    ("GET", f"/api/trading/orders/{NOT_THERE}/history", {"read", "admin"}),
    ("GET", f"/api/trading/orders/{NOT_THERE}/trades", {"read", "admin"}),
    ("GET", "/api/trading/trades", {"read", "admin"}),
    ("PATCH", f"/api/trading/orders/{NOT_THERE}", {"trade", "admin"}),
    ("DELETE", f"/api/trading/orders/{NOT_THERE}", {"trade", "admin"}),
    ("GET", "/api/trading/positions", {"read", "admin"}),
    ("GET", f"/api/trading/positions/{NOT_THERE}", {"read", "admin"}),
    ("POST", "/api/trading/positions/close", {"trade", "admin"}),
    ("GET", "/api/trading/holdings", {"read", "admin"}),
    ("POST", f"/api/trading/positions/{NOT_THERE}/convert", {"trade", "admin"}),
    ("POST", f"/api/trading/positions/{NOT_THERE}/close", {"trade", "admin"}),
    ("GET", "/api/trading/account", {"read", "admin"}),
    ("GET", "/api/trading/account/equity", {"read", "admin"}),
    ("GET", "/api/trading/transactions", {"read", "admin"}),
    ("GET", "/api/trading/events", {"read", "admin"}),
    ("GET", "/api/market/stocks", {"read", "trade", "feed", "admin"}),
    ("GET", "/api/trading/tokens", {"read", "admin"}),
    ("GET", "/api/market/clock", {"read", "trade", "feed", "admin"}),
    ("GET", "/api/market/calendar", {"read", "trade", "feed", "admin"}),
    ("GET", "/api/market/stocks/NSE/NONE", {"read", "trade", "feed", "admin"}),
    ("PUT", "/api/market/quotes", {"feed"}),
    ("GET", "/api/admin/accounts", {"admin"}),
    ("POST", "/api/admin/accounts", {"admin"}),
    ("GET", f"/api/admin/accounts/{NOT_THERE}", {"admin"}),
    ("PATCH", f"/api/admin/accounts/{NOT_THERE}", {"admin"}),
    ("POST", f"/api/admin/accounts/{NOT_THERE}/funds", {"admin"}),
    ("POST", f"/api/admin/accounts/{NOT_THERE}/reset", {"admin"}),
    ("POST", f"/api/admin/accounts/{NOT_THERE}/tokens", {"admin"}),
    ("GET", f"/api/admin/accounts/{NOT_THERE}/tokens", {"admin"}),
    ("GET", "/api/admin/tokens", {"admin"}),
    ("DELETE", f"/api/admin/tokens/{NOT_THERE}", {"admin"}),
    ("DELETE", "/api/admin/holidays/NSE/2026-01-26", {"admin"}),
    ("GET", "/api/admin/operations", {"admin"}),
    ("GET", "/api/admin/operations/history", {"admin"}),
    ("POST", "/api/admin/sweep", {"admin"}),
    ("POST", "/api/admin/ledger-check", {"admin"}),
    ("POST", f"/api/admin/dead-letters/{NOT_THERE}/requeue", {"admin"}),
]


@pytest.mark.parametrize(("method", "path", "scopes"), ROUTES)
def test_a_route_requires_a_token_with_one_of_its_scopes(client, account, headers_for, method, path, scopes):
    assert client.open(path, method=method).get_json()["code"] == "unauthenticated"
    trader = account()
    for scope in ("trade", "read", "feed", "admin"):
        headers = (
            bearer(tokens.create_token([scope], account_id=trader.id)[1])
            if scope in ("trade", "read")
            else headers_for(scope)
        )
        is_forbidden = client.open(path, method=method, headers=headers).status_code == 403
        assert is_forbidden == (scope not in scopes), scope


def test_every_route_of_the_api_is_in_that_table(app):
    routes = {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/") and "/cron/" not in rule.rule and not rule.websocket
    }
    assert len(routes) == len(ROUTES)


def test_an_admin_token_names_the_account_that_it_reads(client, account, headers_for):
    trader, admin = account(name="Read"), headers_for("admin")
    for path in ("orders", "positions", "account", "transactions", "events"):
        unnamed = client.get(f"/api/trading/{path}", headers=admin)
        assert unnamed.status_code == 422
        assert set(unnamed.get_json()["errors"]) == {"tradingAccountId"}
        assert client.get(f"/api/trading/{path}?tradingAccountId={trader.id}", headers=admin).status_code == 200
        nobody = client.get(f"/api/trading/{path}?tradingAccountId={uuid4()}", headers=admin)
        assert nobody.get_json()["code"] == "not_found"


def test_an_admin_token_that_names_no_account_learns_where_to_name_it(client, headers_for):
    admin = headers_for("admin")
    order = {"exchange": "NSE", "symbol": "RELIANCE", "side": "BUY", "quantity": 1}
    for method, path, body, part in (
        ("POST", "/api/trading/orders", order, "body"),
        ("POST", "/api/trading/orders/batch", {"orders": [order]}, "body"),
        ("POST", "/api/trading/positions/close", {}, "query"),
        ("GET", "/api/trading/orders", None, "query"),
    ):
        response = client.open(path, method=method, json=body, headers=admin)
        told = response.get_json()["errors"]
        assert told == {"tradingAccountId": [f"Required with an admin token, in the {part}."]}, path


def test_an_admin_token_names_the_account_that_it_trades_for(client, account, headers_for):
    trader, admin = account(), headers_for("admin", "feed")
    unnamed = client.post("/api/trading/orders", json=ORDER, headers=admin)
    assert set(unnamed.get_json()["errors"]) == {"tradingAccountId"}
    placed = client.post("/api/trading/orders", json=ORDER | {"tradingAccountId": str(trader.id)}, headers=admin)
    assert placed.get_json()["order"]["tradingAccountId"] == str(trader.id)
    nobody = client.post("/api/trading/orders", json=ORDER | {"tradingAccountId": str(uuid4())}, headers=admin)
    assert nobody.status_code == 404
    order_id = placed.get_json()["orderId"]
    assert client.delete(f"/api/trading/orders/{order_id}", headers=admin).status_code == 422
    cancelled = client.delete(f"/api/trading/orders/{order_id}?tradingAccountId={trader.id}", headers=admin)
    assert cancelled.get_json()["status"] == "CANCELLED"


def test_an_account_token_may_name_its_own_account_and_no_other(client, account):
    mine, other = account(), account()
    for path in ("orders", "positions", "account", "transactions", "events"):
        assert client.get(f"/api/trading/{path}?tradingAccountId={mine.id}", headers=mine.headers).status_code == 200
        refused = client.get(f"/api/trading/{path}?tradingAccountId={other.id}", headers=mine.headers)
        assert refused.get_json()["code"] == "not_found"
    own = client.post("/api/trading/orders", json=ORDER | {"tradingAccountId": str(mine.id)}, headers=mine.headers)
    assert own.status_code == 202
    body = ORDER | {"tradingAccountId": str(other.id)}
    assert client.post("/api/trading/orders", json=body, headers=mine.headers).status_code == 404


def test_resources_of_another_account_are_not_found(client, account, place):
    mine, other = account(), account()
    order_id = place(other).get_json()["orderId"]
    for method in ("GET", "DELETE"):
        theirs = client.open(f"/api/trading/orders/{order_id}", method=method, headers=mine.headers)
        missing = client.open(f"/api/trading/orders/{uuid4()}", method=method, headers=mine.headers)
        assert (theirs.status_code, theirs.get_json()["code"]) == (404, "not_found")
        assert theirs.get_json()["detail"] == missing.get_json()["detail"]
    assert client.get(f"/api/trading/transactions?orderId={order_id}", headers=mine.headers).get_json()["data"] == []


def test_refusals_of_a_request_come_in_the_agreed_order(client, account, headers_for):
    trader, admin = account("10.00"), headers_for("admin")
    reader = bearer(tokens.create_token(["read"], account_id=trader.id)[1])
    large, text = b"x" * 70_000, {"Content-Type": "text/plain"}

    def code(path="/api/trading/orders", **request):
        return client.post(path, **request).get_json()["code"]

    assert code(data=large, headers=text) == "unauthenticated"
    assert code(data=large, headers=reader | text) == "forbidden"
    assert code(data=large, headers=trader.headers | text) == "payload_too_large"
    assert code(data=b"{", headers=trader.headers | text) == "unsupported_media_type"
    json_type = {"Content-Type": "application/json"}
    assert code("/api/trading/orders?x=1", data=b"{", headers=trader.headers | json_type) == "malformed_json"
    unfit = ORDER | {"quantity": 0, "tradingAccountId": str(uuid4())}
    assert code(json=unfit, headers=admin) == "validation_failed"
    assert code(json=ORDER | {"tradingAccountId": str(uuid4())}, headers=admin) == "not_found"
    close = "/api/trading/positions/not-a-uuid/close"
    assert code(close + "?x=1", json={}, headers=trader.headers) == "validation_failed"
    assert code(close, json={}, headers=trader.headers) == "not_found"


def test_refusals_of_a_placement_come_in_the_agreed_order(client, account, app, settings, monkeypatch, quote):
    trader = account("10.00")
    sell = {"exchange": "NSE", "symbol": "UNPRICED", "side": "SELL", "quantity": 1, "product": "DELIVERY"}

    def code(**changes):
        return client.post("/api/trading/orders", json=sell | changes, headers=trader.headers).get_json()["code"]

    close_market()
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, market_calendar="NSE"))
    administration.set_status(trader.id, "SUSPENDED")
    assert code() == "account_suspended"
    administration.set_status(trader.id, "ACTIVE")
    assert code() == "market_closed"
    monkeypatch.setitem(app.config, "SETTINGS", settings)
    assert code() == "no_price"
    quote("UNPRICED", "5000.00")
    assert code() == "insufficient_holdings"
    assert code(side="BUY") == "insufficient_margin"
