"""Accounts, funds and tokens, for administrators."""

import dataclasses
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.support.identifiers import NOT_THERE, ids_in_order
from trading.market.calendars import holidays, import_holidays


@pytest.fixture
def admin(client, headers_for):
    """Return a function that sends a request below /api/admin."""
    headers = headers_for("admin")
    return lambda method, path, body=None: client.open(f"/api/admin/{path}", method=method, json=body, headers=headers)


def test_an_account_is_created_with_its_opening_balance(client, admin):
    response = admin("POST", "accounts", {"name": "Asha", "openingBalance": "250000.50"})
    document = response.get_json()
    assert response.status_code == 201
    path = response.headers["Location"].removeprefix("/api/admin/")
    assert path == f"accounts/{document['tradingAccountId']}"
    assert document == {
        "tradingAccountId": document["tradingAccountId"],
        "name": "Asha",
        "balance": "250000.50",
        "blockedMargin": "0.00",
        "availableMargin": "250000.50",
        "realizedPnl": "0.00",
        "unrealizedPnl": "0.00",
        "status": "ACTIVE",
        "fillModel": "IMMEDIATE",
    }
    assert admin("GET", path).get_json() == document


def test_an_opening_balance_may_be_zero(admin):
    assert admin("POST", "accounts", {"name": "Empty", "openingBalance": 0}).get_json()["balance"] == "0.00"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"openingBalance": "1"}, "name"),
        ({"name": "", "openingBalance": "1"}, "name"),
        ({"name": "   ", "openingBalance": "1"}, "name"),
        ({"name": "a\u0000", "openingBalance": "1"}, "name"),
        ({"name": "\ud800", "openingBalance": "1"}, "name"),
        ({"name": "x" * 101, "openingBalance": "1"}, "name"),
        ({"name": 7, "openingBalance": "1"}, "name"),
        ({"name": "A"}, "openingBalance"),
        ({"name": "A", "openingBalance": "-0.01"}, "openingBalance"),
        ({"name": "A", "openingBalance": "1000000000000.01"}, "openingBalance"),
        ({"name": "A", "openingBalance": None}, "openingBalance"),
        ({"name": "A", "openingBalance": "1", "status": "ACTIVE"}, "status"),
        ({"name": "A", "openingBalance": "1", "fillModel": "LATER"}, "fillModel"),
    ],
)
def test_an_invalid_account_is_refused(admin, body, field):
    response = admin("POST", "accounts", body)
    assert response.status_code == 422
    assert set(response.get_json()["errors"]) == {field}


def test_funds_are_moved_in_and_out(admin, account):
    path = f"accounts/{account('100.00').id}/funds"
    deposit = admin("POST", path, {"kind": "DEPOSIT", "amount": 50.25})
    row = deposit.get_json()
    assert deposit.status_code == 201
    assert deposit.headers["Location"]
    assert row == {
        "id": row["id"],
        "kind": "DEPOSIT",
        "amount": "50.25",
        "balanceAfter": "150.25",
        "blockedAfter": "0.00",
        "orderId": None,
        "positionId": None,
        "createdAt": row["createdAt"],
    }
    assert admin("POST", path, {"kind": "WITHDRAWAL", "amount": "150.25"}).get_json()["balanceAfter"] == "0.00"


def test_a_withdrawal_above_the_available_margin_is_refused(admin, account):
    response = admin("POST", f"accounts/{account('100.00').id}/funds", {"kind": "WITHDRAWAL", "amount": "100.01"})
    document = response.get_json()
    assert (response.status_code, document["code"]) == (422, "insufficient_margin")
    assert (document["required"], document["available"]) == ("100.01", "100.00")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "CHARGES", "amount": "1"}, "kind"),
        ({"kind": "DEPOSIT", "amount": "0"}, "amount"),
        ({"kind": "DEPOSIT"}, "amount"),
        ({"kind": "DEPOSIT", "amount": "1e3"}, "amount"),
        ({"kind": "DEPOSIT", "amount": "1", "note": "x"}, "note"),
    ],
)
def test_invalid_funds_are_refused(admin, account, body, field):
    response = admin("POST", f"accounts/{account().id}/funds", body)
    assert set(response.get_json()["errors"]) == {field}


def test_an_account_is_suspended_and_reactivated(client, admin, account, place):
    trader = account()
    assert admin("PATCH", f"accounts/{trader.id}", {"status": "SUSPENDED"}).get_json()["status"] == "SUSPENDED"
    assert place(trader).get_json()["code"] == "account_suspended"
    assert client.get("/api/trading/account", headers=trader.headers).get_json()["status"] == "SUSPENDED"
    funds = admin("POST", f"accounts/{trader.id}/funds", {"kind": "DEPOSIT", "amount": 1})
    assert funds.status_code == 201
    assert admin("PATCH", f"accounts/{trader.id}", {"status": "ACTIVE"}).get_json()["status"] == "ACTIVE"
    assert place(trader).status_code == 202


