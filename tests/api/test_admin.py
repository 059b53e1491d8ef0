"""Accounts, funds and tokens, for administrators."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.identifiers import NOT_THERE


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
        admin("DELETE", f"tokens/{account_id}"),
    ]
    assert [answer.get_json()["code"] for answer in answers] == ["not_found"] * 5


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
