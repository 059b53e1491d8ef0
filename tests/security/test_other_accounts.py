"""Every route with the wrong key: another account's, none, a dead one, one of another scope, another method."""

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.api.test_authentication import ROUTES
from tests.conftest import METRICS_TOKEN
from tests.security.conftest import CRON, EVENT_STREAM, WEBSOCKET, bearer
from tests.security.operations import OF_ADMINISTRATORS, OF_AN_ACCOUNT, PUBLIC, SCOPES, Operation
from tests.support import trading
from trading.accounts import tokens

# The paths that the OpenAPI document leaves out; tests/security/test_kite_routes.py walks those of the door for Kite.
UNDOCUMENTED = {"/openapi.json", "/asyncapi.json", "/docs", "/ops", "/api/trading/stream", "/", "/static/<path:name>"}
PAGES = ("/openapi.json", "/asyncapi.json", "/docs", "/ops", "/", "/static/desk/main.js")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "PURGE")
STREAM = "/api/trading/stream"
UUIDS = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def shown(response):
    """Return all that distinguishes an answer for a client, except the address and the request id."""
    problem = response.get_json() or {}
    names = {name for name, _ in response.headers} - {"Content-Length"}
    return response.status_code, {key: value for key, value in problem.items() if key != "instance"}, names


def books(account_id):
    """Return everything that an account has."""
    tables = ("trading_order", "position", "fund_transaction", "api_token", "event")
    rows = {
        table: trading.rows(f"SELECT * FROM {table} WHERE account_id = %s ORDER BY id", account_id) for table in tables
    }
    return rows | {"account": trading.account_now(account_id)}


def test_no_route_is_forgotten(app, operations):
    for operation in operations:
        assert operation.path_parameters is not None  # each is known
        assert operation.body is None or operation.body
    documented = {operation.path for operation in operations}
    paths = {rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith("/kite/")}
    served = {re.sub(r"<(?:opaque_\w+:)?", "{", path).replace(">", "}") for path in paths}
    expected = {path.replace("<", "{").replace(">", "}") for path in UNDOCUMENTED}
    assert served - documented - expected == set()
    assert documented - served == set()


def test_an_unknown_path_parameter_fails():
    with pytest.raises(AssertionError, match="whose is"):
        Operation("GET", "/api/trading/alerts/{alert_id}", {}).url()


def test_only_the_intended_paths_are_public(operations):
    assert {operation.path for operation in operations if operation.is_public} == PUBLIC


def test_another_accounts_things_do_not_exist(client, account, headers_for, operations, belongings):
    stranger, admin = account(name="Stranger"), headers_for("admin")
    before, tried = books(belongings.account.id), set()
    for operation in operations:
        if not operation.is_of_an_account:
            continue
        tried |= OF_AN_ACCOUNT.intersection(operation.path_parameters)
        for headers, named in ((stranger.headers, {}), (admin, operation.naming(stranger.id))):
            theirs = operation.send(client, headers, things=belongings.things, **named)
            missing = operation.send(client, headers, **named)
            assert theirs.status_code == 404, str(operation)
            assert shown(theirs) == shown(missing), str(operation)
    assert tried == OF_AN_ACCOUNT
    assert books(belongings.account.id) == before


def test_another_account_cannot_be_named(client, account, operations, belongings):
    stranger, before, tried = account(name="Stranger"), books(belongings.account.id), 0
    things = {name: thing for name, thing in belongings.things.items() if name in OF_AN_ACCOUNT}
    for operation in operations:
        if operation.account_is_named_in is None:
            continue
        answers = []
        for account_id in (belongings.account.id, uuid4()):
            named = operation.naming(account_id)
            answers.append(shown(operation.send(client, stranger.headers, things=things, **named)))
        assert answers[0][0] == 404, str(operation)
        assert answers[0] == answers[1], str(operation)
        tried += 1
    assert tried >= 9
    assert books(belongings.account.id) == before


def test_lists_hold_nothing_of_another_account(client, account, operations, belongings):
    stranger = account("0.00", name="Stranger")
    secrets = [str(value) for value in belongings.things.values()]
    for operation in operations:
        if operation.method == "GET" and operation.account_is_named_in == "query":
            text = operation.send(client, stranger.headers).text
            assert not any(secret in text for secret in secrets), str(operation)
    filtered = {"orderId": belongings.things["order_id"]}
    assert client.get("/api/trading/transactions", query_string=filtered, headers=stranger.headers).json["data"] == []


