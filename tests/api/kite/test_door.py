"""The door of Kite's clients: its paths, its envelope, its tokens."""

import pytest
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.support.kite import VERSION, kite_headers
from trading.accounts import tokens

BAD_TOKEN = "Incorrect `api_key` or `access_token`."
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


def failed(answer, status, error_type, message):
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.get_json() == {"status": "error", "message": message, "data": None, "error_type": error_type}


def test_a_profile_is_read_below_kite_and_without_the_prefix(client, account):
    trader = account(name="Asha Rao")
    answers = [client.get(path, headers=kite_headers(trader.token)) for path in ("/kite/user/profile", "/user/profile")]
    assert [answer.headers["Content-Type"] for answer in answers] == ["application/json"] * 2
    assert answers[0].get_json() == answers[1].get_json()
    body = answers[0].get_json()
    assert body["status"] == "success"
    assert body["data"]["user_name"] == "Asha Rao"
    assert body["data"]["user_shortname"] == "Asha"
    assert body["data"]["user_id"].startswith("TP")
    assert body["data"]["products"] == ["CNC", "MIS"]


def test_without_the_header_a_path_of_kite_is_unknown_and_answered_as_by_the_first_door(client):
    answer = client.get("/user/profile")
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


def test_a_path_that_kite_does_not_have_is_left_to_the_first_door(client):
    assert client.get("/health/live", headers=VERSION).status_code == 200
    assert client.get("/api/trading/account", headers=VERSION).get_json()["code"] == "unauthenticated"


def test_a_request_for_the_whole_server_is_left_to_the_first_door(app):
    environ = EnvironBuilder(method="OPTIONS", headers=VERSION).get_environ() | {"PATH_INFO": "*"}
    _, status, _ = run_wsgi_app(app.wsgi_app, environ)
    assert status.startswith("404")


@pytest.mark.parametrize("path", ["/kite", "/kite/", "/kite/nothing", "/kite/user", "/kite/user/profile/"])
def test_an_unknown_path_is_an_error_of_kite(client, path):
    failed(client.get(path), 404, "GeneralException", "Route not found")


def test_an_unknown_path_of_a_client_of_kite_is_an_error_of_kite_wherever_it_asks(client):
    failed(client.get("/nothing", headers=VERSION), 404, "GeneralException", "Route not found")
    assert client.get("/nothing").get_json()["code"] == "not_found"


def test_another_method_is_an_error_of_kite(client):
    failed(client.put("/user/profile", headers=VERSION), 405, "GeneralException", "Requested method not allowed")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "token", "token any", "token any:", "token any:tp_wrong", "Bearer {}", "token any{}", "token any:{}x"],
)
def test_a_bad_token_is_an_error_that_clients_know(client, account, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.format(account().token)}
    failed(client.get("/user/profile", headers=VERSION | headers), 403, "TokenException", BAD_TOKEN)


def test_an_api_key_may_be_anything(client, account):
    trader = account()
    for api_key in ("", "a:b", "x" * 256):
        assert client.get("/user/profile", headers=kite_headers(trader.token, api_key)).status_code == 200


def test_the_token_of_an_administrator_is_none(client):
    _, admin = tokens.create_token(["admin", "feed"])
    failed(client.get("/user/profile", headers=kite_headers(admin)), 403, "TokenException", BAD_TOKEN)


def test_a_token_that_may_not_read_is_a_permission_error(client, account):
    _, token = tokens.create_token(["trade"], account_id=account().id)
    refused = "Insufficient permission for that call."
    failed(client.get("/user/profile", headers=kite_headers(token)), 403, "PermissionException", refused)


def test_a_session_begins_with_a_token_and_answers_with_it(client, account):
    trader = account()
    form = {"api_key": "k", "request_token": trader.token, "checksum": "0" * 64}
    data = client.post("/session/token", data=form, headers=VERSION).get_json()["data"]
    assert (data["access_token"], data["api_key"], len(data["login_time"])) == (trader.token, "k", 19)
    renewed = client.post(
        "/session/refresh_token", data={"api_key": "k", "refresh_token": trader.token}, headers=VERSION
    )
    assert renewed.get_json()["data"]["access_token"] == trader.token


def test_a_session_does_not_begin_with_another_text(client, account):
    for text in ("x", account().token + "x", tokens.create_token(["admin"])[1]):
        form = {"api_key": "k", "request_token": text}
        answer = client.post("/session/token", data=form, headers=VERSION)
        failed(answer, 403, "TokenException", "Token is invalid or has expired.")
    answer = client.post("/session/token", data={"api_key": "k"}, headers=VERSION)
    failed(answer, 400, "InputException", "Missing or empty field `request_token`")


def test_the_end_of_a_session_is_answered_and_leaves_the_token(client, account):
    trader = account()
    for name in ("access_token", "refresh_token"):
        ended = client.delete("/session/token", query_string={"api_key": "k", name: trader.token}, headers=VERSION)
        assert ended.get_json() == {"status": "success", "data": True}
    assert client.get("/user/profile", headers=kite_headers(trader.token)).status_code == 200
    answer = client.delete("/session/token", query_string={"api_key": "k", "access_token": "x"}, headers=VERSION)
    failed(answer, 403, "TokenException", "Token is invalid or has expired.")


def test_what_is_not_offered_is_empty_and_cannot_be_made(client, account):
    headers = kite_headers(account().token)
    for path in ("/gtt/triggers", "/alerts", "/mf/orders", "/mf/sips", "/mf/holdings", "/portfolio/holdings/auctions"):
        assert client.get(path, headers=headers).get_json() == {"status": "success", "data": []}
    refused = client.post("/gtt/triggers", data={"type": "single"}, headers=headers)
    failed(refused, 400, "InputException", "This service does not offer GTT triggers yet.")
    for call in (client.get, client.put, client.delete):
        failed(call("/gtt/triggers/1", headers=headers), 404, "GeneralException", "There is no such GTT trigger.")
    assert client.get("/mf/instruments", headers=headers).headers["Content-Type"] == "text/csv"
    assert client.get("/instruments/trigger_range/buy?i=NSE:INFY", headers=headers).get_json()["data"] == {}