def test_an_account_has_a_fill_model_that_may_change(admin):
    body = {"name": "Asha", "openingBalance": 0, "fillModel": "QUOTES"}
    created = admin("POST", "accounts", body).get_json()
    path = f"accounts/{created['tradingAccountId']}"
    assert created["fillModel"] == "QUOTES"
    assert admin("PATCH", path, {"fillModel": "IMMEDIATE"}).get_json() == created | {"fillModel": "IMMEDIATE"}
    changes = {"status": "SUSPENDED", "fillModel": "QUOTES"}
    assert admin("PATCH", path, changes).get_json() == created | changes
    assert set(admin("PATCH", path, {"fillModel": "LATER"}).get_json()["errors"]) == {"fillModel"}


def test_an_account_that_names_no_fill_model_has_that_of_the_server(app, admin, settings, monkeypatch):
    monkeypatch.setitem(app.config, "SETTINGS", dataclasses.replace(settings, fill_model="QUOTES"))
    assert admin("POST", "accounts", {"name": "Asha", "openingBalance": 0}).get_json()["fillModel"] == "QUOTES"


def test_an_account_is_renamed(client, admin, account):
    trader = account()
    assert admin("PATCH", f"accounts/{trader.id}", {"name": "Ravi"}).get_json()["name"] == "Ravi"
    assert client.get("/api/trading/account", headers=trader.headers).get_json()["name"] == "Ravi"
    for name in ("", "  ", None, "x" * 101):
        assert set(admin("PATCH", f"accounts/{trader.id}", {"name": name}).get_json()["errors"]) == {"name"}


def test_accounts_are_listed_the_newest_first_and_found_by_a_part_of_their_name(admin, account):
    with ids_in_order():
        first, second, third = (str(account(name=name).id) for name in ("Asha", "Ben_1", "Natasha"))
    admin("PATCH", f"accounts/{second}", {"status": "SUSPENDED"})

    def listed(query):
        page = admin("GET", f"accounts?{query}").get_json()
        return [row["tradingAccountId"] for row in page["data"]], page["nextCursor"]

    assert listed("search=SHA") == ([third, first], None)
    assert listed("search=n_1") == ([second], None)
    assert listed("search=%25") == ([], None)
    assert listed("status=SUSPENDED") == ([second], None)
    newest, cursor = listed("limit=2")
    assert newest == [third, second]
    assert listed(f"limit=2&cursor={cursor}") == ([first], None)
    row = admin("GET", "accounts?search=natasha").get_json()["data"][0]
    shown = admin("GET", f"accounts/{third}").get_json()
    assert row == {name: shown[name] for name in shown if name != "unrealizedPnl"} | {"createdAt": row["createdAt"]}


@pytest.mark.parametrize("query", ["search=", "status=CLOSED", "limit=201", "cursor=x", "name=A"])
def test_a_bad_query_of_the_accounts_is_refused(admin, query):
    response = admin("GET", f"accounts?{query}")
    assert (response.status_code, set(response.get_json()["errors"])) == (422, {query.split("=")[0]})


@pytest.mark.parametrize("body", [{}, {"status": "CLOSED"}, {"status": None}])
def test_an_invalid_status_is_refused(admin, account, body):
    assert set(admin("PATCH", f"accounts/{account().id}", body).get_json()["errors"]) == {"status"}