def test_a_key_of_another_account_replays_nothing(client, account, place):
    owner, stranger, key = account(), account(), {"Idempotency-Key": "the-same"}
    first, second = place(owner, headers=key), place(stranger, headers=key)
    assert second.status_code == 202
    assert "Idempotent-Replayed" not in second.headers
    assert second.get_json()["orderId"] != first.get_json()["orderId"]


def test_administrators_things_do_not_exist_when_they_do_not(client, headers_for, operations):
    admin = headers_for("admin", "feed")
    tried = [operation for operation in operations if OF_ADMINISTRATORS.intersection(operation.path_parameters)]
    assert len(tried) >= 5
    for operation in tried:
        assert shown(operation.send(client, admin))[1]["code"] == "not_found", str(operation)


def dead_tokens(account_id):
    """Return tokens and headers that must be refused, by name."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    expired_id, expired = tokens.create_token(["trade", "read"], account_id=account_id, expires_at=soon)
    trading.run("UPDATE api_token SET expires_at = clock_timestamp() - interval '1 s' WHERE id = %s", expired_id)
    revoked_id, revoked = tokens.create_token(["trade", "read"], account_id=account_id)
    tokens.revoke_token(revoked_id)
    admin_id, admin = tokens.create_token(["admin", "feed"])
    tokens.revoke_token(admin_id)
    _, good = tokens.create_token(["trade", "read"], account_id=account_id)
    return {
        "missing": None,
        "empty": "",
        "no scheme": good,
        "another scheme": f"Basic {good}",
        "nothing behind the scheme": "Bearer ",
        "two": f"Bearer {good} {good}",
        "cut": f"Bearer {good[:-1]}",
        "longer": f"Bearer {good}A",
        "another case": f"Bearer {good.swapcase()}",
        "its digest": f"Bearer {tokens.digest_of(good).hex()}",
        "its own id": f"Bearer {revoked_id}",
        "not ASCII": "Bearer tp_é",
        "SQL": "Bearer ' OR 1=1 --",
        "a wildcard": "Bearer %",
        "very long": "Bearer " + "x" * 6_000,
        "expired": f"Bearer {expired}",
        "revoked": f"Bearer {revoked}",
        "revoked, of an administrator": f"Bearer {admin}",
    }


def test_without_a_living_token_every_route_is_401(client, operations, belongings):
    dead, secured = dead_tokens(belongings.account.id), [each for each in operations if not each.is_public]
    before = books(belongings.account.id)
    for name, header in dead.items():
        headers = {} if header is None else {"Authorization": header}
        answers = {str(each): each.send(client, headers, things=belongings.things) for each in secured}
        answers["stream"] = client.get(STREAM, headers=headers | WEBSOCKET) if headers else None
        answers["events"] = client.get("/api/trading/events", headers=headers | EVENT_STREAM)
        for route, answer in answers.items():
            if answer is not None:  # a websocket may bring its token in its first message
                assert (answer.status_code, answer.get_json()["code"]) == (401, "unauthenticated"), (name, route)
                assert answer.headers["WWW-Authenticate"].startswith("Bearer"), (name, route)
    assert books(belongings.account.id) == before


def test_a_token_in_the_address_is_no_token(client, operations, belongings):
    query = {"access_token": belongings.account.token, "token": belongings.account.token}
    for operation in operations:
        if not operation.is_public:
            assert operation.send(client, things=belongings.things, query=query).status_code == 401, str(operation)


def headers_of(scope, account_id):
    """Return a token with this one scope."""
    return bearer(tokens.create_token([scope], account_id=account_id if scope in ("trade", "read") else None)[1])


def test_every_scope_opens_what_the_document_says_and_nothing_else(client, operations, belongings):
    for scope in SCOPES:
        headers = headers_of(scope, belongings.account.id)
        for operation in operations:
            if operation.is_public or operation.is_for_cron or operation.is_for_prometheus:
                continue
            answer = operation.send(client, headers)
            assert (answer.status_code == 403) == (scope not in operation.scopes), (scope, str(operation))
            if answer.status_code == 403:
                assert answer.get_json()["code"] == "forbidden"
    assert books(belongings.account.id)["account"]["status"] == "ACTIVE"


def test_the_document_and_the_list_that_was_written_by_hand_agree_about_scopes(operations):
    by_hand = {(method, re.sub(UUIDS, "{}", path)): scopes for method, path, scopes in ROUTES}
    described = {
        (operation.method, re.sub(r"\{\w+\}", "{}", operation.path)): operation.scopes
        for operation in operations
        if operation.path.startswith("/api/") and not operation.is_for_cron
    }
    by_hand["GET", "/api/market/stocks/{}/{}"] = by_hand.pop(("GET", "/api/market/stocks/NSE/NONE"))
    by_hand["DELETE", "/api/admin/holidays/{}/{}"] = by_hand.pop(("DELETE", "/api/admin/holidays/NSE/2026-01-26"))
    assert described == by_hand


def test_the_streams_are_for_readers(client, belongings):
    for scope in ("trade", "feed"):
        headers = headers_of(scope, belongings.account.id)
        assert client.get(STREAM, headers=headers | WEBSOCKET).status_code == 403, scope
        assert client.get("/api/trading/events", headers=headers | EVENT_STREAM).status_code == 403, scope


def test_the_streams_of_another_account_do_not_exist(client, account, belongings):
    stranger = account()
    for path, headers in (("/api/trading/stream", WEBSOCKET), ("/api/trading/events", EVENT_STREAM)):
        answers = [
            shown(client.get(f"{path}?tradingAccountId={account_id}", headers=stranger.headers | headers))
            for account_id in (belongings.account.id, uuid4())
        ]
        assert answers[0][0] == 404, path
        assert answers[0] == answers[1], path


def test_the_secret_of_cron_opens_nothing_else_and_no_token_opens_cron(client, headers_for, operations, belongings):
    for operation in operations:
        if operation.is_for_cron or operation.is_for_prometheus:
            for headers in (belongings.account.headers, headers_for("admin", "feed")):
                assert operation.send(client, headers).status_code == 401
        if not operation.is_public and not operation.is_for_cron:
            assert operation.send(client, CRON).status_code == 401, str(operation)


def test_every_other_method_is_405(client, app, operations, belongings):
    allowed: dict[str, set[str]] = {path: {"GET"} for path in (*PAGES, STREAM)}
    for operation in operations:
        allowed.setdefault(operation.url(**belongings.things), set()).add(operation.method)
    before = books(belongings.account.id)
    for path, methods in allowed.items():
        handshake = WEBSOCKET if path == STREAM else {}
        for method in set(METHODS) - methods:
            answer = client.open(path, method=method, headers=belongings.account.headers | handshake)
            assert answer.status_code == 405, (method, path)
            assert answer.get_json()["code"] == "method_not_allowed"
            assert methods <= set(answer.headers["Allow"].split(", ")) <= methods | {"HEAD", "OPTIONS"}, (method, path)
    assert books(belongings.account.id) == before


def good_headers(operation, belongings, admin):
    """Return headers with which an operation is done."""
    if operation.is_public:
        return {}
    if operation.is_for_cron:
        return CRON
    if operation.is_for_prometheus:
        return bearer(METRICS_TOKEN)
    return belongings.account.headers if operation.scopes & {"trade", "read"} else admin


def test_unknown_members_and_parameters_are_refused_on_every_route(client, headers_for, operations, belongings):
    admin, before = headers_for("admin", "feed"), books(belongings.account.id)
    for operation in operations:
        headers = good_headers(operation, belongings, admin)
        for options in ({"more": {"isAdmin": True}}, {"query": {"isAdmin": "true"}}):
            answer = operation.send(client, headers, things=belongings.things, **options)
            assert answer.status_code == 422, (str(operation), options)
            assert set(answer.get_json()["errors"]) == {"isAdmin"}, (str(operation), options)
    assert books(belongings.account.id) == before


@pytest.mark.parametrize("headers", [WEBSOCKET, EVENT_STREAM])
def test_unknown_parameters_of_a_stream_are_refused(client, belongings, headers):
    path = STREAM if headers is WEBSOCKET else "/api/trading/events"
    answer = client.get(f"{path}?isAdmin=true", headers=belongings.account.headers | headers)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, {"isAdmin"})


def test_members_that_only_the_service_may_set_are_refused(client, operations, belongings):
    """Mass assignment: members of an answer are refused in a request."""
    for operation in operations:
        if operation.account_is_named_in == "body":
            for name in ("orderId", "status", "blockedMargin", "charges", "averagePrice", "filledQuantity", "placedAt"):
                answer = operation.send(client, belongings.account.headers, more={name: "1.00"})
                assert set(answer.get_json()["errors"]) == {name}, (str(operation), name)
