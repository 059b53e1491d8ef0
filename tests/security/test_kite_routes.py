"""Every route of Kite's door: nothing without a token, nothing of others, and every answer in Kite's envelope."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.security.conftest import WEBSOCKET
from tests.security.kite_routes import FORMS, LISTS, NOWHERE, OF_AN_ACCOUNT, PUBLIC, READS, Route, routes_of
from tests.security.test_other_accounts import METHODS, books
from tests.support import trading
from tests.support.kite import VERSION, kite_headers
from trading.accounts import tokens

KEYS = {"status", "message", "data", "error_type"}
BAD_TOKEN = "Incorrect `api_key` or `access_token`."


@pytest.fixture
def routes(app):
    """Return every route of the door."""
    found = routes_of(app)
    assert len(found) > 10
    return found


@pytest.fixture
def owner(client, belongings):
    """Return an account with orders and a position, and the ids that Kite's door gives its orders."""
    listed = client.get("/kite/orders", headers=kite_headers(belongings.account.token)).get_json()
    ids = [order["order_id"] for order in listed["data"]]
    assert len(ids) == 2
    return belongings.account, ids


def shown(answer):
    """Return all that distinguishes an answer for a client, except the request id."""
    return answer.status_code, answer.get_json(), {name for name, _ in answer.headers} - {"Content-Length"}


def error_of(answer):
    """Return the error_type of an answer, which must be an error in Kite's envelope."""
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.get_json()
    assert (body["status"], set(body)) == ("error", KEYS)
    return body["error_type"]


def test_every_parameter_and_every_exception_is_known(routes):
    assert all(route.parameters is not None for route in routes)
    names = {str(route) for route in routes}
    assert PUBLIC | READS | set(LISTS) <= names


def test_an_unknown_path_parameter_fails():
    with pytest.raises(AssertionError, match="whose is"):
        _ = Route("GET", "/kite/alerts/<alert_id>").parameters