@pytest.mark.parametrize("account_id", [str(NOT_THERE), "abc", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_account_is_not_found(admin, account_id):
    answers = [
        admin("GET", f"accounts/{account_id}"),
        admin("PATCH", f"accounts/{account_id}", {"status": "ACTIVE"}),
        admin("POST", f"accounts/{account_id}/funds", {"kind": "DEPOSIT", "amount": 1}),
        admin("POST", f"accounts/{account_id}/tokens", {"scopes": ["read"]}),
        admin("GET", f"accounts/{account_id}/tokens"),
        admin("DELETE", f"tokens/{account_id}"),
    ]
    assert [answer.get_json()["code"] for answer in answers] == ["not_found"] * 6


def test_a_token_is_created_used_and_revoked(client, admin, account):
    trader = account()
    expires_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    response = admin("POST", f"accounts/{trader.id}/tokens", {"scopes": ["read"], "expiresAt": expires_at})
    document = response.get_json()
    assert response.status_code == 201
    assert set(document) == {"tokenId", "token"}
    assert response.headers["Location"] == f"/api/admin/tokens/{document['tokenId']}"
    headers = {"Authorization": f"Bearer {document['token']}"}
    mine = client.get("/api/trading/account", headers=headers)
    assert mine.get_json()["tradingAccountId"] == str(trader.id)
    assert client.post("/api/trading/orders", headers=headers).status_code == 403
    for _ in range(2):  # twice does it once
        assert admin("DELETE", f"tokens/{document['tokenId']}").status_code == 204
    assert client.get("/api/trading/account", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"scopes": "read"}, "scopes"),
        ({"scopes": ["admin"]}, "scopes.0"),
        ({"scopes": ["read", "feed"]}, "scopes.1"),
        ({"scopes": ["read", "read"]}, "scopes"),
        ({"scopes": [7]}, "scopes.0"),
        ({"scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": "2999-01-01T00:00:00"}, "expiresAt"),
        ({"scopes": ["read"], "expiresAt": 7}, "expiresAt"),
        ({"scopes": ["read"], "account": "x"}, "account"),
    ],
)
def test_an_invalid_token_is_refused(admin, account, body, field):
    response = admin("POST", f"accounts/{account().id}/tokens", body)
    assert response.status_code == 422
    assert set(response.get_json()["errors"]) == {field}


def test_tokens_are_listed_for_their_account_and_for_administrators(client, admin, account, headers_for):
    trader, stranger = account(), account()
    headers_for("feed")
    made = admin("POST", f"accounts/{trader.id}/tokens", {"scopes": ["read"]}).get_json()
    mine = client.get("/api/trading/tokens", headers=trader.headers).get_json()
    assert mine == admin("GET", f"accounts/{trader.id}/tokens").get_json()
    assert mine["nextCursor"] is None
    newest, oldest = mine["data"]
    assert newest == {
        "tokenId": made["tokenId"],
        "tradingAccountId": str(trader.id),
        "scopes": ["read"],
        "createdAt": newest["createdAt"],
        "expiresAt": None,
        "revokedAt": None,
        "lastUsedOn": None,
    }
    assert (oldest["scopes"], oldest["tradingAccountId"]) == (["trade", "read"], str(trader.id))
    theirs = client.get("/api/trading/tokens", headers=stranger.headers).get_json()["data"]
    assert [row["tradingAccountId"] for row in theirs] == [str(stranger.id)]
    services = admin("GET", "tokens").get_json()["data"]
    assert [(row["scopes"], row["tradingAccountId"]) for row in services] == [(["feed"], None), (["admin"], None)]


def test_ended_tokens_are_listed_when_they_are_asked_for(client, admin, account):
    trader = account()
    made = admin("POST", f"accounts/{trader.id}/tokens", {"scopes": ["read"]}).get_json()
    admin("DELETE", f"tokens/{made['tokenId']}")
    path = f"accounts/{trader.id}/tokens"
    (left,) = admin("GET", path).get_json()["data"]
    newest, oldest = admin("GET", f"{path}?ended=true").get_json()["data"]
    assert (newest["tokenId"], oldest) == (made["tokenId"], left)
    assert newest["revokedAt"] is not None
    page = client.get("/api/trading/tokens?ended=true&limit=1", headers=trader.headers).get_json()
    assert [row["tokenId"] for row in page["data"]] == [made["tokenId"]]
    rest = f"/api/trading/tokens?ended=true&limit=1&cursor={page['nextCursor']}"
    assert client.get(rest, headers=trader.headers).get_json() == {"data": [left], "nextCursor": None}
    odd = client.get("/api/trading/tokens?ended=yes", headers=trader.headers)
    assert odd.get_json()["errors"] == {"ended": ["Must be true or false."]}


def test_a_holiday_is_removed_once(admin):
    import_holidays([("NSE", date(2026, 11, 10), "Diwali")])
    removed = admin("DELETE", "holidays/NSE/2026-11-10")
    assert (removed.status_code, removed.content_type) == (204, None)
    assert holidays("NSE") == []
    for path in ("NSE/2026-11-10", "NSE/2026-13-10", "NSE/20261110", "LSE/2026-11-10", "nse/2026-11-10"):
        problem = admin("DELETE", f"holidays/{path}").get_json()
        assert (problem["code"], problem["detail"]) == ("not_found", "The resource does not exist.")


def test_a_token_that_does_not_exist_belongs_to_nobody(admin):
    problem = admin("DELETE", f"tokens/{NOT_THERE}").get_json()
    assert (problem["code"], problem["detail"]) == ("not_found", "The resource does not exist.")