def dead_headers(account_id):
    """Return headers that must be refused, by name."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    expired_id, expired = tokens.create_token(["trade", "read"], account_id=account_id, expires_at=soon)
    trading.run("UPDATE api_token SET expires_at = clock_timestamp() - interval '1 s' WHERE id = %s", expired_id)
    revoked_id, revoked = tokens.create_token(["trade", "read"], account_id=account_id)
    tokens.revoke_token(revoked_id)
    _, good = tokens.create_token(["trade", "read"], account_id=account_id)
    return {
        "missing": None,
        "empty": "",
        "as at the first door": f"Bearer {good}",
        "without an api_key": f"token {good}",
        "the wrong way round": f"token {good}:any",
        "nothing behind the colon": "token any:",
        "cut": f"token any:{good[:-1]}",
        "longer": f"token any:{good}A",
        "two": f"token any:{good} {good}",
        "its digest": f"token any:{tokens.digest_of(good).hex()}",
        "its own id": f"token any:{revoked_id}",
        "not ASCII": "token any:tp_é",
        "SQL": "token any:'OR/**/1=1--",
        "very long": "token any:" + "x" * 6_000,
        "expired": f"token any:{expired}",
        "revoked": f"token any:{revoked}",
        "of an administrator": f"token any:{tokens.create_token(['admin', 'feed'])[1]}",
    }


def test_without_a_living_token_every_route_is_a_token_exception(client, routes, owner):
    trader, (order_id, _) = owner
    dead, before = dead_headers(trader.id), books(trader.id)
    for name, header in dead.items():
        headers = {} if header is None else {"Authorization": header}
        for route in routes:
            if not route.is_public:
                answer = route.send(client, headers, order_id=order_id)
                assert (answer.status_code, error_of(answer)) == (403, "TokenException"), (name, str(route))
                assert answer.get_json()["message"] == BAD_TOKEN
    assert books(trader.id) == before


def test_a_token_in_the_address_or_in_the_form_is_none_at_a_route(client, routes, owner):
    trader, (order_id, _) = owner
    for route in routes:
        if not route.is_public:
            answer = route.send(client, {}, more={"access_token": trader.token, "api_key": "a"}, order_id=order_id)
            assert (answer.status_code, error_of(answer)) == (403, "TokenException"), str(route)


def test_a_token_opens_the_routes_of_its_scope_only(client, routes, account):
    trader = account()
    for scope in ("read", "trade"):
        headers = kite_headers(tokens.create_token([scope], account_id=trader.id)[1])
        for route in routes:
            if not route.is_public:
                answer = route.send(client, headers)
                refused = answer.status_code == 403 and error_of(answer) == "PermissionException"
                assert refused == (scope != route.scope), (scope, str(route), answer.text)


def test_another_accounts_orders_do_not_exist(client, account, routes, owner):
    trader, ids = owner
    stranger = kite_headers(account(name="Stranger").token)
    before, tried = books(trader.id), set()
    for route in routes:
        if OF_AN_ACCOUNT.isdisjoint(route.parameters):
            continue
        tried |= OF_AN_ACCOUNT.intersection(route.parameters)
        missing = route.send(client, stranger, order_id=NOWHERE)
        assert (missing.status_code, error_of(missing)) == (404, "GeneralException"), str(route)
        for order_id in ids:
            assert shown(route.send(client, stranger, order_id=order_id)) == shown(missing), str(route)
            # In the body too, where clients repeat it.
            repeated = route.send(client, stranger, more={"order_id": order_id}, order_id=NOWHERE)
            assert shown(repeated) == shown(missing), str(route)
    assert tried == OF_AN_ACCOUNT
    assert books(trader.id) == before


def test_no_parameter_names_another_account(client, account, routes, owner):
    trader, ids = owner
    stranger = account(name="Stranger")
    profile = client.get("/kite/user/profile", headers=kite_headers(trader.token)).get_json()["data"]
    names = ("user_id", "account_id", "client_id", "tradingAccountId", "placed_by")
    before = books(trader.id)
    for value in (str(trader.id), profile["user_id"]):
        for route in routes:
            text = route.send(client, kite_headers(stranger.token), more=dict.fromkeys(names, value)).text
            for secret in (*ids, profile["user_id"], profile["user_name"], str(trader.id)):
                assert secret not in text, str(route)
    assert books(trader.id) == before


def test_every_other_method_is_405(app, client, routes, owner):
    trader, (order_id, _) = owner
    headers, rules = kite_headers(trader.token), app.url_map.bind("localhost")
    # One path may fit several rules: /kite/orders/1 with POST has the variety "1".
    allowed = {path: set(rules.allowed_methods(path)) for path in {each.path(order_id=order_id) for each in routes}}
    before = books(trader.id)
    for path, methods in allowed.items():
        for method in set(METHODS) - methods:
            answer = client.open(path, method=method, headers=headers)
            assert answer.status_code == 405, (method, path)
            assert (error_of(answer), answer.get_json()["message"]) == (
                "GeneralException",
                "Requested method not allowed",
            )
            assert methods <= set(answer.headers["Allow"].split(", ")), (method, path)
    assert books(trader.id) == before


def test_every_route_answers_the_same_below_kite_and_without_the_prefix(client, routes, account):
    headers = kite_headers(account().token)
    for route in routes:
        if route.method == "GET":
            below, above = (
                client.get(path, headers=headers) for path in (route.path(), route.path().removeprefix("/kite"))
            )
            assert (below.status_code, below.content_type) == (above.status_code, above.content_type), str(route)


def test_every_route_with_a_form_or_a_list_refuses_a_large_one(client, routes, account):
    headers = kite_headers(account().token)
    for route in routes:
        if str(route) in FORMS or str(route) in LISTS:
            kind = {"Content-Type": "application/json" if str(route) in LISTS else "application/x-www-form-urlencoded"}
            answer = client.open(route.path(), method=route.method, data=b"a=" + b"b" * 70_000, headers=headers | kind)
            assert (answer.status_code, error_of(answer)) == (413, "InputException"), str(route)


def test_the_ticker_takes_only_a_living_token_that_reads(client, account):
    trader = account()
    secrets = {name: header.partition(":")[2] for name, header in dead_headers(trader.id).items() if header}
    for name in ("cut", "longer", "expired", "revoked", "its digest", "of an administrator", "SQL"):
        for path in ("/", "/kite/ticker"):
            query = {"api_key": "any", "access_token": secrets[name]}
            answer = client.get(path, query_string=query, headers=VERSION | WEBSOCKET)
            assert (answer.status_code, error_of(answer)) == (403, "TokenException"), (name, path)
    _, trades = tokens.create_token(["trade"], account_id=trader.id)
    for query in ({"api_key": "a"}, {"api_key": "a", "access_token": trades}):
        assert client.get("/", query_string=query, headers=VERSION | WEBSOCKET).status_code == 403
